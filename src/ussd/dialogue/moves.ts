import type { Line, TextId, Values } from "../texts/texts.ts";
import type { Answer, Ask } from "./asks.ts";
import type { Facts } from "./facts.ts";
import type { Place, Session } from "./place.ts";
import type { Screen } from "./screen.ts";

/** How a conversation ended. The operator's figures count these. */
export const OUTCOMES = [
  "told",
  "payment_asked",
  "borrowed",
  "reported",
  "person_asked",
  "referred",
  "settled",
  "lead",
  "registered",
  "sold",
  "collected",
  "handed_over",
  "refused",
  "left",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What follows from what a person said. */
export type Move =
  /** Goes on to a place; "back" leads here. */
  | { readonly kind: "go"; readonly place: Place }
  /** The same, but "back" leads to where this place's "back" did. */
  | { readonly kind: "instead"; readonly place: Place }
  | { readonly kind: "ask"; readonly ask: Ask }
  /** Says what is wrong and shows the same screen. */
  | { readonly kind: "again"; readonly note: Line }
  | {
      readonly kind: "end";
      readonly outcome: Outcome;
      readonly lines: readonly Line[];
      readonly session?: Partial<Session>;
    }
  /** Goes on with what is now known of the session. */
  | { readonly kind: "with"; readonly session: Partial<Session>; readonly move: Move };

/** What a service knows of one place. */
export interface Handler<P extends Place> {
  show(place: P, facts: Facts): Screen;
  /** What was chosen or typed, without the spaces around it. "0" and "00" never come here. */
  hear(place: P, said: string, facts: Facts): Move;
  /** The answer to what this place asked. */
  told?(place: P, answer: Answer, facts: Facts): Move;
}

export type Handlers<Name extends Place["at"]> = {
  readonly [At in Name]: Handler<Extract<Place, { readonly at: At }>>;
};

export const go = (place: Place): Move => ({ kind: "go", place });
export const ask = (what: Ask): Move => ({ kind: "ask", ask: what });
export const line = (id: TextId, values: Values = {}): Line => ({ id, values });
export const again = (id: TextId, values: Values = {}): Move => ({ kind: "again", note: line(id, values) });
export const end = (outcome: Outcome, ...lines: readonly Line[]): Move => ({ kind: "end", outcome, lines });

/** The choice that was not among those of the screen. */
export const notThere: Move = again("again.choice");

/** What a refusal says to the person; each code has its text. */
export function refusal(answer: Extract<Answer, { kind: "refused" }>): Line {
  return line(`refused.${answer.why}`, answer.values ?? {});
}

/** A refusal that leaves the person where they are, and any other answer handed to `then`. */
export function unlessRefused(answer: Answer, then: (answer: Exclude<Answer, { kind: "refused" }>) => Move): Move {
  return answer.kind === "refused" ? { kind: "again", note: refusal(answer) } : then(answer);
}

/** An answer of another kind than was asked for is a mistake in the house. */
export function wrongAnswer(place: Place, answer: Answer): never {
  throw new Error(`Bug: ${place.at} was answered with ${answer.kind}.`);
}
