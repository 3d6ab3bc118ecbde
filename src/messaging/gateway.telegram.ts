import { z } from "zod";
import type { OutboundHttp } from "../platform/outbound.ts";
import { parseAnswer, sendJson } from "./gateway-http.ts";
import type { Button, Gateway, GatewayOutcome, Outgoing } from "./gateway.ts";

/** What Telegram takes in one message. */
const TEXT_MAX = 4_096;

const TAKEN = z.object({
  ok: z.literal(true),
  result: z.object({ message_id: z.int(), chat: z.object({ id: z.int() }) }),
});
const REFUSED = z.object({ ok: z.literal(false), error_code: z.int(), description: z.string().default("") });

/** The chat is gone, the bot was blocked, or the message itself is wrong: the same again ends the same. */
const PERMANENT_CODES = new Set([400, 403]);

/**
 * Telegram's Bot API: `sendMessage`, with a keyboard under the text, or with the button that shares the person's own number.
 * Whoever blocked us is not asked again; a limit (429) is. `http` brings address and time limits.
 */
export function makeTelegramGateway({ http, token }: { http: OutboundHttp; token: string }): Gateway {
  return {
    async send(message) {
      const body = {
        chat_id: message.to,
        text: message.text.slice(0, TEXT_MAX).toWellFormed(),
        link_preview_options: { is_disabled: true },
        ...keyboardOf(message),
      };
      return await sendJson(http, { url: `/bot${token}/sendMessage`, body }, readAnswer);
    },
  };
}

function readAnswer(status: number, text: string): GatewayOutcome {
  const answer = parseAnswer(text);
  const taken = TAKEN.safeParse(answer);
  if (taken.success) {
    const { message_id: id, chat } = taken.data.result;
    // Messages are numbered in each chat anew.
    return { accepted: true, providerId: `telegram:${String(chat.id)}:${String(id)}` };
  }
  const refused = REFUSED.safeParse(answer);
  if (!refused.success) return { accepted: false, reason: `HTTP ${String(status)}`, permanent: false };
  const { error_code: code, description } = refused.data;
  return { accepted: false, reason: `${String(code)} ${description}`.trim(), permanent: PERMANENT_CODES.has(code) };
}

function keyboardOf({ buttons = [], asksContact = false }: Outgoing): Readonly<Record<string, unknown>> {
  if (buttons.length === 0) return {};
  if (asksContact) {
    const keyboard = [buttons.slice(0, 1).map(({ label }) => ({ text: label, request_contact: true }))];
    return { reply_markup: { keyboard, resize_keyboard: true, one_time_keyboard: true } };
  }
  return { reply_markup: { inline_keyboard: buttons.map((button) => [keyOf(button)]) } };
}

function keyOf({ id, label }: Button): { readonly text: string; readonly callback_data: string } {
  return { text: label, callback_data: id };
}
