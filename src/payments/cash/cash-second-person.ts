import type { StaffId } from "../../kernel/ids.ts";
import { Forbidden, InvalidInput } from "../../kernel/refusal.ts";
import type { Officer } from "./cash-records.ts";

/** An agent's cash is decided about by the office, and never by the person who has it in hand, whatever their role is now. */
export function requireOffice(by: Officer, agentId: StaffId | undefined): void {
  if (by.role === "agent") throw new Forbidden("Only the office decides about agents' cash.");
  if (by.id === agentId) throw new Forbidden("Nobody decides about their own cash. Ask a second person.");
}

const KEY_CHARACTERS_MIN = 8;
const KEY_CHARACTERS_MAX = 200;

/** A key is random text of the agent's phone; a short one would meet another's, a long one is an attack on the index. */
export function requireClientKey(key: string): void {
  if (key.length < KEY_CHARACTERS_MIN || key.length > KEY_CHARACTERS_MAX)
    throw new InvalidInput(
      `A key has ${KEY_CHARACTERS_MIN} to ${KEY_CHARACTERS_MAX} characters. A new UUID is a good one.`,
      "idempotencyKey",
    );
}

const REASON_CHARACTERS_MAX = 500;

/** What a person wrote down as the reason of a decision. */
export function requireReason(text: string): string {
  const reason = text.trim();
  if (reason === "" || reason.length > REASON_CHARACTERS_MAX)
    throw new InvalidInput(`A reason has 1 to ${REASON_CHARACTERS_MAX} characters.`, "reason");
  return reason;
}
