import { randomUUID } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { ContractId, PayoutId, ReceiptId } from "../../../src/kernel/ids.ts";
import type { Approval, DeskAct, DeskDone, Payout } from "../../../src/payments/payments.ts";
import { auditBooks } from "../../scenario/books-audit.ts";
import { TEST_DARAJA_SECRET, TEST_SHORTCODE, useApp } from "../../support/app.ts";
import { pay, type C2bOptions } from "../../support/village.ts";

/** An M-Pesa account that can pay out; nothing listens at its address, the tests speak for the provider. */
function railsFile(): string {
  const file = join(mkdtempSync(join(tmpdir(), "washa-desk-")), "rails.json");
  const mpesa = {
    name: "mpesa",
    adapter: "daraja",
    path: "daraja",
    country: "KE",
    currency: "KES",
    zone: "Africa/Nairobi",
    secret: TEST_DARAJA_SECRET,
    settings: {
      baseUrl: "http://127.0.0.1:9",
      shortcodes: [TEST_SHORTCODE],
      consumerKey: "consumer",
      consumerSecret: "consumer",
      initiator: { name: "desk", securityCredential: "credential", b2cShortcode: TEST_SHORTCODE },
    },
  };
  writeFileSync(file, JSON.stringify({ channels: [mpesa] }));
  return file;
}

let payments = 0;

/** An office with a desk. After every test the books are looked at: nothing may be unexplained. */
export function useDesk({ approvalAbove = "" }: { approvalAbove?: string } = {}) {
  const program = useApp({
    env: { WASHA_RAILS: railsFile(), ...(approvalAbove === "" ? {} : { WASHA_APPROVAL_ABOVE: approvalAbove }) },
  });
  const db = () => program.current.app.database.db;
  const { desk, payouts } = {
    desk: () => program.current.app.desk,
    payouts: () => program.current.app.payouts,
  };

  beforeEach(() => program.current.clock.advance(1_000));
  afterEach(() => auditBooks(program.current));

  /** A payment through the real door; answers the receipt. */
  async function receive(options: C2bOptions): Promise<ReceiptId> {
    const transId = options.transId ?? `DESK${String((payments += 1)).padStart(6, "0")}`;
    program.current.clock.advance(1_000);
    await pay(program.current, { ...options, transId });
    const [found] = await program.current.app.receipts.list(db(), { search: transId, first: 1 });
    if (found === undefined) throw new Error(`${transId} was not booked.`);
    return found.id;
  }

  /** One that nobody can match. */
  const stray = (amount: string, more: Partial<C2bOptions> = {}): Promise<ReceiptId> =>
    receive({ account: "PG-0000", amount, ...more });

  function ask(act: DeskAct, { actor = "staff:1", reason = "The payer rang.", key = randomUUID() } = {}) {
    // Ids made in one millisecond have no order between them; people do not act that fast.
    program.current.clock.advance(1_000);
    return db().transaction((tx) => desk().act(tx, { act, by: { actor, role: "operations" }, reason, key }));
  }

  /** Does it; fails when a second person is needed. */
  async function done(act: DeskAct, more: { actor?: string; reason?: string } = {}): Promise<DeskDone> {
    const result = await ask(act, more);
    if (result.kind !== "done") throw new Error("A second person is needed.");
    return result.done;
  }

  async function proposed(act: DeskAct, more: { actor?: string; reason?: string } = {}): Promise<Approval> {
    const result = await ask(act, more);
    if (result.kind !== "proposed") throw new Error("It was done at once.");
    return result.approval;
  }

  const match = (receiptId: ReceiptId, ...parts: (readonly [ContractId, bigint] | readonly [ContractId])[]) =>
    done({
      kind: "match",
      receiptId,
      parts: parts.map(([contractId, amountMinor]) => ({ contractId, amountMinor })),
    });

  const unlink = (receiptId: ReceiptId, contractId: ContractId, amountMinor?: bigint) =>
    done({ kind: "unlink", receiptId, contractId, amountMinor });

  async function payout(made: DeskDone): Promise<Payout> {
    const found = await desk().findPayout(db(), made.payoutId as PayoutId);
    if (found === undefined) throw new Error("No payout was made.");
    return found;
  }

  /** What of a receipt is open in suspense. */
  async function open(receiptId: ReceiptId): Promise<bigint> {
    const items = await program.current.app.receipts.openSuspense(db(), { first: 100 });
    return items.find(({ receipt }) => receipt.id === receiptId)?.open.minor ?? 0n;
  }

  /** Balance of a system account, credit above zero. */
  async function held(codePrefix: string): Promise<bigint> {
    const rows = await program.current.app.ledger.trialBalance(db(), { codePrefix });
    return -rows.reduce((sum, { balanceMinor }) => sum + balanceMinor, 0n);
  }

  return {
    program,
    db,
    desk,
    receive,
    stray,
    ask,
    done,
    proposed,
    match,
    unlink,
    payout,
    open,
    held,
    /** What the provider says of a payout, in the end. */
    paidOut: (one: Payout) =>
      db().transaction((tx) =>
        payouts().complete(tx, one, {
          providerId: `OUT${one.id.slice(-8).toUpperCase()}`,
          at: program.current.clock.now(),
        }),
      ),
    notPaidOut: (one: Payout, reason: string) => db().transaction((tx) => payouts().fail(tx, one, reason)),
  };
}
