import type { ContractId, MakeId, ReceiptId } from "../kernel/ids.ts";
import { least, type Money } from "../kernel/money.ts";
import { NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Customers } from "../customers/customers.ts";
import type { Ledger, Line } from "../ledger/ledger.ts";
import type { TakeBack } from "../payments/payments.ts";
import type { Tx } from "../platform/database.ts";
import { formatAccountNumber } from "./account-number.ts";
import * as store from "./contracts.store.ts";
import type { ContractRow } from "./contracts.store.ts";
import type { AllocationRow, Announce } from "./credit.ts";

export interface TakeBackCommands {
  /**
   * Takes back what a receipt had bought, from the contracts that have it, the latest first. Held and refundable money goes
   * first; what is spent becomes debt, which the next payment settles before it buys anything. The light stays as it is.
   */
  takeBack: TakeBack;
  /** Sets refundable money of a contract aside for paying it out; answers the account where it stood. */
  takeRefundable(tx: Tx, order: { contractId: ContractId; amount: Money }): Promise<{ sourceAccountId: bigint }>;
  /** Gives money that could not be paid out back to the contract's refundable amount. */
  returnRefundable(tx: Tx, order: { contractId: ContractId; amount: Money }): Promise<void>;
}

/** How an amount is taken from one contract; the parts sum to it. */
interface Parts {
  readonly refundable: bigint;
  readonly carried: bigint;
  readonly owed: bigint;
}

export function makeTakeBackCommands({
  makeId,
  ledger,
  customers,
  announce,
}: {
  makeId: MakeId;
  ledger: Ledger;
  customers: Customers;
  announce: Announce;
}): TakeBackCommands {
  const takeBack: TakeBack = async (tx, { receiptId, causes, contractId: only, amount, cause, at, why }) => {
    const nothing = { taken: { minor: 0n, currency: amount.currency }, debits: [] };
    const found = await store.findAllocationsByCauses(tx, causes);
    const rows = found.filter(({ contractId }) => only === undefined || contractId === only);
    const shares = sharesOf(rows, amount.minor);
    if (shares === undefined) return nothing;
    const locked = await store.lock(tx, { ids: [...shares.keys()] });
    const debits: Line[] = [];
    const after: ContractRow[] = [];
    const allocations: AllocationRow[] = [];
    for (const contract of locked) {
      const minor = shares.get(contract.id) ?? 0n;
      const given = rows.filter(({ contractId }) => contractId === contract.id);
      const parts = partsOf(contract, given, minor);
      debits.push(...(await debitLines(tx, contract, parts)));
      after.push(contractAfter(contract, { minor, parts }));
      allocations.push(allocationOf(contract, { minor, parts, cause, at }));
    }
    await store.update(tx, after);
    await store.insertAllocations(tx, allocations);
    for (const contract of after)
      await tell(tx, contract, { receiptId, cause, why, minor: shares.get(contract.id) ?? 0n });
    return { taken: amount, debits };
  };

  async function debitLines(tx: Tx, contract: ContractRow, parts: Parts): Promise<readonly Line[]> {
    const lost =
      contract.state === "written_off" && parts.owed > 0n
        ? await writtenOffAccount(tx, contract)
        : contract.debtAccountId;
    return [
      { accountId: contract.refundableAccountId, amountMinor: parts.refundable },
      { accountId: contract.creditAccountId, amountMinor: parts.carried },
      { accountId: lost, amountMinor: parts.owed },
    ];
  }

  /** Nobody collects a debt on a contract that was given up: it is lost with the rest. */
  async function writtenOffAccount(tx: Tx, { currency }: ContractRow): Promise<bigint> {
    const [id] = await ledger.openAccounts(tx, [{ code: `system/written_off/${currency}`, kind: "expense", currency }]);
    if (id === undefined) throw new Error("Bug: an account was not opened.");
    return id;
  }

  function allocationOf(
    contract: ContractRow,
    { minor, parts, cause, at }: { minor: bigint; parts: Parts; cause: string; at: Date },
  ): AllocationRow {
    return {
      id: makeId<"Allocation">(),
      contractId: contract.id,
      cause,
      paidAt: at,
      receivedMinor: -minor,
      debtMinor: -parts.owed,
      depositMinor: 0n,
      spentMinor: 0n,
      carriedChangeMinor: -parts.carried,
      refundableMinor: -parts.refundable,
      units: 0,
      effect: "none",
      paidFromAt: null,
      paidUntilAt: null,
    };
  }

  async function tell(
    tx: Tx,
    contract: ContractRow,
    about: { receiptId: ReceiptId; cause: string; why: "reversed" | "unlinked"; minor: bigint },
  ): Promise<void> {
    const contact = (await customers.contacts(tx, [contract.customerId])).get(contract.customerId);
    if (contact?.phone === undefined) return;
    await announce(tx, [
      {
        key: `${about.why}:${about.cause}:${contract.id}`,
        contact,
        contractId: contract.id,
        receiptId: about.receiptId,
        amount: { minor: about.minor, currency: contract.currency },
        account: formatAccountNumber(contract.accountNumber),
        event: {
          kind: "taken_back",
          debt: { minor: contract.debtMinor, currency: contract.currency },
          why: about.why,
        },
      },
    ]);
  }

  async function lockOne(tx: Tx, contractId: ContractId): Promise<ContractRow> {
    const [contract] = await store.lock(tx, { ids: [contractId] });
    if (contract === undefined) throw new NotFound("contract", "contractId");
    return contract;
  }

  return {
    takeBack,
    async takeRefundable(tx, { contractId, amount }) {
      const contract = await lockOne(tx, contractId);
      if (contract.currency !== amount.currency)
        throw new NotAllowedNow(`The contract is in ${contract.currency}, not in ${amount.currency}.`);
      if (contract.refundableMinor < amount.minor)
        throw new NotAllowedNow("The contract has less refundable money than that.");
      await store.update(tx, [{ ...contract, refundableMinor: contract.refundableMinor - amount.minor }]);
      return { sourceAccountId: contract.refundableAccountId };
    },
    async returnRefundable(tx, { contractId, amount }) {
      const contract = await lockOne(tx, contractId);
      await store.update(tx, [{ ...contract, refundableMinor: contract.refundableMinor + amount.minor }]);
    },
  };
}

/** How much to take from which contract: never more than it has of the receipt. Undefined when all together have less. */
function sharesOf(rows: readonly AllocationRow[], minor: bigint): ReadonlyMap<ContractId, bigint> | undefined {
  const held = new Map<ContractId, bigint>();
  // Newest first: a receipt that was moved stands where it was moved to.
  for (const { contractId, receivedMinor } of rows.toReversed())
    held.set(contractId, (held.get(contractId) ?? 0n) + receivedMinor);
  const shares = new Map<ContractId, bigint>();
  let left = minor;
  for (const [contractId, most] of held) {
    const share = least(most > 0n ? most : 0n, left);
    if (share > 0n) shares.set(contractId, share);
    left -= share;
  }
  return left === 0n ? shares : undefined;
}

function partsOf(contract: ContractRow, given: readonly AllocationRow[], minor: bigint): Parts {
  const excess = given.reduce((sum, row) => sum + row.refundableMinor, 0n);
  const refundable = least(least(contract.refundableMinor, excess > 0n ? excess : 0n), minor);
  const carried = least(contract.carriedMinor, minor - refundable);
  return { refundable, carried, owed: minor - refundable - carried };
}

function contractAfter(contract: ContractRow, { minor, parts }: { minor: bigint; parts: Parts }): ContractRow {
  return {
    ...contract,
    receivedMinor: contract.receivedMinor - minor,
    refundableMinor: contract.refundableMinor - parts.refundable,
    carriedMinor: contract.carriedMinor - parts.carried,
    debtMinor: contract.state === "written_off" ? contract.debtMinor : contract.debtMinor + parts.owed,
  };
}
