import { Router } from "express";
import { z } from "zod";
import type { E164 } from "../../customers/customers.ts";
import { makeFormDoor, type FormDoorRefusal } from "../../platform/form-door.http.ts";
import type { SessionEnds } from "../sessions/ends.commands.ts";
import type { Talk, UssdAnswer } from "../talk.commands.ts";
import { isTypable, typable } from "./typable.ts";

const TEXT_CHARACTERS_MAX = 1_000;

/** In every language, since nobody's is known when the house has a fault. */
const APOLOGY = "Please try again in a moment. / Tafadhali jaribu tena. / Veuillez reessayer.";

const HOP = z.object({
  sessionId: z.string().min(1).max(128).refine(isTypable),
  phoneNumber: z.string().min(4).max(32),
  text: z.string().max(TEXT_CHARACTERS_MAX).default("").transform(typable),
});

/** How a session ended. What was typed and what was last shown are sent too, a PIN or a token may be in them, and they are not read. */
const END = z.object({
  sessionId: z.string().min(1).max(128).refine(isTypable),
  phoneNumber: z.string().min(4).max(32),
  status: z
    .string()
    .toLowerCase()
    .pipe(z.enum(["success", "incomplete", "failed"])),
  durationInMillis: z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .optional()
    .catch(undefined),
});

export type UssdDoorOutcome = "answered" | "ended" | "fault" | FormDoorRefusal;

/** What a door tells of its hops, for metrics. */
export interface UssdObserver {
  onOutcome?(outcome: UssdDoorOutcome): void;
  onFault?(error: unknown): void;
  /** Time from the parsed hop to its answer, the commit included. */
  onHop?(answer: UssdAnswer, seconds: number): void;
  /** A conversation that the gateway ended before we did. */
  onCut?(outcome: "abandoned" | "failed"): void;
}

/**
 * The USSD door for Africa's Talking: `POST /ussd/africastalking/<secret>`. Answers text/plain that begins with "CON " or "END "
 * and always 200 to a gateway that knows the secret and sends a hop: any other status ends the call with the network's own words.
 * How sessions ended is told to `…/end`, any number of times. Otherwise as `makeFormDoor`.
 */
export function makeUssdRouter({
  secret,
  talk,
  ends,
  readPhone,
  stopwatch = () => performance.now(),
  ...observer
}: {
  secret: string;
  talk: Pick<Talk, "answerUssd">;
  ends: SessionEnds;
  /** Undefined for what is no phone number. */
  readPhone: (text: string) => E164 | undefined;
  stopwatch?: () => number;
} & UssdObserver): Router {
  const onOutcome = (outcome: UssdDoorOutcome): void => observer.onOutcome?.(outcome);
  const router = Router();
  const door = { secret, onRefused: onOutcome };

  const end = makeFormDoor({
    ...door,
    path: "/ussd/africastalking/:secret/end",
    name: "the door of USSD's ends",
    async handle(fields, response) {
      const told = END.safeParse(fields);
      const phone = told.success ? readPhone(told.data.phoneNumber) : undefined;
      if (!told.success || phone === undefined) {
        onOutcome("malformed");
        response.status(400).type("text/plain").send("An end has the form fields sessionId, phoneNumber and status.");
        return;
      }
      const { sessionId, status, durationInMillis } = told.data;
      const cut = await ends.note({ sessionId, phone, status, durationMs: durationInMillis });
      if (cut !== undefined) observer.onCut?.(cut);
      response.status(200).type("text/plain").send("Noted.");
    },
  });

  const hops = makeFormDoor({
    ...door,
    path: "/ussd/africastalking/:secret",
    name: "the USSD door",
    async handle(fields, response) {
      const began = stopwatch();
      const hop = HOP.safeParse(fields);
      const phone = hop.success ? readPhone(hop.data.phoneNumber) : undefined;
      if (!hop.success || phone === undefined) {
        onOutcome("malformed");
        response.status(400).type("text/plain").send("A hop has the form fields sessionId, phoneNumber and text.");
        return;
      }
      try {
        const answer = await talk.answerUssd({ sessionId: hop.data.sessionId, phone, text: hop.data.text });
        const { text, isEnd } = answer;
        onOutcome(isEnd ? "ended" : "answered");
        observer.onHop?.(answer, (stopwatch() - began) / 1_000);
        response
          .status(200)
          .type("text/plain")
          .send(`${isEnd ? "END" : "CON"} ${text}`);
      } catch (error) {
        observer.onFault?.(error);
        onOutcome("fault");
        response.status(200).type("text/plain").send(`END ${APOLOGY}`);
      }
    },
  });

  return router.use(end, hops);
}
