import express, { Router, type ErrorRequestHandler, type Response } from "express";
import { isSameSecret } from "./same-secret.ts";

/** A URL with a shorter secret could be guessed. */
const SECRET_LENGTH_MIN = 16;
/** Forms of gateways have a few hundred bytes. */
const BODY_BYTES_MAX = 8_192;
const FIELDS_MAX = 30;

export type FormDoorRefusal = "wrong_secret" | "malformed" | "too_large";

/**
 * A door for forms that carry no signature: `path` holds `:secret`, and that part of the address is what tells its caller from a
 * stranger. `handle` is given the fields, of whatever kind, and answers. 404 for a wrong secret, 400 for what is no form, 413 for a
 * huge body; each of them is told to `onRefused`, for a metric. Throws where the secret is too short; `name` says whose it is.
 */
export function makeFormDoor({
  path,
  secret,
  name,
  onRefused,
  handle,
}: {
  path: string;
  secret: string;
  name: string;
  onRefused: (refusal: FormDoorRefusal) => void;
  handle: (fields: unknown, response: Response) => Promise<void>;
}): Router {
  if (secret.length < SECRET_LENGTH_MIN)
    throw new Error(`The secret of ${name} needs at least ${String(SECRET_LENGTH_MIN)} characters.`);
  const router = Router();
  router.post(
    path,
    (request, response, next) => {
      if (isSameSecret(String(request.params["secret"]), secret)) {
        next();
        return;
      }
      onRefused("wrong_secret");
      response.status(404).type("text/plain").send("Not found.");
    },
    express.urlencoded({ extended: false, limit: BODY_BYTES_MAX, parameterLimit: FIELDS_MAX, type: () => true }),
    async (request, response) => handle(request.body, response),
  );
  const refuseUnreadable: ErrorRequestHandler = (error: unknown, _request, response, next) => {
    const status: unknown = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
    if (status !== 413 && status !== 400 && status !== 415) {
      next(error);
      return;
    }
    onRefused(status === 413 ? "too_large" : "malformed");
    response
      .status(status)
      .type("text/plain")
      .send(status === 413 ? "The body is too large." : "This is no form.");
  };
  router.use(path, refuseUnreadable);
  return router;
}
