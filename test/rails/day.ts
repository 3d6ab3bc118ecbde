import { everyChannel } from "../../simulators/rail/channels.ts";
import { faultKinds, usualFaults, type FaultKind, type Faults } from "../../simulators/rail/faults.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/kernel/time.ts";
import { makeChance, type Chance } from "../crash/chance.ts";
import { DAY_FROM } from "./program.ts";
import type { Household } from "./village.ts";

/** Somebody wants to pay: unasked at the paybill or till, or by a prompt that they ask our program for. */
export interface Wish {
  readonly at: Date;
  readonly channel: string;
  readonly kind: "unasked" | "asked";
  readonly household: Household;
  /** As the payer types it. */
  readonly account: string;
  readonly amountMinor: bigint;
  readonly phone: string;
  /** How often the same is asked for at once, as when a USSD hop is repeated. */
  readonly times: number;
}

/** Cash that an agent takes. */
export interface Collection {
  readonly at: Date;
  readonly household: Household;
  readonly amountMinor: bigint;
  /** How often the agent's phone sends it. */
  readonly times: number;
  readonly key: string;
}

/** All that is drawn for one seed before it begins. */
export interface Day {
  readonly seed: number;
  readonly wishes: readonly Wish[];
  readonly collections: readonly Collection[];
  readonly faults: Faults;
  readonly channelFaults: ReadonlyMap<string, Partial<Faults>>;
  /** Whether M-Pesa's callbacks must be confirmed by an enquiry; without it nobody forges. */
  readonly confirmByEnquiry: boolean;
  readonly stepMs: number;
  readonly grainMs: number;
  /** The two days after, in steps that grow: late checks, enquiries and sweeps come to their ends. */
  readonly afterSteps: readonly (readonly [count: number, millis: number])[];
  /** The program ends in the middle of its work, and is back so much later. */
  readonly crashes: readonly { at: Date; afterMs: number; backAt: Date }[];
  /** The loops stand still while the doors answer. */
  readonly pauses: readonly { from: Date; to: Date }[];
  /** A provider answers nothing but 500. */
  readonly outages: readonly { channel: string; from: Date; to: Date }[];
  /** When somebody at the office gives excess money back. */
  readonly refundsAt: readonly Date[];
}

const DAY_MS = 15 * HOUR_MS;
export const DAY_TO = new Date(DAY_FROM.getTime() + DAY_MS);
const MPESA = "mpesa-ke";
/** A day with fewer has longer steps: there is less to do in each. */
const FEW_PAYMENTS = 500;
/** How many payments each channel has of a hundred; M-Pesa's and Wave's payers also pay unasked. */
const SHARES: readonly (readonly [channel: string, kind: Wish["kind"], share: number])[] = [
  [MPESA, "unasked", 32],
  ["wave-sn", "unasked", 8],
  [MPESA, "asked", 10],
  ["mtn-ug", "asked", 10],
  ["airtel-zm", "asked", 9],
  ["orange-ci", "asked", 7],
  ["wave-sn", "asked", 6],
  ["flutterwave-gh", "asked", 6],
  ["pawapay-rw", "asked", 6],
  ["gsma-tz", "asked", 6],
];
const LONG_AFTER: Day["afterSteps"] = [
  [8, 15 * MINUTE_MS],
  [22, HOUR_MS],
  [12, 2 * HOUR_MS],
];
const SHORT_AFTER: Day["afterSteps"] = [
  [3, HOUR_MS],
  [15, 3 * HOUR_MS],
];
const CASH_SHARE = 0.02;
const STRENGTHS = [0, 0.3, 1, 1, 1, 2, 4] as const;
/** What costs real time, or hides everything else, grows no further. */
const MOST: Partial<Record<FaultKind, number>> = { half_open: 0.001, silent_after_acting: 0.002, slow_login: 0.2 };
const SHARE_MAX = 0.3;

export function drawDay(seed: number, { payments, village }: { payments: number; village: readonly Household[] }): Day {
  const chance = makeChance(seed * 2_654_435_761 + 17);
  const later = (from: Date, millis: number): Date => new Date(from.getTime() + millis);
  const within = (from: number, to: number): Date => later(DAY_FROM, (from + chance.next() * (to - from)) * DAY_MS);
  const confirmByEnquiry = chance.happens(0.7);
  const faults = drawFaults(chance);
  const quiet = { forge: 0, forge_unknown: 0, tamper: 0 };
  const mpesa = { late_money: chance.pick([0.1, 0.3, 0.6]), ...(confirmByEnquiry ? {} : quiet) };
  const some = (share: number): readonly number[] => (chance.happens(share) ? [0] : []);
  const [first, ...others] = village;
  if (first === undefined) throw new Error("Nobody lives in the village.");
  const homes = [first, ...others] as const;
  const wishes = SHARES.flatMap(([channel, kind, share]) =>
    Array.from({ length: Math.round((payments * share) / 100) }, () => drawWish(chance, { channel, kind, village })),
  );
  return {
    seed,
    wishes: wishes.toSorted((left, right) => left.at.getTime() - right.at.getTime()),
    collections: Array.from({ length: Math.ceil(payments * CASH_SHARE) }, (_, at) => {
      const household = chance.pick(homes);
      const amountMinor = drawAmount(chance, household);
      return { at: within(0, 0.98), household, amountMinor, times: 1 + chance.below(3), key: `rails-${seed}-${at}` };
    }).toSorted((left, right) => left.at.getTime() - right.at.getTime()),
    faults,
    channelFaults: new Map([[MPESA, mpesa]]),
    confirmByEnquiry,
    stepMs: chance.pick([5, 8, 12, 15]) * MINUTE_MS * (payments < FEW_PAYMENTS ? 4 : 1),
    grainMs: chance.pick([60, 120, 180]) * SECOND_MS,
    afterSteps: payments < FEW_PAYMENTS ? SHORT_AFTER : LONG_AFTER,
    crashes: some(0.6).map(() => {
      const at = within(0.1, 0.9);
      const backAt = later(at, chance.pick([0, 0, 5, 60, 180]) * MINUTE_MS);
      return { at, afterMs: 1 + chance.below(40), backAt };
    }),
    pauses: some(0.4).map(() => {
      const from = within(0.1, 0.8);
      return { from, to: later(from, HOUR_MS) };
    }),
    outages: some(0.5).map(() => {
      const from = within(0.1, 0.8);
      return {
        channel: everyChannel[chance.below(everyChannel.length)]?.name ?? MPESA,
        from,
        to: later(from, HOUR_MS),
      };
    }),
    refundsAt: [within(0.3, 0.5), within(0.6, 0.7), within(0.8, 0.95)],
  };
}

/** Every fault at its usual share, or stronger, or weaker, or not at all. */
function drawFaults(chance: Chance): Faults {
  const drawn = faultKinds.map((kind): [FaultKind, number] => {
    const share = Math.min(SHARE_MAX, usualFaults[kind] * chance.pick(STRENGTHS));
    return [kind, Math.min(share, MOST[kind] ?? 1)];
  });
  return Object.fromEntries(drawn) as Record<FaultKind, number>;
}

function drawWish(
  chance: Chance,
  { channel, kind, village }: { channel: string; kind: Wish["kind"]; village: readonly Household[] },
): Wish {
  const setup = everyChannel.find(({ name }) => name === channel);
  const homes = village.filter(({ country }) => country === setup?.country);
  const household = homes[chance.below(homes.length)];
  if (household === undefined) throw new Error(`Nobody lives where ${channel} is.`);
  const isOwnPhone = chance.happens(0.8);
  return {
    at: new Date(DAY_FROM.getTime() + Math.floor(chance.next() * DAY_MS)),
    channel,
    kind,
    household,
    account: kind === "asked" ? household.accountNumber : drawAccount(chance, household.accountNumber),
    amountMinor: drawAmount(chance, household),
    phone: isOwnPhone ? household.phone : `${household.phone.slice(0, -4)}${String(1_000 + chance.below(9_000))}`,
    times: chance.happens(0.15) ? 2 + chance.below(2) : 1,
  };
}

/** Whole days mostly, sometimes too little for one, sometimes an odd sum; whole units, as people type. */
function drawAmount(chance: Chance, { currency, dayPriceMinor }: Household): bigint {
  const whole = ["UGX", "XOF", "RWF"].includes(currency) ? 1 : 100;
  const days = chance.pick([0.3, 1, 1, 2, 3, 5, 7, 7, 10, 14, 30]);
  const odd = chance.happens(0.2) ? chance.next() : 1;
  return BigInt(Math.max(1, Math.round((dayPriceMinor * days * odd) / whole)) * whole);
}

/** What people type at a paybill: most get it right, some clumsily, some not at all. */
function drawAccount(chance: Chance, accountNumber: string): string {
  const draw = chance.next();
  if (draw < 0.76) return accountNumber;
  if (draw < 0.8) return accountNumber.toLowerCase().replaceAll("0", "o");
  if (draw < 0.83) return ` ${accountNumber.replace("-", " ").replaceAll("1", "I")}`;
  if (draw < 0.85) return accountNumber.replace(/\D/g, "");
  if (draw < 0.89) return `${accountNumber.slice(0, -1)}${(Number(accountNumber.at(-1)) + 1) % 10}`;
  if (draw < 0.93) return chance.pick(["kwa mama", "LIGHT", "0712345678", "water bill"]);
  return "";
}
