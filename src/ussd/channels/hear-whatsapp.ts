import { z } from "zod";
import type { DeliveryReport } from "../../messaging/messaging.ts";
import { isKeepable, keptText, type HeardMessage, type ReadPhone } from "./heard.ts";

/** What one call of WhatsApp's told us. `ignored` counts what is no message of a customer to this number. */
export interface WhatsappNews {
  readonly messages: readonly HeardMessage[];
  readonly reports: readonly DeliveryReport[];
  readonly ignored: number;
}

const UPDATE = z.object({
  object: z.literal("whatsapp_business_account"),
  entry: z.array(
    z.object({
      changes: z.array(
        z.object({
          field: z.string(),
          value: z.object({
            metadata: z.object({ phone_number_id: z.string() }).optional(),
            messages: z.array(z.unknown()).default([]),
            statuses: z.array(z.unknown()).default([]),
          }),
        }),
      ),
    }),
  ),
});

const REPLY = z.object({ id: z.string() });
const MESSAGE = z.object({
  from: z.string().regex(/^\d{6,15}$/),
  id: z.string().refine(isKeepable),
  timestamp: z.string().regex(/^\d{1,11}$/),
  type: z.string(),
  text: z.object({ body: z.string() }).optional(),
  button: z.object({ payload: z.string() }).optional(),
  interactive: z.object({ list_reply: REPLY.optional(), button_reply: REPLY.optional() }).optional(),
});

const STATUS = z.object({
  id: z.string().refine(isKeepable),
  status: z.string(),
  recipient_id: z.string().optional(),
  errors: z.array(z.object({ code: z.number(), title: z.string().default("") })).optional(),
});

/** WhatsApp's words in those of the one scale that messages move on. */
const STATUSES: Readonly<Record<string, string>> = {
  sent: "Sent",
  delivered: "Success",
  read: "Read",
  failed: "Failed",
};

/** A heart on our message is no question; a changed number or a new phone is no message. */
const SILENT_TYPES = new Set(["reaction", "system", "unsupported", "ephemeral"]);

/**
 * Reads an update, whose signature was verified before. A message that cannot be read does not hold up the others of its
 * update. Undefined where it is no update of WhatsApp's at all.
 */
export function hearWhatsapp(
  update: unknown,
  { phoneId, readPhone }: { phoneId: string; readPhone: ReadPhone },
): WhatsappNews | undefined {
  const parsed = UPDATE.safeParse(update);
  if (!parsed.success) return undefined;
  const messages: HeardMessage[] = [];
  const reports: DeliveryReport[] = [];
  let ignored = 0;
  for (const { field, value } of parsed.data.entry.flatMap(({ changes }) => changes)) {
    // One application may serve several numbers; the others are somebody else's.
    const isOurs = field === "messages" && value.metadata?.phone_number_id === phoneId;
    for (const item of value.messages) {
      const message = isOurs ? readMessage(item, readPhone) : undefined;
      if (message === undefined) ignored++;
      else messages.push(message);
    }
    for (const item of value.statuses) {
      const report = isOurs ? readStatus(item) : undefined;
      if (report === undefined) ignored++;
      else reports.push(report);
    }
  }
  return { messages, reports, ignored };
}

function readMessage(item: unknown, readPhone: ReadPhone): HeardMessage | undefined {
  const parsed = MESSAGE.safeParse(item);
  if (!parsed.success || SILENT_TYPES.has(parsed.data.type)) return undefined;
  const { from, id, timestamp, text, button, interactive } = parsed.data;
  const phone = readPhone(`+${from}`);
  if (phone === undefined) return undefined;
  const choice = interactive?.list_reply?.id ?? interactive?.button_reply?.id ?? button?.payload;
  const kind = choice !== undefined ? "choice" : text !== undefined ? "text" : "other";
  return {
    channel: "whatsapp",
    messageId: id,
    chat: phone,
    phone,
    kind,
    text: keptText(choice ?? text?.body ?? ""),
    language: undefined,
    at: new Date(Number(timestamp) * 1_000),
  };
}

function readStatus(item: unknown): DeliveryReport | undefined {
  const parsed = STATUS.safeParse(item);
  const status = parsed.success ? STATUSES[parsed.data.status] : undefined;
  if (!parsed.success || status === undefined) return undefined;
  const { id, recipient_id: recipient, errors: [error] = [] } = parsed.data;
  return {
    providerId: id,
    status,
    ...(recipient !== undefined && /^\d{6,15}$/.test(recipient) ? { phone: `+${recipient}` } : {}),
    ...(error === undefined ? {} : { failure: `${String(error.code)} ${keptText(error.title)}`.trim() }),
  };
}
