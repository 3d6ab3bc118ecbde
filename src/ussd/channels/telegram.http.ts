import type { Router } from "express";
import type { Clock } from "../../kernel/time.ts";
import { isSameSecret } from "../../platform/same-secret.ts";
import type { Chats } from "../chats.commands.ts";
import type { ReadPhone } from "./heard.ts";
import { hearTelegram } from "./hear-telegram.ts";
import { makeJsonDoor } from "./json-door.http.ts";
import type { ChatDoorOutcome } from "./whatsapp.http.ts";

/**
 * Telegram's door: `POST /messaging/telegram`, with the secret that was given to setWebhook in its header. Answers 200 after the
 * commit, to an update that comes again too. A tapped button is answered in the same breath, as Telegram allows: the answer to
 * an update may name a method. Otherwise as `makeJsonDoor`.
 */
export function makeTelegramRouter({
  secret,
  chats,
  clock,
  readPhone,
  onOutcome = () => undefined,
  onFault = () => undefined,
}: {
  secret: string;
  chats: Pick<Chats, "take">;
  clock: Clock;
  readPhone: ReadPhone;
  onOutcome?: (outcome: ChatDoorOutcome) => void;
  onFault?: (error: unknown) => void;
}): Router {
  return makeJsonDoor({
    path: "/messaging/telegram",
    isGenuine: (request) => isSameSecret(request.get("x-telegram-bot-api-secret-token") ?? "", secret),
    onRefused: onOutcome,
    onFault,
    async handle(update, response) {
      const news = hearTelegram(update, { readPhone, now: clock.now() });
      if (news?.message !== undefined) await chats.take([news.message]);
      onOutcome(news?.message === undefined ? "ignored" : "taken");
      response
        .status(200)
        .json(
          news?.callbackId === undefined ? {} : { method: "answerCallbackQuery", callback_query_id: news.callbackId },
        );
    },
  });
}
