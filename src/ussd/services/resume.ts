import { line, notThere, type Handlers, type Move } from "../dialogue/moves.ts";
import type { Place, Session } from "../dialogue/place.ts";
import { menu } from "../dialogue/screen.ts";

/** Calls die in the middle; whoever calls again goes on where they were, or begins anew. */
export const resumeHandlers: Handlers<"resume"> = {
  resume: {
    show: ({ trail }) =>
      menu(
        "resume",
        [line("resume.title")],
        [
          { key: "1", label: line("resume.on", { what: WHAT[trail.at(-1)?.at ?? "home"] ?? "other" }) },
          { key: "2", label: line("resume.anew") },
        ],
      ),
    hear({ trail }, said) {
      if (said === "1") return standAt(trail);
      return said === "2" ? standAt([{ at: "home" }]) : notThere;
    },
  },
};

function standAt(trail: readonly Place[]): Move {
  return { kind: "with", session: { trail }, move: { kind: "instead", place: trail.at(-1) ?? { at: "home" } } };
}

/**
 * A new conversation that offers to go on with the one that was left. Nothing that was proven is carried over: who borrowed proves
 * themselves again, and whoever proved an account from a strange phone begins anew.
 */
export function offerToResume(fresh: Session, left: Session): Session {
  if (left.provenCustomerId !== undefined) return fresh;
  const last = left.trail.at(-1);
  const stood = last?.at === "resume" ? last.trail : left.trail;
  const end = stood.findIndex(({ at }) => !OPEN.has(at));
  const trail = end < 0 ? stood : stood.slice(0, end);
  return trail.length > 1 ? { ...fresh, trail: [{ at: "home" }, { at: "resume", trail }] } : fresh;
}

/** Places where no PIN is asked for and that stand behind none: whether there is one may have changed since. Any other is reached by its own way only. */
const OPEN: ReadonlySet<Place["at"]> = new Set([
  "home",
  "own_home",
  "more",
  "help",
  "settings",
  "language",
  "choose_contract",
  "pay_account",
  "pay_amount",
  "pay_confirm",
  "pay_phone",
  "tokens",
  "payments",
  "borrow",
  "pay_off",
  "fault",
  "fault_note",
  "reports",
  "person",
  "refer",
  "messages",
  "identify_account",
  "lead_name",
  "lead_place",
]);

/** What a person would call it. */
const WHAT: Readonly<Partial<Record<Place["at"], "pay" | "token" | "borrow" | "report" | "account" | "settings">>> = {
  pay_account: "pay",
  pay_amount: "pay",
  pay_confirm: "pay",
  pay_phone: "pay",
  pay_off: "pay",
  tokens: "token",
  payments: "token",
  borrow: "borrow",
  fault: "report",
  fault_note: "report",
  identify_account: "account",
  settings: "settings",
  language: "settings",
  messages: "settings",
};
