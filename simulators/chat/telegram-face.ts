import type { ChatAccounts, ChatFault, FaceAnswer, ShownButton, Update } from "./chat-simulator.ts";
import type { FaceRequest } from "./whatsapp-face.ts";

/** Telegram as the program meets it. A private chat has its person's number. */
export interface TelegramFace {
  take(request: FaceRequest, fault: ChatFault | undefined): FaceAnswer;
  writes(from: string, text: string): Update;
  taps(from: string, data: string): Update;
  /** A card: the person's own, or another's that was forwarded. */
  shares(from: string, phone: string, owner?: number): Update;
  speaks(from: string): Update;
  /** Any update, under the next number. */
  update(content: object): Update;
}

interface Sent {
  readonly chat_id?: string;
  readonly text?: string;
  readonly reply_markup?: {
    readonly inline_keyboard?: readonly (readonly { readonly text: string; readonly callback_data: string }[])[];
    readonly keyboard?: readonly (readonly { readonly text: string; readonly request_contact?: boolean }[])[];
  };
}

const refused = (code: number, description: string, parameters: object = {}): FaceAnswer => ({
  status: code,
  body: { ok: false, error_code: code, description, ...parameters },
});

export function makeTelegramFace({
  accounts,
  now,
  doorUrl,
}: {
  accounts: ChatAccounts;
  now: () => number;
  doorUrl: () => string;
}): TelegramFace {
  let updates = 870_000_000;
  let messages = 0;

  function update(content: object): Update {
    updates += 1;
    return {
      url: doorUrl(),
      headers: { "x-telegram-bot-api-secret-token": accounts.telegramSecret },
      body: JSON.stringify({ update_id: updates, ...content }),
    };
  }

  const base = (from: string) => ({
    message_id: (messages += 1),
    from: { id: Number(from), is_bot: false, first_name: "Jane", language_code: "sw" },
    chat: { id: Number(from), type: "private" },
    date: Math.floor(now() / 1_000),
  });

  return {
    take({ path, body }, fault) {
      if (!path.startsWith(`/bot${accounts.telegramToken}/`)) return refused(401, "Unauthorized");
      if (!path.endsWith("/sendMessage")) return refused(404, "Not Found");
      if (fault === "blocked") return refused(403, "Forbidden: bot was blocked by the user");
      if (fault === "too_many_requests")
        return refused(429, "Too Many Requests: retry after 34", { parameters: { retry_after: 34 } });
      const { chat_id: to = "", text = "", reply_markup: markup = {} } = body as Sent;
      const trouble = troubleOf(body as Sent);
      if (trouble !== undefined) return refused(400, `Bad Request: ${trouble}`);
      messages += 1;
      const inline = (markup.inline_keyboard ?? []).flat();
      const buttons: readonly ShownButton[] = inline.map((key) => ({ id: key.callback_data, label: key.text }));
      const keys = (markup.keyboard ?? []).flat();
      return {
        status: 200,
        body: { ok: true, result: { message_id: messages, chat: { id: Number(to), type: "private" }, text } },
        shown: {
          channel: "telegram",
          id: String(messages),
          to,
          text,
          buttons: [...buttons, ...keys.map((key) => ({ id: "", label: key.text }))],
          asksContact: keys.some((key) => key.request_contact === true),
        },
      };
    },
    writes: (from, text) => update({ message: { ...base(from), text } }),
    taps: (from, data) =>
      update({
        callback_query: {
          id: `q${String(updates)}`,
          from: base(from).from,
          message: base(from),
          chat_instance: "-1",
          data,
        },
      }),
    shares: (from, phone, owner = Number(from)) =>
      update({ message: { ...base(from), contact: { phone_number: phone, first_name: "Jane", user_id: owner } } }),
    speaks: (from) => update({ message: { ...base(from), voice: { file_id: "1", duration: 3 } } }),
    update,
  };
}

/** What Telegram would refuse in a message; undefined where it would take it. */
function troubleOf({ chat_id: to, text = "", reply_markup: markup = {} }: Sent): string | undefined {
  if (to === undefined || !/^-?\d{1,15}$/.test(to)) return "chat not found";
  if (text === "") return "message text is empty";
  if (text.length > 4_096) return "message is too long";
  const keys = (markup.inline_keyboard ?? []).flat();
  return keys.some((key) => Buffer.byteLength(key.callback_data) > 64 || key.text === "")
    ? "BUTTON_DATA_INVALID"
    : undefined;
}
