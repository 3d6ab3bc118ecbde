import { createHash, timingSafeEqual } from "node:crypto";
import express, { Router, type ErrorRequestHandler } from "express";
import { z } from "zod";
import { InvalidInput } from "../../kernel/refusal.ts";
import type { E164 } from "../../customers/customers.ts";
import type { Talk } from "../talk.commands.ts";

/** A hop has about 300 bytes; one that joins many answers, a little more. */
const BODY_BYTES_MAX = 8_192;
const SECRET_LENGTH_MIN = 16;
const TEXT_CHARACTERS_MAX = 1_000;

/** In every language, since nobody's is known when the house has a fault. */
const APOLOGY = "Please try again in a moment. / Tafadhali jaribu tena. / Veuillez reessayer.";

const HOP = z.object({
  sessionId: z.string().min(1).max(128),
  phoneNumber: z.string().min(4).max(32),
  text: z.string().max(TEXT_CHARACTERS_MAX).default(""),
});

export type UssdDoorOutcome = "answered" | "ended" | "wrong_secret" | "malformed" | "too_large" | "fault";

/**
 * The USSD door for Africa's Talking: `POST /ussd/africastalking/<secret>`. It carries no signature, so the secret in the path is what tells
 * it from a stranger's. Answers text/plain that begins with "CON " or "END " and always 200 to a gateway that knows the secret: any other
 * status ends the call with the network's own words. 404 for a wrong secret.
 */
export function makeUssdRouter({
  secret,
  talk,
  parsePhone,
  onOutcome = () => undefined,
  onFault = () => undefined,
}: {
  secret: string;
  talk: Pick<Talk, "answerUssd">;
  parsePhone: (text: string) => E164;
  onOutcome?: (outcome: UssdDoorOutcome) => void;
  onFault?: (error: unknown) => void;
}): Router {
  if (secret.length < SECRET_LENGTH_MIN)
    throw new Error(`The secret of the USSD door needs at least ${String(SECRET_LENGTH_MIN)} characters.`);
  const path = "/ussd/africastalking/:secret";
  const router = Router();

  router.post(
    path,
    (request, response, next) => {
      if (isSame(request.params.secret, secret)) {
        next();
        return;
      }
      onOutcome("wrong_secret");
      response.status(404).type("text/plain").send("Not found.");
    },
    express.urlencoded({ extended: false, limit: BODY_BYTES_MAX, parameterLimit: 30, type: () => true }),
    async (request, response) => {
      const hop = HOP.safeParse(request.body);
      const phone = hop.success ? phoneOf(hop.data.phoneNumber) : undefined;
      if (!hop.success || phone === undefined) {
        onOutcome("malformed");
        response.status(400).type("text/plain").send("A hop has the form fields sessionId, phoneNumber and text.");
        return;
      }
      try {
        const { text, isEnd } = await talk.answerUssd({ sessionId: hop.data.sessionId, phone, text: hop.data.text });
        onOutcome(isEnd ? "ended" : "answered");
        response
          .status(200)
          .type("text/plain")
          .send(`${isEnd ? "END" : "CON"} ${text}`);
      } catch (error) {
        onFault(error);
        onOutcome("fault");
        response.status(200).type("text/plain").send(`END ${APOLOGY}`);
      }
    },
  );

  function phoneOf(text: string): E164 | undefined {
    try {
      return parsePhone(text);
    } catch (error) {
      if (error instanceof InvalidInput) return undefined;
      throw error;
    }
  }

  const refuseUnreadable: ErrorRequestHandler = (error: unknown, _request, response, next) => {
    const status: unknown = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
    if (status !== 413 && status !== 400 && status !== 415) {
      next(error);
      return;
    }
    onOutcome(status === 413 ? "too_large" : "malformed");
    response
      .status(status)
      .type("text/plain")
      .send(status === 413 ? "The body is too large." : "This is no form.");
  };
  router.use(path, refuseUnreadable);
  return router;
}

/** Compares without telling by its duration how much was right. */
function isSame(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
