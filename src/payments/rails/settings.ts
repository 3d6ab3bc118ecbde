import { z } from "zod";
import { InvalidSettings } from "./rail.ts";

/** Settings as the schema has them; throws `InvalidSettings` with one line for each that is wrong or missing. */
export function parseBy<Settings>(schema: z.ZodType<Settings>, given: unknown): Settings {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  throw new InvalidSettings(
    read.error.issues.map(({ path, message }) => `${path.length === 0 ? "settings" : path.join(".")}: ${message}`),
  );
}

export const webAddress = z.url({ protocol: /^https?$/, error: "expected a http or https URL" });

/** Paths are written behind it, so it ends without a slash. */
export const baseUrl = webAddress.transform((url) => url.replace(/\/+$/, ""));

/** Shorter ones are a mistake of whoever filled in the form; a secret that is an HMAC's key wants eight and more. */
export const secret = (lengthMin = 4): z.ZodString =>
  z.string().min(lengthMin, `expected at least ${lengthMin} characters`).max(4_000);

/** What our wallet is called in the books. */
export const bookName = z.string().regex(/^[A-Za-z0-9_-]{1,40}$/, "expected letters, digits, dashes and underscores");
