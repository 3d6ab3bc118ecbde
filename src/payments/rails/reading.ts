import { z } from "zod";
import type { Parsed, QuarantineReason, Report } from "./rail.ts";

/** Longer texts are nobody's name, account or reason; columns and screens are made for so much. */
export const TEXT_MAX = 200;

/** A JSON object as it came: nothing is known of its members. */
export type Body = Readonly<Record<string, unknown>>;

/** Why something that a provider said cannot be used. Thrown inside adapters alone; `readReports` turns it into an answer. */
export class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  constructor(reason: QuarantineReason, detail: string, field?: string) {
    super(detail);
    this.name = "Unusable";
    this.reason = reason;
    this.field = field;
  }
}

/** Notes the provider's transaction reference as soon as it is legible, so that a refusal can name it. */
export type Noted = { providerId: string | undefined };

/** Reads with `read`; what cannot be read exactly comes back with its reason. */
export function readReports(read: (noted: Noted) => readonly Report[]): Parsed {
  const noted: Noted = { providerId: undefined };
  try {
    return { ok: true, reports: read(noted) };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId: noted.providerId };
  }
}

/** As `readReports`, for bodies that always tell of one transaction. */
export const readReport = (read: (noted: Noted) => Report): Parsed => readReports((noted) => [read(noted)]);

/** The JSON in a body. `Unusable` when there is none; `revive` sees every value, as in `JSON.parse`. */
export function readJson(
  raw: Uint8Array,
  revive?: (name: string, value: unknown, context?: { readonly source?: string }) => unknown,
): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw), revive) as unknown;
  } catch {
    // The parser's own message quotes the body: payers' numbers, and characters that the database cannot keep.
    throw new Unusable("malformed", "The body is not JSON in UTF-8.");
  }
}

/** The JSON in an answer; undefined where there is none, as in a gateway's HTML page. */
export function findJson(raw: Uint8Array): unknown {
  try {
    return readJson(raw);
  } catch {
    return undefined;
  }
}

export const readObject = (raw: Uint8Array): Body => requireObject(readJson(raw), "The body");

export function requireObject(value: unknown, what: string): Body {
  if (!isObject(value)) throw new Unusable("malformed", `${what} is not a JSON object.`);
  return value;
}

export const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The object itself, or one without members: for answers of which anything may be missing. */
export const objectOrEmpty = (value: unknown): Body => (isObject(value) ? value : {});

/** PostgreSQL keeps no NUL in text, and a control character in an account number is nobody's keypad. */
export const isPlainText = (text: string, lengthMax = TEXT_MAX): boolean =>
  text.length <= lengthMax && text.isWellFormed() && !/\p{Cc}/u.test(text);

/** Text or a plain number: providers' documentation shows both for most fields. */
export function readText(body: Body, field: string, lengthMax = TEXT_MAX): string {
  const value = body[field];
  if (typeof value !== "string" && typeof value !== "number")
    throw new Unusable(
      "wrong_type",
      `${field} is ${value === undefined ? "missing" : "neither text nor a number"}.`,
      field,
    );
  const text = String(value);
  if (isPlainText(text, lengthMax)) return text;
  throw new Unusable(
    "wrong_type",
    `${field} is longer than ${lengthMax} characters or has characters that are no text.`,
    field,
  );
}

/** As `readText`, where absent, null and empty are all "nothing". */
export function findText(body: Body, field: string, lengthMax = TEXT_MAX): string | undefined {
  const value = body[field];
  return value === undefined || value === null || value === "" ? undefined : readText(body, field, lengthMax);
}

/** Text somewhere inside, where it is fit to be kept; else nothing. For what is good to have, not for what decides. */
export function textAt(value: unknown, path: readonly string[], lengthMax = TEXT_MAX): string | undefined {
  const found = path.reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);
  const text = typeof found === "number" ? String(found) : found;
  return typeof text === "string" && text !== "" && isPlainText(text, lengthMax) ? text : undefined;
}

/** A provider's words for people, as they may be kept and shown; what is no text is left away. */
export const wordsOf = (...words: readonly unknown[]): string | undefined =>
  words
    .filter((word) => typeof word === "string")
    .map(printable)
    .filter((word) => word !== "")
    .join(": ") || undefined;

/** A provider's words without what cannot be kept. */
export const printable = (text: string): string =>
  text
    .replace(/\p{Cc}/gu, " ")
    .trim()
    .slice(0, TEXT_MAX)
    .toWellFormed();

/** Our own name of a request, in any version and letters. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

/** For schemas: text that can be kept. */
export const plainText = (lengthMax = TEXT_MAX): z.ZodType<string> =>
  z
    .string()
    .min(1)
    .refine((text) => isPlainText(text, lengthMax), "is too long or has characters that are no text");

/** Reads by a schema; the first wrong field is the one that is told. */
export function readAs<Read>(schema: z.ZodType<Read>, value: unknown): Read {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const field = read.error.issues[0]?.path.join(".") ?? "";
  if (field === "") throw new Unusable("malformed", "This is no object that the provider documents.");
  throw new Unusable("wrong_type", `${field} is missing or of another type.`, field);
}
