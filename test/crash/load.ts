import { makeChance, type Chance } from "./chance.ts";
import { DARAJA_SECRET, SHORTCODE } from "./program.ts";
import type { Household } from "./village.ts";

/** A payment as the provider knows it, and where its money belongs. */
export interface Payment {
  readonly transId: string;
  readonly amountMinor: bigint;
  readonly reference: string;
  /** `payer`: no account was typed, so it belongs to the payer's contract while that one is active, else to suspense. */
  readonly belongs: { readonly to: "contract" | "payer"; readonly contractId: string } | { readonly to: "suspense" };
  /** Shown to us only when the rail shows it. */
  readonly payerPhone: string | undefined;
  readonly paidAt: Date;
}

/** What a payment's callers heard. */
export interface Told {
  readonly payment: Payment;
  successes: number;
  refusals: number;
  attempts: number;
}

export interface Load {
  /** By the provider's transaction id, in the order of the first sending. */
  readonly told: ReadonlyMap<string, Told>;
  /** Answers that were wrong in themselves, such as a success for a payment whose facts had changed. */
  readonly wrongAnswers: readonly string[];
  /** Takes no new payment; resolves when each begun one was acknowledged or given up. */
  stop(): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 4_000;
const DAYS_BACK_MAX = 30;
const GIVE_UP_AFTER = 2;

/**
 * Draws the n-th payment of a seed: repeatable, whatever the processes do meanwhile. Times are reordered, accounts are typed
 * well, badly or not at all.
 */
export function drawPayment({
  seed,
  at,
  households,
  startedAt,
}: {
  seed: number;
  at: number;
  households: readonly Household[];
  startedAt: Date;
}): Payment & { chance: Chance } {
  const chance = makeChance(seed * 7_919 + at * 104_729);
  const household = households[chance.below(households.length)];
  if (household === undefined) throw new Error("Nobody lives in the village.");
  const { contractId } = household;
  const digits = household.accountNumber.replace(/\D/g, "");
  const kind = chance.next();
  const typed = ((): Pick<Payment, "reference" | "belongs" | "payerPhone"> => {
    const shown = chance.happens(0.2) ? `+25470${String(1_000_000 + at)}` : undefined;
    if (kind < 0.7)
      return { reference: household.accountNumber, belongs: { to: "contract", contractId }, payerPhone: shown };
    if (kind < 0.8)
      return {
        reference: `pg ${digits.replaceAll("0", "O")}`,
        belongs: { to: "contract", contractId },
        payerPhone: shown,
      };
    if (kind < 0.87) return { reference: slipOf(digits, chance), belongs: { to: "suspense" }, payerPhone: shown };
    if (kind < 0.93)
      return {
        reference: chance.pick(["RENT", "LAMP", "TAA", "12", "PG-"]),
        belongs: { to: "suspense" },
        payerPhone: shown,
      };
    if (household.phone === undefined) return { reference: "", belongs: { to: "suspense" }, payerPhone: shown };
    return { reference: "", belongs: { to: "payer", contractId }, payerPhone: household.phone };
  })();
  const shillings = chance.happens(0.04) ? 1_200 + chance.below(2_000) : 5 + chance.below(400);
  const amountMinor = BigInt(shillings * 100 + (chance.happens(0.1) ? chance.below(100) : 0));
  const secondsBack = chance.happens(0.5) ? chance.below(120) : chance.below(DAYS_BACK_MAX * 86_400);
  const paidAt = new Date(Math.floor(startedAt.getTime() / 1000) * 1000 - secondsBack * 1000);
  return { transId: `C${seed}X${String(at).padStart(7, "0")}`, amountMinor, paidAt, ...typed, chance };
}

/** One digit typed wrong: the check digit finds every one of these. */
function slipOf(digits: string, chance: Chance): string {
  const place = chance.below(digits.length);
  return digits.slice(0, place) + String((Number(digits[place]) + 1 + chance.below(9)) % 10) + digits.slice(place + 1);
}

function bodyOf({ transId, amountMinor, reference, payerPhone, paidAt }: Payment): string {
  const nairobi = new Date(paidAt.getTime() + 3 * 3_600_000).toISOString().replace(/\D/g, "").slice(0, 14);
  return JSON.stringify({
    TransactionType: "Pay Bill",
    TransID: transId,
    TransTime: nairobi,
    TransAmount: `${amountMinor / 100n}.${String(amountMinor % 100n).padStart(2, "0")}`,
    BusinessShortCode: SHORTCODE,
    BillRefNumber: reference,
    InvoiceNumber: "",
    OrgAccountBalance: "25.00",
    ThirdPartyTransID: "",
    MSISDN: payerPhone?.slice(1) ?? "2547 ***** 126",
    FirstName: "NICHOLAS",
    MiddleName: "",
    LastName: "",
  });
}

/**
 * Starts `callers` that pay without end. A payment is sent once, several times at once, or again later; most callers send until
 * they hear a success, some give up early, and some later send the same id with another amount, which must be refused.
 */
export function startLoad({
  seed,
  callers,
  households,
  doors,
}: {
  seed: number;
  callers: number;
  households: readonly Household[];
  /** Base URLs of the programs that may be there. */
  doors: () => readonly string[];
}): Load {
  const startedAt = new Date();
  const told = new Map<string, Told>();
  const wrongAnswers: string[] = [];
  let next = 0;
  let stopping = false;

  async function post(body: string, chance: Chance): Promise<"success" | "refused" | "none"> {
    const open = doors();
    const door = open[chance.below(open.length)];
    if (door === undefined) return "none";
    try {
      const response = await fetch(`${door}/rails/daraja/${DARAJA_SECRET}/confirmation`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      const answer = (await response.json()) as { ResultCode?: unknown };
      if (response.status === 200 && answer.ResultCode === 0) return "success";
      return response.status >= 500 ? "none" : "refused";
    } catch {
      return "none"; // killed meanwhile: whether it was stored, the caller cannot know
    }
  }

  async function sendUntilSuccess(
    about: Told,
    { chance, stubborn }: { chance: Chance; stubborn: boolean },
  ): Promise<void> {
    const body = bodyOf(about.payment);
    for (let attempt = 1; stubborn || attempt <= GIVE_UP_AFTER; attempt++) {
      about.attempts += 1;
      const answer = await post(body, chance);
      if (answer === "success") {
        about.successes += 1;
        return;
      }
      if (answer === "refused") {
        about.refusals += 1;
        wrongAnswers.push(`${about.payment.transId} was refused though nothing is wrong with it`);
        return;
      }
      await pause(20 + chance.below(150));
    }
  }

  async function payOnce(at: number): Promise<void> {
    const { chance, ...payment } = drawPayment({ seed, at, households, startedAt });
    const about: Told = { payment, successes: 0, refusals: 0, attempts: 0 };
    told.set(payment.transId, about);
    const stubborn = chance.happens(0.9);
    const copies = chance.happens(0.15) ? 2 + chance.below(3) : 1;
    await Promise.all(
      Array.from({ length: copies }, (_, copy) =>
        sendUntilSuccess(about, { chance: makeChance(seed + at * 31 + copy), stubborn }),
      ),
    );
    if (chance.happens(0.15)) {
      await pause(chance.below(3_000));
      await sendUntilSuccess(about, { chance, stubborn: false });
    }
    if (about.successes > 0 && chance.happens(0.03)) {
      const forged = bodyOf({ ...payment, amountMinor: payment.amountMinor + 100n });
      if ((await post(forged, chance)) === "success")
        wrongAnswers.push(`${payment.transId} was taken again with another amount`);
    }
    await pause(chance.below(250));
  }

  async function call(): Promise<void> {
    while (!stopping) await payOnce(next++);
  }

  const calling = Promise.all(Array.from({ length: callers }, () => call()));
  return {
    told,
    wrongAnswers,
    async stop() {
      stopping = true;
      await calling;
    },
  };
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
