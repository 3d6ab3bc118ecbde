import { z } from "zod";
import { keptText, type HeardMessage, type ReadPhone } from "./heard.ts";

/** What one update of Telegram's told us. */
export interface TelegramNews {
  /** Undefined: a group, a channel, an edit, or whatever else is no message of a customer to us. */
  readonly message: HeardMessage | undefined;
  /** A tapped button shows that it waits until this is answered. */
  readonly callbackId: string | undefined;
}

const FROM = z.object({ id: z.int(), is_bot: z.boolean().default(false), language_code: z.string().optional() });
const CHAT = z.object({ id: z.int(), type: z.string() });
const UPDATE = z.object({
  update_id: z.int(),
  message: z
    .object({
      from: FROM,
      chat: CHAT,
      date: z.int(),
      text: z.string().optional(),
      contact: z.object({ phone_number: z.string(), user_id: z.int().optional() }).optional(),
    })
    .optional(),
  callback_query: z
    .object({
      id: z.string().max(64),
      from: FROM,
      message: z.object({ chat: CHAT }).optional(),
      data: z.string().optional(),
    })
    .optional(),
});

/** Reads an update, whose secret was compared before. Undefined where it is no update at all. `now` stands in where it has no time. */
export function hearTelegram(
  update: unknown,
  { readPhone, now }: { readPhone: ReadPhone; now: Date },
): TelegramNews | undefined {
  const parsed = UPDATE.safeParse(update);
  if (!parsed.success) {
    const isUpdate = z.object({ update_id: z.int() }).safeParse(update).success;
    return isUpdate ? { message: undefined, callbackId: undefined } : undefined;
  }
  const { update_id: updateId, message, callback_query: query } = parsed.data;
  const from = message?.from ?? query?.from;
  const chat = message?.chat ?? query?.message?.chat;
  const callbackId = query?.id;
  // In a group others read along: nobody's days or debts are told there.
  if (from === undefined || chat === undefined || chat.type !== "private" || from.is_bot)
    return { message: undefined, callbackId };
  const base = {
    channel: "telegram" as const,
    messageId: String(updateId),
    chat: String(chat.id),
    phone: undefined,
    language: from.language_code?.slice(0, 16),
    at: message === undefined ? now : new Date(message.date * 1_000),
  };
  if (query !== undefined)
    return { callbackId, message: { ...base, kind: "choice", text: keptText(query.data ?? "") } };
  if (message?.contact !== undefined) {
    const { phone_number: number, user_id: owner } = message.contact;
    // A forwarded card has somebody else's user id, or none: its number is not even kept.
    const phone = owner === from.id ? readPhone(`+${number.replace(/\D/g, "")}`) : undefined;
    return { callbackId, message: { ...base, kind: "contact", text: "", phone } };
  }
  const text = message?.text;
  return {
    callbackId,
    message: { ...base, kind: text === undefined ? "other" : "text", text: keptText(text ?? "") },
  };
}
