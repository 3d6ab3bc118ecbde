import { pino, type Logger } from "pino";

export type Log = Logger;

/** Fields that may hold personal data or secrets are cut out wherever they appear; nothing here is a reason to log them. */
const REDACTED = [
  "phone",
  "toPhone",
  "name",
  "token",
  "digits",
  "key",
  "password",
  "authorization",
  "raw",
  "text",
  "email",
];

/**
 * Structured lines for operators on standard output. Errors are written by name, message and cause; statement parameters, in which
 * a payer's name may stand, are left out.
 */
export function makeLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: REDACTED.flatMap((field) => [field, `*.${field}`]), censor: "[kept out of the log]" },
    serializers: { error: serializeError, err: serializeError },
  });
}

function serializeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  // Drizzle quotes the statement and its parameters in the message; the cause says what was wrong.
  const message =
    error.cause instanceof Error && error.message.startsWith("Failed query") ? "A statement failed." : error.message;
  return {
    name: error.name,
    message,
    ...("code" in error && typeof error.code === "string" ? { code: error.code } : {}),
    stack: error.stack
      ?.split("\n")
      .filter((line) => line.trimStart().startsWith("at "))
      .slice(0, 8)
      .join("\n"),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}
