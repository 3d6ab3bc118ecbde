import { z } from "zod";
import { InvalidInput } from "../kernel/refusal.ts";
import { LANGUAGES } from "../kernel/language.ts";

const NAMES_MAX = 100;
const names = z.array(z.string().min(1).max(200)).min(1).max(NAMES_MAX);
const days = z.int().min(-3_650).max(3_650);

/** Whom a campaign is for. What is left out does not matter; all that is given must hold. */
const segmentShape = z.strictObject({
  /** Of the customer. */
  areas: names.optional(),
  languages: z.array(z.enum(LANGUAGES)).min(1).optional(),
  planCodes: names.optional(),
  /** Of the contract. */
  states: z
    .array(z.enum(["active", "paid_off", "written_off"]))
    .min(1)
    .optional(),
  /** Days of light that are left to a contract, both included; below zero for days without. */
  daysLeft: z.strictObject({ from: days.optional(), to: days.optional() }).optional(),
});

export type Segment = z.infer<typeof segmentShape>;

/** Reads a segment from a file or a request. Throws `InvalidInput` that names what is wrong. */
export function parseSegment(given: unknown): Segment {
  const parsed = segmentShape.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InvalidInput(
    `A segment cannot be read: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
    "segment",
  );
}
