import type { NewMessage } from "./messaging.ts";
import type { Language } from "../kernel/language.ts";

const TEMPLATES = { open: "ticket_opened", in_work: "ticket_in_work", done: "ticket_done" } as const;

/** Tells somebody how far what they reported is; once for each state of a ticket. `number` is as they know it, such as R-1042. */
export function ticketMessage({
  number,
  state,
  phone,
  language,
  contractId,
}: {
  number: string;
  state: keyof typeof TEMPLATES;
  /** E.164. */
  phone: string;
  language: Language;
  contractId: string | undefined;
}): NewMessage {
  return {
    key: `ticket:${number}:${state}`,
    toPhone: phone,
    language,
    template: TEMPLATES[state],
    values: { ticket: number },
    ...(contractId === undefined ? {} : { about: { contractId } }),
  };
}
