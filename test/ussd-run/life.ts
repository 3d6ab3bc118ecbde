import { DAY_MS } from "../../src/kernel/time.ts";
import type { Fault } from "./spots.ts";
import type { Contract, Language, Person } from "./village.ts";

/** What the house must have done, and nothing else. */
export type Act =
  | { readonly kind: "prompt"; readonly account: string; readonly phone: string; readonly minor: number }
  | { readonly kind: "loan"; readonly contractId: string; readonly days: number }
  | {
      readonly kind: "wish";
      readonly wish: "fault" | "call" | "friend" | "lead";
      readonly phone: string;
      readonly category: string | undefined;
      readonly detail: Readonly<Record<string, string>>;
    };

/** What is known of one person and changes with what they do, over all of their calls. */
export interface Life {
  readonly person: Person;
  readonly acts: Act[];
  language: Language;
  readonly pins: Map<string, string>;
  readonly pinFailures: Map<string, number>;
  readonly pinLocked: Set<string>;
  /** Days that were lent, by contract: one loan at a time. */
  readonly lent: Map<string, { readonly untilMs: number; readonly amountMinor: number; readonly atMs: number }>;
  /** What was quoted for an early pay-off: it stands until tomorrow unless something changes. */
  readonly quotes: Map<string, { readonly minor: number; readonly untilMs: number }>;
  readonly consents: Map<string, { service: boolean; marketing: boolean }>;
  readonly languages: Map<string, Language>;
  readonly counts: Map<string, number>;
  /** Faults that were reported, newest first. */
  readonly reports: { number: string; fault: Fault; atMs: number }[];
}

export function makeLife(person: Person): Life {
  const known = [person.customer, person.elsewhere].filter((one) => one !== undefined);
  return {
    person,
    acts: [],
    language: person.language,
    pins: new Map(known.flatMap(({ id, pin }) => (pin === undefined ? [] : [[id, pin]]))),
    pinFailures: new Map(),
    pinLocked: new Set(),
    lent: new Map(),
    quotes: new Map(),
    consents: new Map(
      known.map(({ id, takesService, takesMarketing }) => [id, { service: takesService, marketing: takesMarketing }]),
    ),
    languages: new Map(known.map(({ id, language }) => [id, language])),
    counts: new Map(),
    reports: [],
  };
}

/** Counts once more within a window of fixed length; answers how often it was done in it. */
export function times(life: Life, what: string, { nowMs, windowMs }: { nowMs: number; windowMs: number }): number {
  const key = `${what} ${String(Math.floor(nowMs / windowMs))}`;
  const count = (life.counts.get(key) ?? 0) + 1;
  life.counts.set(key, count);
  return count;
}

/** Asks for something; false where it was often enough for one day. */
export function wish(
  life: Life,
  {
    kind,
    nowMs,
    category,
    detail,
  }: { kind: "fault" | "call" | "friend" | "lead"; nowMs: number; category?: Fault; detail: Record<string, string> },
): boolean {
  if (times(life, kind, { nowMs, windowMs: DAY_MS }) > 5) return false;
  life.acts.push({ kind: "wish", wish: kind, phone: life.person.phone, category, detail });
  return true;
}

/**
 * Judges a PIN; undefined: right. Five wrong ones in a row lock it for longer than an evening; from a strange phone, five in all, and
 * that phone alone is locked out.
 */
export function guess(life: Life, id: string, pin: string): "wrong" | "locked" | undefined {
  if (life.pinLocked.has(id)) return "locked";
  if (life.pins.get(id) === pin) {
    if (id !== life.person.elsewhere?.id) life.pinFailures.delete(id);
    return undefined;
  }
  const failures = (life.pinFailures.get(id) ?? 0) + 1;
  life.pinFailures.set(id, failures);
  if (failures < 5) return "wrong";
  life.pinLocked.add(id);
  return "locked";
}

/** Days of light that a contract has left. */
export function light(life: Life, contract: Contract, nowMs: number): number {
  const leftMs = (life.lent.get(contract.id)?.untilMs ?? contract.paidUntilMs ?? nowMs) - nowMs;
  return leftMs <= 0 ? 0 : Math.ceil(leftMs / DAY_MS);
}

/** What brought light, newest first; days that were lent are told among them. */
export function paymentsOf(life: Life, { id, payments }: Contract): Contract["payments"] {
  const lent = life.lent.get(id);
  return [...(lent === undefined ? [] : [lent]), ...payments].slice(0, 5);
}
