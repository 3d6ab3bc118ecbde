import { createHash, timingSafeEqual } from "node:crypto";
import express, { Router, type ErrorRequestHandler } from "express";
import { parseDeliveryReport } from "./delivery.ts";
import type { Messaging } from "./messaging.ts";

/** A report has about 200 bytes. */
const BODY_BYTES_MAX = 8_192;
/** A URL with a shorter secret could be guessed. */
const SECRET_LENGTH_MIN = 16;

export type ReportDoorOutcome =
  Awaited<ReturnType<Messaging["receiveReport"]>> | "wrong_secret" | "malformed" | "too_large" | "database_away";

/**
 * The door for Africa's Talking's delivery reports: `POST /messaging/africastalking/<secret>/report`. They carry no
 * signature, so the secret in the path is what tells them from a stranger's. Answers 200 after the commit, for duplicates
 * and unknown messages too; 404 for a wrong secret, 400 for what is no report, 413 for a huge body, 503 when it could
 * not be kept and should come again. Throws where the secret is too short. Each answer is told to `onOutcome`, for a metric.
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
  if (secret.length < SECRET_LENGTH_MIN) {
    throw new Error(`The secret of the SMS reports needs at least ${String(SECRET_LENGTH_MIN)} characters.`);
  }
  const path = "/messaging/africastalking/:secret/report";
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
    express.urlencoded({ extended: false, limit: BODY_BYTES_MAX, parameterLimit: 20, type: () => true }),
    async (request, response) => {
      const report = parseDeliveryReport(request.body);
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
  );

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
