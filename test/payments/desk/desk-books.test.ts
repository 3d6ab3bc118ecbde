import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { Refusal } from "../../../src/kernel/refusal.ts";
import type { ReceiptId } from "../../../src/kernel/ids.ts";
import { storeArrivals } from "../../../src/payments/inbox/arrivals.store.ts";
import type { DeskAct } from "../../../src/payments/payments.ts";
import { auditBooks } from "../../scenario/books-audit.ts";
import { TEST_SHORTCODE } from "../../support/app.ts";
import { makeHousehold, pay, type Household } from "../../support/village.ts";
import { useDesk } from "./desk-world.ts";

const office = useDesk();
const { db, receive, ask } = office;

/** The same numbers for the same seed (mulberry32). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The provider takes a payment back, wholly or in part, whatever people do with it at that moment. */
async function reverse(receiptId: ReceiptId, minor: bigint, name: string): Promise<void> {
  const { app, clock } = office.program.current;
  const receipt = (await app.receipts.find(db(), [receiptId])).get(receiptId);
  if (receipt === undefined) throw new Error("The receipt is gone.");
  await db().transaction((tx) =>
    storeArrivals(tx, [
      {
        rail: receipt.rail,
        form: "statement",
        source: "statement",
        isEvidence: true,
        report: {
          type: "reversal",
          transactionStatus: "completed",
          transactionReference: name,
          correlation: undefined,
          originalTransactionReference: receipt.providerId,
          amount: { minor, currency: receipt.amount.currency },
          creditParty: TEST_SHORTCODE,
          reference: "",
          payer: { phone: undefined, hash: undefined, name: undefined },
          at: clock.now(),
          statusReason: undefined,
        },
        raw: Buffer.from(name),
        sourceAddress: "-",
        receivedAt: clock.now(),
      },
    ]),
  );
  await office.program.current.settle();
}

test.each([1, 2, 3, 4, 5, 13])(
  "whatever three people do at once, while providers pay, fail and reverse, no minor unit is lost (seed %i)",
  async (seed) => {
    const pick = numbersFrom(seed);
    const homes: Household[] = [];
    for (let at = 0; at < 4; at++)
      homes.push(await makeHousehold(office.program.current, { terms: { totalMinor: at === 0 ? 10_000n : 500_000n } }));
    const home = (): Household => homes[pick(homes.length)] ?? (homes[0] as Household);
    const receipts: ReceiptId[] = [];
    for (let at = 0; at < 8; at++)
      receipts.push(
        await receive({
          account: pick(2) === 0 ? home().accountNumber : "PG-0000",
          amount: String(40 + pick(120)),
          ...(pick(2) === 0 ? { msisdn: home().phone.slice(1) } : {}),
        }),
      );
    const amount = (): bigint | undefined => (pick(3) === 0 ? undefined : BigInt(1 + pick(3_000)));
    const randomAct = (): DeskAct => {
      const receiptId = receipts[pick(receipts.length)] as ReceiptId;
      const contractId = home().contract.id;
      switch (pick(6)) {
        case 0:
        case 1: {
          const others = homes.slice(pick(3)).map(({ contract }) => ({ contractId: contract.id, amountMinor: 500n }));
          return { kind: "match", receiptId, parts: pick(3) === 0 ? others : [{ contractId, amountMinor: amount() }] };
        }
        case 2:
        case 3:
          return { kind: "unlink", receiptId, contractId, amountMinor: amount() };
        case 4:
          return {
            kind: "refund_suspense",
            receiptId,
            amountMinor: amount(),
            phone: pick(2) === 0 ? "0712000009" : undefined,
          };
        default:
          return { kind: "refund_contract", contractId, amountMinor: amount(), phone: undefined, rail: undefined };
      }
    };
    let done = 0;
    const attempt = async (act: DeskAct): Promise<void> => {
      const isPaid = pick(2) === 0;
      const result = await ask(act).catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        return undefined;
      });
      if (result?.kind !== "done") return;
      done += 1;
      if (result.done.payoutId === null) return;
      const made = await office.payout(result.done);
      await (isPaid ? office.paidOut(made) : office.notPaidOut(made, "limit"));
    };
    for (let round = 0; round < 12; round++) {
      const acts = [randomAct(), randomAct(), randomAct()];
      const taken = round % 4 === 3 ? receipts[pick(receipts.length)] : undefined;
      await Promise.all([
        ...acts.map(attempt),
        pay(office.program.current, { account: home().accountNumber, amount: "50" }),
        ...(taken === undefined ? [] : [reverse(taken, BigInt(1 + pick(4_000)), `REV${seed}X${round}`)]),
      ]);
      await office.program.current.settle();
      // Nobody waited for the desk in a circle: a payment that failed once would say so here.
      expect([...(await db().execute(sql`select failure from payments.pending`))]).toEqual([]);
      await auditBooks(office.program.current);
    }
    expect(done).toBeGreaterThan(2);
  },
);
