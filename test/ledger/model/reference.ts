import { bodyOf, type Body, type Command } from "./programs.ts";

/** A step's answer: the transactions posted, or lines read. */
export type Answer = readonly (string | { readonly id: string; readonly repeated: boolean })[];
/** What a command was told; `refused` names the refusal that undid all of its steps. */
export interface Outcome {
  readonly answers: readonly Answer[];
  readonly refused: string | undefined;
}
export interface Books {
  readonly accounts: ReadonlySet<string>;
  readonly transactions: ReadonlyMap<string, Body & { readonly id: string }>;
}
class Refused extends Error {}

/**
 * The ledger in memory, one command after the other: an account per code, a transaction per key, one reversal per
 * transaction, and balances that are sums. What the real one adds (locks, triggers, retries) must never show.
 * `idFor` is all that it cannot know: the id that a new transaction got.
 */
export function perform(books: Books, command: Command, idFor: (step: number, entry: number) => string) {
  const accounts = new Set(books.accounts);
  const transactions = new Map(books.transactions);
  const answers: Answer[] = [];
  const post = (entries: readonly Body[], step: number): Answer => {
    for (const { lines } of entries) if (sumsOf(lines).size < 2 || sumOf(lines) !== 0n) throw new Refused("Bug");
    return entries.map((body, at) => {
      const first = transactions.get(body.key);
      if (first !== undefined && contentOf(first) !== contentOf(body)) throw new Refused("IdempotencyConflict");
      const id = first?.id ?? idFor(step, at);
      if (first === undefined) transactions.set(body.key, { ...body, id });
      return { id, repeated: first !== undefined };
    });
  };
  const take = (step: Extract<Command, { do: "transact" }>["steps"][number], at: number): Answer => {
    if (step.do === "open other kind") throw new Refused("Bug");
    if (step.do === "open") for (const code of step.codes) accounts.add(code);
    if (step.do === "open") return step.codes;
    if (step.do === "post") {
      const entries = step.entries.map(bodyOf);
      for (const [code] of entries.flatMap(({ lines }) => lines)) accounts.add(code);
      return post(entries, at);
    }
    const original = transactions.get(step.key);
    const reversal = `reversal:${original?.id}`;
    if (original === undefined || (step.do === "reverse reversal" && !transactions.has(reversal)))
      throw new Refused("NotFound");
    if (step.do === "reverse reversal") throw new Refused("NotAllowedNow");
    const lines = original.lines.map(([code, amount]) => [code, -amount] as const);
    return post([{ ...original, key: reversal, kind: "reversal", lines }], at);
  };
  try {
    if (command.do === "read") answers.push(linesOf(books, command.what));
    else if (command.do === "tamper") throw new Refused(command.expect);
    else command.steps.forEach((step, at) => answers.push(take(step, at)));
    if (command.do === "transact" && command.rollsBack) throw new Refused("rolled back");
    return { books: { accounts, transactions }, outcome: { answers, refused: undefined } satisfies Outcome };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { books, outcome: { answers, refused: error.message } satisfies Outcome };
  }
}

const sumOf = (lines: Body["lines"]): bigint => lines.reduce((sum, [, amount]) => sum + amount, 0n);

/** Sum per account, without the accounts at zero: all that a ledger remembers of an entry's lines. */
export function sumsOf(lines: Body["lines"]): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const [code, amount] of lines) sums.set(code, (sums.get(code) ?? 0n) + amount);
  return new Map([...sums].filter(([, amount]) => amount !== 0n));
}

/** What makes two bodies one command: not the memo, and not how the lines are written. */
const contentOf = ({ kind, reference, currency, lines }: Body): string =>
  [kind, reference, currency, ...[...sumsOf(lines)].map(([code, amount]) => `${code}=${amount}`).sort()].join("|");

/** Account, amount and transaction of every posting. */
export const postingsOf = ({
  transactions,
}: Books): readonly { code: string; amount: bigint; id: string; kind: string; reference: string }[] =>
  [...transactions.values()].flatMap(({ id, kind, reference, lines }) =>
    [...sumsOf(lines)].map(([code, amount]) => ({ code, amount, id, kind, reference })),
  );

/** What a reader of these books would see, as sorted lines of text. */
export function linesOf(books: Books, what: Extract<Command, { do: "read" }>["what"]): readonly string[] {
  const postings = postingsOf(books);
  const balance = (code: string): string =>
    `${code} ${postings.filter((posting) => posting.code === code).reduce((sum, { amount }) => sum + amount, 0n)}`;
  const written = (of: typeof postings): readonly string[] =>
    of.map(({ code, amount, id }) => `${code} ${amount} ${id}`).sort();
  switch (what) {
    case "balances":
      return ["held", "system/cash", "system/sales"].map(balance);
    case "trial balance":
      return [...books.accounts]
        .filter((code) => code.startsWith("system/"))
        .sort()
        .map(balance);
    case "statement":
      return written(postings.filter(({ code }) => code === "system/cash" || code === "held"));
    case "postings of a receipt":
      return written(postings.filter(({ reference }) => reference === "receipt 1"));
    case "audit":
      return [];
  }
}
