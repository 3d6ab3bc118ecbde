import type { Chance } from "./chance.ts";

/** What can go wrong, and what it means, for a person who asks for help. */
export const FAULT_KINDS = {
  fail_before_acting: "a request is answered 500, and nothing was done",
  fail_after_acting: "a request is acted upon and answered 500 or 504",
  silent_after_acting: "a request is acted upon and never answered",
  half_open: "a request is accepted, not acted upon and never answered",
  cut_off: "a request is acted upon, and the connection breaks within the answer",
  too_many_requests: "a request is answered 429",
  slow_login: "the request for an access token is answered late",
  drop: "a notification is never sent",
  duplicate: "a notification comes again within minutes",
  duplicate_at_once: "a notification comes twice at the same moment",
  delay: "a notification comes minutes to hours late",
  reorder: "a notification is overtaken by younger ones",
  replay: "a notification comes again hours later",
  tamper: "a copy of a notification comes with one letter or digit changed",
  forge: "somebody else tells of a transaction that exists, as if it were paid",
  forge_unknown: "somebody else tells of a transaction that does not exist",
  reverse: "a completed payment goes back later",
  reverse_overtakes: "of the payments that go back: the news of that comes before the news of the payment",
  wrong_amount: "the payer pays another amount than was asked for",
  late_money: "of the payments that failed: the money comes nevertheless, minutes later",
  cancel: "the payer declines",
  time_out: "the payer does nothing until the prompt is over",
  unreachable: "the payer's phone is off",
  lack_funds: "the payer has too little money",
  payout_fails: "money that goes out does not arrive",
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;

/** How often each happens: 0 never, 1 always. */
export type Faults = Readonly<Record<FaultKind, number>>;

export const faultKinds = Object.keys(FAULT_KINDS) as readonly FaultKind[];
export const isFaultKind = (text: string): text is FaultKind => Object.hasOwn(FAULT_KINDS, text);

export const noFaults: Faults = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;

/** A bad day: bad enough that a few hundred payments meet nearly everything. */
export const usualFaults: Faults = {
  fail_before_acting: 0.02,
  fail_after_acting: 0.01,
  silent_after_acting: 0.005,
  half_open: 0.003,
  cut_off: 0.005,
  too_many_requests: 0.01,
  slow_login: 0.1,
  drop: 0.05,
  duplicate: 0.05,
  duplicate_at_once: 0.03,
  delay: 0.03,
  reorder: 0.1,
  replay: 0.02,
  tamper: 0.01,
  forge: 0.01,
  forge_unknown: 0.01,
  reverse: 0.02,
  reverse_overtakes: 0.25,
  wrong_amount: 0.02,
  // Most providers never go back on a failure; a channel whose provider does sets it for itself.
  late_money: 0,
  cancel: 0.06,
  time_out: 0.05,
  unreachable: 0.03,
  lack_funds: 0.04,
  payout_fails: 0.05,
};

/** One channel's faults: asked whenever one could happen, and counting those that did. */
export interface FaultBox {
  /** Draws once, whatever the answer, so that a changed share leaves the other draws in place. */
  happens(kind: FaultKind, chance: Chance): boolean;
  /** The next `times` occasions meet it for certain. */
  plan(kind: FaultKind, times: number): void;
  set(kind: FaultKind, share: number): void;
  readonly shares: Faults;
  readonly counts: Readonly<Record<FaultKind, number>>;
}

export function makeFaultBox(given: Faults): FaultBox {
  const shares = { ...given };
  const planned = { ...noFaults } as Record<FaultKind, number>;
  const counts = { ...noFaults } as Record<FaultKind, number>;
  for (const kind of faultKinds) requireShare(kind, shares[kind]);
  return {
    happens(kind, chance) {
      const isByChance = chance() < shares[kind];
      const isPlanned = planned[kind] > 0;
      if (isPlanned) planned[kind]--;
      if (!isPlanned && !isByChance) return false;
      counts[kind]++;
      return true;
    },
    plan(kind, times) {
      planned[kind] += times;
    },
    set(kind, share) {
      requireShare(kind, share);
      shares[kind] = share;
    },
    shares,
    counts,
  };
}

function requireShare(kind: FaultKind, share: number): void {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`The share of ${kind} is a number from 0 to 1.`);
}
