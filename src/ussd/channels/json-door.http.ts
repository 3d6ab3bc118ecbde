import express, { Router, type ErrorRequestHandler, type Request, type Response } from "express";

/** Meta promises nothing smaller; its batches are seldom larger than some kilobytes. */
const BODY_BYTES_MAX = 3_145_728;

export type JsonDoorRefusal = "forged" | "malformed" | "too_large" | "fault";

/**
 * A door for JSON whose sender proves itself, by a signature over the raw bytes or by a secret: `isGenuine` decides before
 * anything is parsed. 403 for a forger, 400 for what is no JSON, 413 for a huge body, 503 when it could not be kept and should
 * come again; each of them is told to `onRefused`, for a metric. `handle` answers after its commit.
 */
export function makeJsonDoor({
  path,
  isGenuine,
  onRefused,
  onFault,
  handle,
}: {
  path: string;
  isGenuine: (request: Request, raw: Uint8Array) => boolean;
  onRefused: (refusal: JsonDoorRefusal) => void;
  onFault: (error: unknown) => void;
  handle: (update: unknown, response: Response) => Promise<void>;
}): Router {
  const refuse = (response: Response, refusal: JsonDoorRefusal, { status, text }: { status: number; text: string }) => {
    onRefused(refusal);
    response.status(status).type("text/plain").send(text);
  };
  const router = Router();
  const raw = express.raw({ limit: BODY_BYTES_MAX, type: () => true, inflate: false });
  router.post(path, raw, async (request, response) => {
    const body: unknown = request.body;
    const bytes = body instanceof Uint8Array ? body : new Uint8Array();
    if (!isGenuine(request, bytes)) {
      refuse(response, "forged", { status: 403, text: "Forbidden." });
      return;
    }
    const update = parseJson(bytes);
    if (update === undefined) {
      refuse(response, "malformed", { status: 400, text: "This is no JSON." });
      return;
    }
    try {
      await handle(update, response);
    } catch (error) {
      onFault(error);
      refuse(response, "fault", { status: 503, text: "Try again later." });
    }
  });
  const refuseUnreadable: ErrorRequestHandler = (error: unknown, _request, response: Response, next) => {
    const status: unknown = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
    if (status === 413) refuse(response, "too_large", { status, text: "The body is too large." });
    else if (status === 400 || status === 415) refuse(response, "malformed", { status, text: "This is no JSON." });
    else next(error);
  };
  router.use(path, refuseUnreadable);
  return router;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}
