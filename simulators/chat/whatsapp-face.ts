import { randomUUID } from "node:crypto";
import type { ChatAccounts, ChatFault, FaceAnswer, ShownButton, Update } from "./chat-simulator.ts";

/** WhatsApp as the program meets it. Numbers are without plus, as `wa_id` is. */
export interface WhatsappFace {
  take(request: FaceRequest, fault: ChatFault | undefined): FaceAnswer;
  writes(from: string, text: string): Update;
  /** A button of ours, or a row of a list, by its id. */
  taps(from: string, id: string, reply?: Reply): Update;
  speaks(from: string): Update;
  /** News of messages that the program sent to `recipient`, in the given order. */
  reports(
    recipient: string,
    statuses: readonly { readonly id: string; readonly status: string; readonly code?: number }[],
  ): Update;
  /** Any messages, of any number of the application. */
  update(value: object, phoneId?: string): Update;
}

/** What was pressed, as the provider tells it. */
export interface Reply {
  readonly kind: "button_reply" | "list_reply";
  readonly title: string;
}

export interface FaceRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

interface Sent {
  readonly to?: string;
  readonly type?: string;
  readonly text?: { readonly body: string };
  readonly template?: { readonly name: string };
  readonly interactive?: {
    readonly type: string;
    readonly body: { readonly text: string };
    readonly action: {
      readonly button?: string;
      readonly buttons?: readonly { readonly reply: { readonly id: string; readonly title: string } }[];
      readonly sections?: readonly {
        readonly rows: readonly { readonly id: string; readonly title: string; readonly description?: string }[];
      }[];
    };
  };
}

const refused = (code: number, message: string, status = 400): FaceAnswer => ({
  status,
  body: { error: { message: `(#${String(code)}) ${message}`, type: "OAuthException", code } },
});

export function makeWhatsappFace({
  accounts,
  now,
  doorUrl,
  sign,
}: {
  accounts: ChatAccounts;
  now: () => number;
  doorUrl: () => string;
  sign: (body: string) => string;
}): WhatsappFace {
  // The program knows the numbers of earlier starts, and takes a message that comes again for one that it has.
  const run = randomUUID();
  let sent = 0;
  let heard = 0;

  function update(value: object, phoneId: string = accounts.phoneId): Update {
    const metadata = { display_phone_number: "254700000000", phone_number_id: phoneId };
    const change = { field: "messages", value: { messaging_product: "whatsapp", metadata, ...value } };
    const entry = [{ id: "102290129340398", changes: [change] }];
    const body = JSON.stringify({ object: "whatsapp_business_account", entry });
    return { url: doorUrl(), headers: { "x-hub-signature-256": sign(body) }, body };
  }

  function message(from: string, content: object): Update {
    heard += 1;
    const id = `wamid.IN-${run}-${String(heard)}`;
    const timestamp = String(Math.floor(now() / 1_000));
    return update({
      contacts: [{ profile: { name: "Jane" }, wa_id: from }],
      messages: [{ from, id, timestamp, ...content }],
    });
  }

  return {
    take({ path, authorization, body }, fault) {
      if (authorization !== `Bearer ${accounts.whatsappToken}`) return refused(190, "Invalid OAuth access token", 401);
      if (!path.endsWith(`/${accounts.phoneId}/messages`)) return refused(100, "Unsupported post request");
      if (fault === "outside_window") return refused(131_047, "Re-engagement message");
      if (fault === "blocked") return refused(131_026, "Message undeliverable");
      if (fault === "too_many_requests") return refused(130_429, "Rate limit hit", 429);
      const message = body as Sent;
      const trouble = troubleOf(message);
      if (trouble !== undefined) return refused(100, trouble);
      sent += 1;
      const [id, to] = [`wamid.OUT-${run}-${String(sent)}`, message.to ?? ""];
      return {
        status: 200,
        body: { messaging_product: "whatsapp", contacts: [{ input: to, wa_id: to }], messages: [{ id }] },
        shown: {
          channel: "whatsapp",
          id,
          to,
          text: textOf(message),
          buttons: buttonsOf(message),
          ...listOf(message),
          asksContact: false,
        },
      };
    },
    writes: (from, text) => message(from, { type: "text", text: { body: text } }),
    taps: (from, id, { kind, title } = { kind: "button_reply", title: "…" }) =>
      message(from, { type: "interactive", interactive: { type: kind, [kind]: { id, title } } }),
    speaks: (from) =>
      message(from, { type: "audio", audio: { id: "1", mime_type: "audio/ogg; codecs=opus", voice: true } }),
    reports: (recipient, statuses) =>
      update({
        statuses: statuses.map(({ id, status, code }) => ({
          id,
          status,
          timestamp: String(Math.floor(now() / 1_000)),
          recipient_id: recipient,
          ...(code === undefined ? {} : { errors: [{ code, title: "Re-engagement message" }] }),
        })),
      }),
    update,
  };
}

/** What WhatsApp would refuse in a message; undefined where it would take it. */
function troubleOf({ to, type, text, template, interactive }: Sent): string | undefined {
  if (to === undefined || !/^\d{6,15}$/.test(to)) return "The parameter to is required.";
  if (type === "text")
    return text === undefined || text.body === "" || text.body.length > 4_096 ? "text.body" : undefined;
  if (type === "template") return template === undefined ? "template" : undefined;
  if (type !== "interactive" || interactive === undefined) return "type";
  const { body, action } = interactive;
  if (body.text === "" || body.text.length > 1_024) return "interactive.body.text";
  const ids = buttonsOf({ interactive }).map(({ id }) => id);
  if (new Set(ids).size < ids.length || ids.some((id) => id === "" || id.length > 200)) return "ids";
  if (interactive.type === "button") {
    const titles = (action.buttons ?? []).map(({ reply }) => reply.title);
    const isFine = titles.length >= 1 && titles.length <= 3 && titles.every(isWithin(20));
    return isFine && new Set(titles).size === titles.length ? undefined : "interactive.action.buttons";
  }
  const rows = (action.sections ?? []).flatMap((section) => section.rows);
  const areRowsFine = rows.every(({ title, description = "-" }) => isWithin(24)(title) && isWithin(72)(description));
  const isFine = rows.length >= 1 && rows.length <= 10 && areRowsFine && isWithin(20)(action.button ?? "");
  return isFine ? undefined : "interactive.action.sections";
}

const isWithin =
  (most: number) =>
  (text: string): boolean =>
    text.length >= 1 && text.length <= most;

function textOf({ text, interactive, template }: Sent): string {
  return text?.body ?? interactive?.body.text ?? `[${template?.name ?? ""}]`;
}

function buttonsOf({ interactive }: Pick<Sent, "interactive">): readonly ShownButton[] {
  const { buttons = [], sections = [] } = interactive?.action ?? {};
  return [
    ...buttons.map(({ reply }) => ({ id: reply.id, label: reply.title })),
    ...sections.flatMap(({ rows }) => rows.map(({ id, title, description }) => ({ id, label: description ?? title }))),
  ];
}

/** The name of the button that opens the list, where the choices are one. */
function listOf({ interactive }: Sent): { readonly list?: string } {
  return interactive?.type === "list" ? { list: interactive.action.button ?? "" } : {};
}
