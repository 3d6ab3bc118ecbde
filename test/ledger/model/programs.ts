import fc from "fast-check";
import type { Currency } from "../../../src/kernel/money.ts";
import type { AccountKind } from "../../../src/ledger/ledger.ts";

/** The accounts of one run. Those of the system are remembered by the ledger, the other is looked up each time. */
export const ACCOUNTS: ReadonlyMap<
  string,
  { readonly kind: AccountKind; readonly currency: Currency; readonly isThereAtStart: boolean }
> = new Map([
  ["system/cash", { kind: "asset", currency: "KES", isThereAtStart: true }],
  ["held", { kind: "liability", currency: "KES", isThereAtStart: true }],
  ["system/sales", { kind: "income", currency: "KES", isThereAtStart: true }],
  ["system/fees", { kind: "expense", currency: "KES", isThereAtStart: false }],
  ["late", { kind: "asset", currency: "KES", isThereAtStart: false }],
  ["system/cash/UGX", { kind: "asset", currency: "UGX", isThereAtStart: false }],
  ["system/sales/UGX", { kind: "income", currency: "UGX", isThereAtStart: false }],
]);

/** An entry as a person would read it; accounts by code, keys by name. */
export interface Body {
  readonly key: string;
  readonly kind: string;
  readonly memo: string;
  readonly reference: string;
  readonly currency: Currency;
  readonly lines: readonly (readonly [code: string, amountMinor: bigint])[];
}

const DRESSES = [
  "plain",
  "same in other words",
  "other amount",
  "other account",
  "other kind",
  "other receipt",
  "signs turned",
  "out of balance",
  "one line",
] as const;
/** One of a few keys, with the content that always belongs to it or with another. */
export interface Intent {
  readonly key: string;
  readonly dress: (typeof DRESSES)[number];
}

export type Step =
  | { readonly do: "open"; readonly codes: readonly string[] }
  | { readonly do: "open other kind" }
  | { readonly do: "post"; readonly entries: readonly Intent[] }
  | { readonly do: "reverse" | "reverse reversal"; readonly key: string };

/** Direct attempts on the tables by their owner, with the SQLSTATE that each must meet. */
export const TAMPERINGS = {
  "update balances": "WA004",
  "delete balances": "WA004",
  "insert balances": "WA004",
  "update postings": "WA001",
  "delete transactions": "WA001",
  "post out of balance": "WA002",
  "post in two currencies": "WA002",
  "post fewer than declared": "WA003",
  "add to a transaction": "WA003",
} as const;

export type Command =
  | {
      readonly do: "transact";
      readonly steps: readonly Step[];
      readonly isolation: "read committed" | "serializable";
      readonly rollsBack: boolean;
      /** The first attempt is broken off before this statement, as the database would. */
      readonly fault: { readonly statement: number; readonly state: "40001" | "40P01" } | undefined;
    }
  | {
      readonly do: "read";
      readonly what: "balances" | "trial balance" | "statement" | "postings of a receipt" | "audit";
    }
  | { readonly do: "tamper"; readonly how: keyof typeof TAMPERINGS; readonly expect: string };

export interface Program {
  /** What is posted, and perhaps reversed, before anybody else begins: what there is to repeat, contradict and reverse. */
  readonly before: readonly Command[];
  /** What each client does, one command after the other. */
  readonly clients: readonly (readonly Command[])[];
  /** In turns, `order` says who makes the next statement; freely, the machine does. */
  readonly pace: "turns" | "free";
  readonly order: readonly number[];
}

/** Each has a connection of its own. */
export const CLIENTS_MAX = 4;

/** Enough keys for twins to be frequent and for some to be alone. */
export const KEYS = ["key 0", "key 1", "key 2", "key 3", "key 4", "key 5"] as const;

const LINES: Readonly<Record<string, Body["lines"]>> = {
  "key 0": [
    ["system/cash", 700n],
    ["system/sales", -700n],
  ],
  "key 1": [
    ["system/cash", 90n],
    ["held", -60n],
    ["system/sales", -30n],
  ],
  "key 2": [
    ["held", 11n],
    ["system/fees", 4n],
    ["system/cash", -15n],
  ],
  "key 3": [
    ["system/cash/UGX", 5_000n],
    ["system/sales/UGX", -5_000n],
  ],
  "key 4": [
    ["late", 1_000_000_000_000n],
    ["system/sales", -1_000_000_000_000n],
  ],
  "key 5": [
    ["system/fees", 2n],
    ["late", 3n],
    ["held", -5n],
  ],
};

/** The entry that an intent stands for. */
export function bodyOf({ key, dress }: Intent): Body {
  const lines = LINES[key] ?? [];
  const [[code, amount] = ["", 0n], ...rest] = lines;
  const last = rest.at(-1) ?? [code, 0n];
  const body: Body = {
    key,
    kind: "payment",
    memo: "A payment",
    reference: Number(key.slice(-1)) % 2 === 0 ? "receipt 1" : "receipt 2",
    currency: code.endsWith("/UGX") ? "UGX" : "KES",
    lines,
  };
  switch (dress) {
    case "plain":
      return body;
    case "same in other words":
      // Other order, one amount in two pieces, a line of nothing, another memo: the same entry.
      return {
        ...body,
        memo: "The payment",
        lines: [...rest.toReversed(), [code, amount - 1n], [last[0], 0n], [code, 1n]],
      };
    case "other amount":
      return { ...body, lines: [[code, amount + 1n], ...rest.slice(0, -1), [last[0], last[1] - 1n]] };
    case "other account":
      return {
        ...body,
        lines:
          body.currency === "UGX"
            ? [[code, amount + 2n], ...rest.slice(0, -1), [last[0], last[1] - 2n]]
            : [[code === "late" ? "held" : "late", amount], ...rest],
      };
    case "other kind":
      return { ...body, kind: "gift" };
    case "other receipt":
      return { ...body, reference: "receipt 3" };
    case "signs turned":
      return { ...body, lines: lines.map(([of, minor]) => [of, -minor]) };
    case "out of balance":
      return { ...body, lines: [[code, amount + 1n], ...rest] };
    case "one line":
      return {
        ...body,
        lines: [
          [code, amount],
          [code, -amount],
        ],
      };
  }
}

const key = fc.constantFrom(...KEYS);
const intent = fc.record<Intent>({
  key,
  dress: fc.oneof(
    { weight: 12, arbitrary: fc.constant("plain" as const) },
    { weight: 4, arbitrary: fc.constant("same in other words" as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        "other amount" as const,
        "other account" as const,
        "other kind" as const,
        "other receipt" as const,
        "signs turned" as const,
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom("out of balance" as const, "one line" as const) },
  ),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("post" as const),
      entries: fc.array(intent, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("reverse" as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reverse reversal" as const), key }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      codes: fc.uniqueArray(fc.constantFrom(...ACCOUNTS.keys()), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "open other kind" as const }) },
);

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("transact" as const),
      steps: fc.array(step, { minLength: 1, maxLength: 3 }),
      isolation: fc.oneof(
        { weight: 4, arbitrary: fc.constant("read committed" as const) },
        { weight: 1, arbitrary: fc.constant("serializable" as const) },
      ),
      rollsBack: fc.nat(9).map((drawn) => drawn === 9),
      fault: fc.option(
        fc.record({ statement: fc.nat(6), state: fc.constantFrom("40001" as const, "40P01" as const) }),
        { freq: 6, nil: undefined },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      what: fc.constantFrom(
        "balances" as const,
        "trial balance" as const,
        "statement" as const,
        "postings of a receipt" as const,
        "audit" as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...(Object.keys(TAMPERINGS) as (keyof typeof TAMPERINGS)[]))
      .map((how) => ({ do: "tamper" as const, how, expect: TAMPERINGS[how] })),
  },
);

/** Posts each key in a step of its own, as it always was. */
export const posts = (...keys: readonly (typeof KEYS)[number][]): Command => ({
  do: "transact",
  steps: keys.map((name) => ({ do: "post", entries: [{ key: name, dress: "plain" }] })),
  isolation: "read committed",
  rollsBack: false,
  fault: undefined,
});

const reverses = (name: string): Command => ({
  do: "transact",
  steps: [{ do: "reverse", key: name }],
  isolation: "read committed",
  rollsBack: false,
  fault: undefined,
});

/** Two clients that take the same two things in opposite order: in the wrong moment each waits for the other. */
const crossed = fc
  .tuple(key, key)
  .filter(([left, right]) => left !== right)
  .map(([left, right]) => [[posts(left, right)], [posts(right, left)]]);

const clients = fc.array(fc.array(command, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 });

/** A few clients with a few commands each: small enough that every order of them can be tried. */
export const programs: fc.Arbitrary<Program> = fc.record({
  before: fc
    .tuple(fc.uniqueArray(key, { maxLength: 3 }), fc.boolean())
    .map(([keys, isReversed]) => [
      ...keys.map((one) => posts(one)),
      ...keys.slice(0, isReversed ? 1 : 0).map(reverses),
    ]),
  clients: fc.oneof(
    { weight: 5, arbitrary: clients },
    {
      weight: 1,
      arbitrary: fc.tuple(crossed, clients).map(([pair, more]) => [...pair, ...more].slice(0, CLIENTS_MAX)),
    },
  ),
  pace: fc.oneof(
    { weight: 4, arbitrary: fc.constant("turns" as const) },
    { weight: 1, arbitrary: fc.constant("free" as const) },
  ),
  order: fc.array(fc.nat(CLIENTS_MAX * 3 - 1), { minLength: 1, maxLength: 60 }),
});
