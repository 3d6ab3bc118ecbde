import type { ContractId, MakeId } from "../kernel/ids.ts";
import type { Money } from "../kernel/money.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Customers } from "../customers/customers.ts";
import type { Devices, Token } from "../devices/devices.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Db, Tx } from "../platform/database.ts";
import { formatAccountNumber } from "./account-number.ts";
import * as store from "./contracts.store.ts";
import type { ContractRow } from "./contracts.store.ts";
import type { AllocationRow, Announce, News } from "./credit.ts";
import { decideLendable, type Lendable, type LoanRefusal } from "./loan.ts";
import type { Plans } from "./plans.commands.ts";
import type { ReceiptJobs } from "./receipts.jobs.ts";

export interface Loans {
  /** What this contract may borrow now. Refuses an unknown contract. */
  lendable(db: Db | Tx, contractId: ContractId): Promise<Lendable>;
  /**
   * Gives days of light before they are paid: booked as debt, which the next payment settles before it buys anything. The same key
   * lends once and answers the same tokens. Refuses what `lendable` would not offer.
   */
  lend(
    tx: Tx,
    order: { contractId: ContractId; days: number; actor: string; key: string },
  ): Promise<{ readonly tokens: readonly Token[]; readonly debt: Money }>;
}

export function makeLoans({
  clock,
  makeId,
  ledger,
  customers,
  devices,
  plans,
  receiptJobs,
  announce,
}: {
  clock: Clock;
  makeId: MakeId;
  ledger: Ledger;
  customers: Customers;
  devices: Devices;
  plans: Plans;
  receiptJobs: ReceiptJobs;
  announce: Announce;
}): Loans {
  async function decide(db: Db | Tx, contract: ContractRow): Promise<Lendable> {
    const now = clock.now();
    const terms = (await store.findTerms(db, [contract.id])).get(contract.id) ?? [];
    const { planVersionId } = terms.findLast(({ effectiveAt }) => effectiveAt <= now) ?? contract;
    const version = (await plans.versions(db, [planVersionId])).get(planVersionId);
    if (version === undefined) throw new Error(`Bug: contract ${contract.id} has no terms.`);
    const purchases = (await store.findAllocations(db, contract.id)).filter(
      ({ effect, cause }) => effect === "add" && !cause.startsWith(CAUSE),
    ).length;
    return decideLendable({ ...contract, purchases }, version, now);
  }

  /** Lets the contract buy as with money, and owes what it cost. */
  async function book(
    tx: Tx,
    contract: ContractRow,
    { cause, days, minor, actor }: { cause: string; days: number; minor: bigint; actor: string },
  ): Promise<ContractRow> {
    const at = clock.now();
    const { id: contractId, currency } = contract;
    const workspace = await receiptJobs.open(tx, [contract]);
    const amount: Money = { minor, currency };
    const lines = receiptJobs.buy(workspace, contractId, { cause, receiptId: undefined, amount, paidAt: at });
    const bought = workspace.contracts.get(contractId) ?? contract;
    const after: ContractRow = {
      ...bought,
      receivedMinor: bought.receivedMinor - minor,
      debtMinor: bought.debtMinor + minor,
    };
    workspace.contracts.set(contractId, after);
    workspace.allocations.push(owedRow({ id: makeId(), contractId, cause, at, minor }));
    // It would speak of money that was received.
    workspace.news.length = 0;
    await ledger.post(tx, [
      {
        id: makeId(),
        kind: "loan",
        memo: `Light of ${String(days)} ${days === 1 ? "day" : "days"} on credit`,
        reference: contractId,
        idempotencyKey: cause,
        currency,
        effectiveAt: at,
        actor,
        lines: [{ accountId: contract.debtAccountId, amountMinor: minor }, ...lines],
      },
    ]);
    await receiptJobs.save(tx, workspace);
    const detail = { days: String(days), amountMinor: minor.toString() };
    await store.insertEvent(tx, { id: makeId<"ContractEvent">(), contractId, kind: "lent", at, actor, detail });
    return after;
  }

  async function tell(
    tx: Tx,
    contract: ContractRow,
    { key, amount, event }: Pick<News, "key" | "amount" | "event">,
  ): Promise<void> {
    const contact = (await customers.contacts(tx, [contract.customerId])).get(contract.customerId);
    if (contact?.phone === undefined) return;
    const account = formatAccountNumber(contract.accountNumber);
    await announce(tx, [{ key, contact, contractId: contract.id, receiptId: undefined, amount, account, event }]);
  }

  return {
    async lendable(db, contractId) {
      const contract = (await store.findMany(db, [contractId])).get(contractId);
      if (contract === undefined) throw new NotFound("contract", "contractId");
      return await decide(db, contract);
    },

    async lend(tx, { contractId, days, actor, key }) {
      const [contract] = await store.lock(tx, { ids: [contractId] });
      if (contract === undefined) throw new NotFound("contract", "contractId");
      const cause = `${CAUSE}${key}`;
      const before = await store.findAllocationsByCauses(tx, [cause]);
      if (before.some((row) => row.contractId === contractId))
        return {
          tokens: await devices.tokensByCause(tx, [cause]),
          debt: { minor: contract.debtMinor, currency: contract.currency },
        };
      const lendable = await decide(tx, contract);
      if (lendable.kind === "none") throw new NotAllowedNow(WHY[lendable.why]);
      if (!lendable.days.includes(days))
        throw new InvalidInput(`Days that may be borrowed now: ${lendable.days.join(", ")}.`, "days");
      const minor = lendable.dayPriceMinor * BigInt(days);
      const after = await book(tx, contract, { cause, days, minor, actor });
      const tokens = await devices.tokensByCause(tx, [cause]);
      const debt: Money = { minor: after.debtMinor, currency: contract.currency };
      await tell(tx, contract, { key: cause, amount: { ...debt, minor }, event: { kind: "lent", tokens, days, debt } });
      return { tokens, debt };
    },
  };
}

const CAUSE = "loan:";

/** The debt of a loan among what a contract got: no money came for what it bought. */
function owedRow({
  id,
  contractId,
  cause,
  at,
  minor,
}: {
  id: AllocationRow["id"];
  contractId: ContractId;
  cause: string;
  at: Date;
  minor: bigint;
}): AllocationRow {
  return {
    id,
    contractId,
    cause: `${cause}:owed`,
    paidAt: at,
    receivedMinor: -minor,
    debtMinor: -minor,
    depositMinor: 0n,
    spentMinor: 0n,
    carriedChangeMinor: 0n,
    refundableMinor: 0n,
    units: 0,
    effect: "none",
    paidFromAt: null,
    paidUntilAt: null,
  };
}

const WHY: Readonly<Record<LoanRefusal, string>> = {
  ended: "This contract has ended: it borrows nothing more.",
  too_new: "Days are lent after three payments, and when the deposit is paid.",
  debt: "What is owed on this contract is paid before more is lent.",
  light_left: "There is more than a day of light left; borrow when it is needed.",
  little_left: "Less is left to pay than one day costs: pay that and the system is unlocked for good.",
};
