import type { Command } from "./programs.ts";
import { perform, type Books, type Outcome } from "./reference.ts";

/** One command as it happened: `from` and `to` are places in the one order in which things began and ended. */
export interface Happened {
  readonly client: number;
  readonly command: Command;
  readonly outcome: Outcome;
  readonly from: number;
  readonly to: number;
}

/**
 * Looks for an order, one command after the other, in which the reference gives every answer that was given; what ended
 * before another began must come before it. Answers the books after it, or the words of why there is none.
 * A command's effect is settled by what it answered, so the books depend only on which commands are done: each such set
 * is tried once, and a few clients with a few commands have few sets.
 */
export function linearize(start: Books, history: readonly Happened[]): Books | { readonly problem: string } {
  const clients = [...Map.groupBy(history, ({ client }) => client).values()].map((own) =>
    own.toSorted((left, right) => left.from - right.from),
  );
  const tried = new Set<string>();
  let deepest = { done: -1, words: "" };

  function search(books: Books, places: readonly number[]): Books | undefined {
    if (tried.has(places.join())) return undefined;
    tried.add(places.join());
    const nexts = clients.flatMap((own, at) => own[places[at] ?? 0] ?? []);
    if (nexts.length === 0) return books;
    const differences: string[] = [];
    for (const next of nexts) {
      if (nexts.some((other) => other.to < next.from)) continue;
      const expected = perform(books, next.command, (step, entry) => idAnswered(next.outcome, step, entry));
      const told = JSON.stringify(next.outcome);
      if (told !== JSON.stringify(expected.outcome)) {
        differences.push(
          `client ${next.client}: ${JSON.stringify(next.command)}\n    told     ${told}\n    expected ${JSON.stringify(expected.outcome)}`,
        );
        continue;
      }
      const found = search(
        expected.books,
        places.map((place, at) => (clients[at]?.includes(next) === true ? place + 1 : place)),
      );
      if (found !== undefined) return found;
    }
    const done = places.reduce((total, place) => total + place, 0);
    if (done > deepest.done) deepest = { done, words: differences.join("\n  ") };
    return undefined;
  }

  const found = search(
    start,
    clients.map(() => 0),
  );
  return (
    found ?? {
      problem: `no order of these commands gives these answers; after ${deepest.done} commands:\n  ${deepest.words}`,
    }
  );
}

function idAnswered({ answers }: Outcome, step: number, entry: number): string {
  const told = answers[step]?.[entry];
  return typeof told === "object" ? told.id : "none";
}
