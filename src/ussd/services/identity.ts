import type { Facts } from "../dialogue/facts.ts";
import {
  again,
  ask,
  end,
  go,
  line,
  refusal,
  unlessRefused,
  wrongAnswer,
  type Handlers,
  type Move,
} from "../dialogue/moves.ts";
import type { PinWhose, Place, Session } from "../dialogue/place.ts";
import { question } from "../dialogue/screen.ts";

/** Who is calling: a PIN before what binds, an account number and PIN from a strange phone, and newcomers. */
export const identityHandlers: Handlers<
  "pin" | "new_pin" | "identify_account" | "identify_pin" | "lead_name" | "lead_place"
> = {
  pin: {
    show: () => question("pin", [line("pin.title")], "secret"),
    hear: ({ whose }, said) => (isPin(said) ? ask({ kind: "check_pin", whose, pin: said }) : again("again.pin")),
    told: (place, answer, facts) =>
      answer.kind === "refused" && answer.why === "pin_locked"
        ? end("refused", refusal(answer))
        : unlessRefused(answer, (done) =>
            done.kind === "done"
              ? { kind: "with", session: proof(place, facts), move: { kind: "instead", place: place.next } }
              : wrongAnswer(place, done),
          ),
  },

  new_pin: {
    show: () => question("new_pin", [line("pin.new")], "secret"),
    hear: ({ whose }, said) =>
      isPin(said) && !isGuessable(said) ? ask({ kind: "set_pin", whose, pin: said }) : again("again.new_pin"),
    told(place, answer, facts) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      if (answer.kind !== "done") return wrongAnswer(place, answer);
      const move: Move =
        place.next.at === "home" ? end("settled", line("pin.set")) : { kind: "instead", place: place.next };
      return { kind: "with", session: proof(place, facts), move };
    },
  },

  identify_account: {
    show: () => question("identify_account", [line("identify.account")]),
    hear: (_place, said) => (said === "" ? again("again.account") : go({ at: "identify_pin", account: said })),
  },

  identify_pin: {
    show: () => question("identify_pin", [line("pin.title")], "secret"),
    hear: ({ account }, said) => (isPin(said) ? ask({ kind: "identify", account, pin: said }) : again("again.pin")),
    told: (place, answer) =>
      answer.kind === "refused"
        ? end("refused", refusal(answer))
        : answer.kind === "person"
          ? {
              kind: "with",
              session: { isProven: true, provenCustomerId: answer.customerId, trail: [{ at: "home" }] },
              move: { kind: "instead", place: { at: "home" } },
            }
          : wrongAnswer(place, answer),
  },

  lead_name: {
    show: () => question("lead_name", [line("lead.name")]),
    hear: (_place, said) => (said.length < 2 ? again("again.words") : go({ at: "lead_place", name: said })),
  },

  lead_place: {
    show: () => question("lead_place", [line("lead.place")]),
    hear: ({ name }, said) => (said.length < 2 ? again("again.words") : ask({ kind: "lead", name, place: said })),
    told: (place, answer) =>
      unlessRefused(answer, (done) =>
        done.kind === "done" ? end("lead", line("lead.done")) : wrongAnswer(place, done),
      ),
  },
};

/** Goes to a place that binds: past the PIN, or past choosing one where there is none yet. */
export function withPin(place: Place, { caller, isProven }: Facts): Move {
  if (isProven) return go(place);
  return go({ at: caller.hasPin ? "pin" : "new_pin", whose: "customer", next: place });
}

/** The same for what agents do. Choosing the first PIN and then another would be the same twice. */
export function agentPin(place: Place, { agent }: Facts): Move {
  if (agent?.isProven === true) return go(place);
  if (agent?.hasPin === true) return go({ at: "pin", whose: "staff", next: place });
  return go({ at: "new_pin", whose: "staff", next: place.at === "new_pin" ? place.next : place });
}

/** What a PIN that was right, or was chosen, proves from now on. */
function proof({ whose }: { readonly whose: PinWhose }, { nowMs }: Facts): Partial<Session> {
  return whose === "customer" ? { isProven: true } : { agentProvenAtMs: nowMs };
}

const isPin = (said: string): boolean => /^\d{4}$/.test(said);

/** The first that a thief tries: four alike, and rows up or down. */
function isGuessable(pin: string): boolean {
  const steps = [...pin].slice(1).map((digit, at) => Number(digit) - Number(pin[at]));
  return steps.every((step) => step === steps[0]) && [0, 1, -1].includes(steps[0] ?? 0);
}
