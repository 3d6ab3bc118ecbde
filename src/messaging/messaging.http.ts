import type { Router } from "express";
import { makeFormDoor, type FormDoorRefusal } from "../platform/form-door.http.ts";
import { parseDeliveryReport } from "./delivery.ts";
import type { Messaging } from "./messaging.ts";

export type ReportDoorOutcome = Awaited<ReturnType<Messaging["receiveReport"]>> | FormDoorRefusal | "database_away";

/**
 * The door for Africa's Talking's delivery reports: `POST /messaging/africastalking/<secret>/report`. Answers 200 after the
 * commit, for duplicates and unknown messages too, and 503 when it could not be kept and should come again; otherwise as
 * `makeFormDoor`. Each answer is told to `onOutcome`, for a metric.
 */
export function makeDeliveryReportRouter({
  secret,
  messaging,
  onOutcome = () => undefined,
  onFault = () => undefined,
}: {
  secret: string;
  messaging: Pick<Messaging, "receiveReport">;
  onOutcome?: (outcome: ReportDoorOutcome) => void;
  onFault?: (error: unknown) => void;
}): Router {
  return makeFormDoor({
    path: "/messaging/africastalking/:secret/report",
    secret,
    name: "the SMS reports",
    onRefused: onOutcome,
    async handle(fields, response) {
      const report = parseDeliveryReport(fields);
      if (report === undefined) {
        onOutcome("malformed");
        response.status(400).type("text/plain").send("A delivery report has the form fields id and status.");
        return;
      }
      try {
        onOutcome(await messaging.receiveReport(report));
        response.status(200).type("text/plain").send("OK");
      } catch (error) {
        onFault(error);
        onOutcome("database_away");
        response.status(503).type("text/plain").send("Try again later.");
      }
    },
  });
}
