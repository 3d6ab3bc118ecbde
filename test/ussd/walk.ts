import type { Answer, Ask } from "../../src/ussd/dialogue/asks.ts";
import { hear, openSession, resume, show, type Step } from "../../src/ussd/dialogue/dialogue.ts";
import type { Facts } from "../../src/ussd/dialogue/facts.ts";
import type { Session } from "../../src/ussd/dialogue/place.ts";
import { offerToResume } from "../../src/ussd/services/resume.ts";

/** One step of somebody who tries everything. */
export interface Walked {
  readonly facts: Facts;
  readonly before: Session;
  readonly said: string;
  /** What was asked on the way and how it was answered. */
  readonly asked: readonly (readonly [Ask, Answer])[];
  readonly step: Exclude<Step, { kind: "ask" }>;
}

/** Answers that an ask may get; the walk takes them all. */
export type AnswersOf = (ask: Ask, facts: Facts) => readonly Answer[];

const ASKS_MAX = 5;
/** Deeper, the same places come again. */
const DEPTH_MAX = 8;

/**
 * Walks from the first screen through every choice, every typed text and every answer that the house may give, until nothing
 * new is found; every call may also die, and be gone on with by the next one. Two sessions are the same when they lead through the same places to the same screen: what was typed on the way
 * opens no other door.
 */
export function* walk(
  facts: Facts,
  { answersOf, typed }: { answersOf: AnswersOf; typed: readonly string[] },
): Generator<Walked> {
  const first = show(openSession(facts), facts);
  const seen = new Set<string>();
  const queue: Exclude<Step, { kind: "ask" }>[] = [];
  const push = (step: Exclude<Step, { kind: "ask" }>): void => {
    const { trail, isProven, language } = step.session;
    const key = JSON.stringify([
      trail.map(({ at }) => at),
      isProven,
      step.session.agentProvenAtMs,
      language,
      step.screen.lines,
      step.screen.choices,
    ]);
    if (step.kind === "end" || trail.length > DEPTH_MAX || seen.has(key)) return;
    seen.add(key);
    queue.push(step);
  };
  push(first);
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const { session: before, screen } = step;
    push(show(offerToResume(openSession(facts), before), facts));
    const inputs = [
      "0",
      "00",
      "8",
      ...screen.choices.map(({ key }) => key),
      ...(screen.takes === "choice" ? [] : typed),
    ];
    for (const said of new Set(inputs)) {
      for (const walked of follow(
        { facts, before, said, asked: [] },
        hear(before, said, factsFor(facts, before)),
        answersOf,
      )) {
        yield walked;
        push(walked.step);
      }
    }
  }
}

function factsFor(facts: Facts, session: Session): Facts {
  const agent = facts.agent && { ...facts.agent, isProven: session.agentProvenAtMs !== undefined };
  return { ...facts, agent, isProven: session.isProven, caller: { ...facts.caller, language: session.language } };
}

function* follow(so: Omit<Walked, "step">, step: Step, answersOf: AnswersOf): Generator<Walked> {
  if (step.kind !== "ask") {
    yield { ...so, step };
    return;
  }
  if (so.asked.length >= ASKS_MAX) throw new Error(`Asks on and on: ${JSON.stringify(step.ask)}`);
  for (const answer of answersOf(step.ask, so.facts)) {
    const next = resume(step.session, answer, factsFor(so.facts, step.session));
    yield* follow({ ...so, asked: [...so.asked, [step.ask, answer]] }, next, answersOf);
  }
}
