import type { Router } from "express";
import { z } from "zod";
import type { E164 } from "../../customers/customers.ts";
import { InvalidInput } from "../../kernel/refusal.ts";
import { makeFormDoor, type FormDoorRefusal } from "../../platform/form-door.http.ts";
import type { Talk } from "../talk.commands.ts";
import { isTypable, typable } from "./typable.ts";

const TEXT_CHARACTERS_MAX = 1_000;

/** In every language, since nobody's is known when the house has a fault. */
const APOLOGY = "Please try again in a moment. / Tafadhali jaribu tena. / Veuillez reessayer.";

const HOP = z.object({
  sessionId: z.string().min(1).max(128).refine(isTypable),
  phoneNumber: z.string().min(4).max(32),
  text: z.string().max(TEXT_CHARACTERS_MAX).default("").transform(typable),
});

export type UssdDoorOutcome = "answered" | "ended" | "fault" | FormDoorRefusal;

/**
 * The USSD door for Africa's Talking: `POST /ussd/africastalking/<secret>`. Answers text/plain that begins with "CON " or "END "
 * and always 200 to a gateway that knows the secret and sends a hop: any other status ends the call with the network's own words.
 * Otherwise as `makeFormDoor`.
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
  return makeFormDoor({
    path: "/ussd/africastalking/:secret",
    secret,
    name: "the USSD door",
    onRefused: onOutcome,
    async handle(fields, response) {
      const hop = HOP.safeParse(fields);
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
  });

  function phoneOf(text: string): E164 | undefined {
    try {
      return parsePhone(text);
    } catch (error) {
      if (error instanceof InvalidInput) return undefined;
      throw error;
    }
  }
}
