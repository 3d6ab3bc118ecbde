import { z } from "zod";
import { isKeepable, keptText, type HeardMessage, type ReadPhone } from "./heard.ts";

const SMS = z.object({
  id: z.string().refine(isKeepable),
  from: z.string().min(1).max(32),
  text: z.string().default(""),
});

/**
 * Reads an SMS that Africa's Talking brought: "no_message" where the form is none, "no_number" where its sender has a name
 * instead of a number and could not be answered. Its own date has no zone, so the time is ours.
 */
export function hearSms(
  fields: unknown,
  { readPhone, now }: { readPhone: ReadPhone; now: Date },
): HeardMessage | "no_message" | "no_number" {
  const parsed = SMS.safeParse(fields);
  if (!parsed.success) return "no_message";
  const { id, from, text } = parsed.data;
  const phone = readPhone(from);
  if (phone === undefined) return "no_number";
  return {
    channel: "sms",
    messageId: id,
    chat: phone,
    phone,
    kind: "text",
    text: keptText(text),
    language: undefined,
    at: now,
  };
}
