import type { Router } from "express";
import type { Clock } from "../../kernel/time.ts";
import { makeFormDoor, type FormDoorRefusal } from "../../platform/form-door.http.ts";
import type { Chats } from "../chats.commands.ts";
import { hearSms } from "./hear-sms.ts";
import type { ReadPhone } from "./heard.ts";

export type SmsDoorOutcome = "taken" | "ignored" | "fault" | FormDoorRefusal;

/**
 * The door for SMS that customers write: `POST /messaging/africastalking/<secret>/inbound`. Answers 200 after the commit, to
 * what comes again too, and 503 when it could not be kept and should come again; otherwise as `makeFormDoor`.
 */
export function makeSmsRouter({
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
  onOutcome?: (outcome: SmsDoorOutcome) => void;
  onFault?: (error: unknown) => void;
}): Router {
  return makeFormDoor({
    path: "/messaging/africastalking/:secret/inbound",
    secret,
    name: "the SMS door",
    onRefused: onOutcome,
    async handle(fields, response) {
      const message = hearSms(fields, { readPhone, now: clock.now() });
      const answer = (outcome: SmsDoorOutcome, status: number, text: string): void => {
        onOutcome(outcome);
        response.status(status).type("text/plain").send(text);
      };
      if (message === "no_message") return answer("malformed", 400, "An SMS has the form fields id, from and text.");
      if (message === "no_number") return answer("ignored", 200, "OK");
      try {
        await chats.take([message]);
        return answer("taken", 200, "OK");
      } catch (error) {
        onFault(error);
        return answer("fault", 503, "Try again later.");
      }
    },
  });
}
