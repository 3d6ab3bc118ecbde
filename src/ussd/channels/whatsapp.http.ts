import { createHmac } from "node:crypto";
import type { Router } from "express";
import type { Messaging } from "../../messaging/messaging.ts";
import { isSameSecret } from "../../platform/same-secret.ts";
import type { Chats } from "../chats.commands.ts";
import type { ReadPhone } from "./heard.ts";
import { hearWhatsapp } from "./hear-whatsapp.ts";
import { makeJsonDoor, type JsonDoorRefusal } from "./json-door.http.ts";

const PATH = "/messaging/whatsapp";

export type ChatDoorOutcome = "taken" | "ignored" | JsonDoorRefusal;

/** Our part of the handshake goes back as it came, so it may be no more than the digits that Meta sends. */
const CHALLENGE = /^[\w-]{1,128}$/;

/**
 * WhatsApp's door: `GET` is the handshake by which Meta learns that the address is ours, `POST` brings messages and the news of
 * those that we sent, signed with the application's secret over the raw bytes. Answers 200 after the commit, to what comes
 * again too; otherwise as `makeJsonDoor`.
 */
export function makeWhatsappRouter({
  phoneId,
  appSecret,
  verifyToken,
  chats,
  messaging,
  readPhone,
  onOutcome = () => undefined,
  onFault = () => undefined,
}: {
  /** Of the number that we write from: an application may have others. */
  phoneId: string;
  appSecret: string;
  verifyToken: string;
  chats: Pick<Chats, "take">;
  messaging: Pick<Messaging, "receiveReport">;
  readPhone: ReadPhone;
  onOutcome?: (outcome: ChatDoorOutcome) => void;
  onFault?: (error: unknown) => void;
}): Router {
  const router = makeJsonDoor({
    path: PATH,
    isGenuine: (request, raw) => isSameSecret(request.get("x-hub-signature-256") ?? "", signWhatsapp(appSecret, raw)),
    onRefused: onOutcome,
    onFault,
    async handle(update, response) {
      const news = hearWhatsapp(update, { phoneId, readPhone });
      await chats.take(news?.messages ?? []);
      for (const report of news?.reports ?? []) await messaging.receiveReport(report);
      const isTaken = news !== undefined && news.messages.length + news.reports.length > 0;
      onOutcome(isTaken ? "taken" : "ignored");
      response.status(200).type("text/plain").send("OK");
    },
  });
  router.get(PATH, (request, response) => {
    const { "hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge } = request.query;
    const isMeta = mode === "subscribe" && typeof token === "string" && isSameSecret(token, verifyToken);
    if (isMeta && typeof challenge === "string" && CHALLENGE.test(challenge)) {
      response.status(200).type("text/plain").send(challenge);
      return;
    }
    onOutcome("forged");
    response.status(403).type("text/plain").send("Forbidden.");
  });
  return router;
}

/** As Meta writes it into X-Hub-Signature-256. */
export function signWhatsapp(appSecret: string, raw: Uint8Array): string {
  return `sha256=${createHmac("sha256", appSecret).update(raw).digest("hex")}`;
}
