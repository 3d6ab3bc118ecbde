import type { ContractId, CustomerId, MakeId, ReceiptId } from "../kernel/ids.ts";
import type { Money } from "../kernel/money.ts";
import { NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Contact, Customers } from "../customers/customers.ts";
import type { Devices, Token, TokenIssuer } from "../devices/devices.ts";
import type { Ledger, Line } from "../ledger/ledger.ts";
import type { Destination, Receipt } from "../payments/payments.ts";
import type { Tx } from "../platform/database.ts";
import { formatAccountNumber, parseAccountNumber, type AccountNumber } from "./account-number.ts";
import { allocate, missingForUnit, type Allocation, type Standing } from "./allocate.ts";
import * as store from "./contracts.store.ts";
import type { ContractRow, TermsRow } from "./contracts.store.ts";
import type { AllocationRow, Announce, Credit, News } from "./credit.ts";
import type { Plans } from "./plans.commands.ts";
import type { PlanVersion } from "./terms.ts";

/** Money that buys: from a receipt, or from a person's adjustment. */
export interface Purchase {
  readonly cause: string;
  readonly receiptId: ReceiptId | undefined;
  readonly amount: Money;
  readonly paidAt: Date;
}

/** Contracts under lock, with all that deciding needs; changed in memory and written once. */
export interface Workspace {
  readonly contracts: Map<ContractId, ContractRow>;
  readonly terms: ReadonlyMap<ContractId, readonly TermsRow[]>;
  readonly versions: ReadonlyMap<PlanVersion["id"], PlanVersion>;
  readonly issuer: TokenIssuer;
  readonly contacts: ReadonlyMap<CustomerId, Contact>;
  readonly allocations: AllocationRow[];
  readonly news: News[];
}

export interface ReceiptJobs {
  allocateReceipts(tx: Tx, receipts: readonly Receipt[]): Promise<readonly Destination[]>;
  matchReceipt: Credit["matchReceipt"];
  /** Locks contracts and their devices, and prepares the deciding. */
  open(tx: Tx, locked: readonly ContractRow[]): Promise<Workspace>;
  /** Lets money buy on one contract of the workspace and answers the ledger lines of its credit side. */
  buy(workspace: Workspace, contractId: ContractId, purchase: Purchase): readonly Line[];
  /** Writes all that was decided, in a handful of statements whatever their number. */
  save(tx: Tx, workspace: Workspace): Promise<void>;
}

export function makeReceiptJobs({
  clock,
  makeId,
  ledger,
  customers,
  devices,
  plans,
  announce,
}: {
  clock: Clock;
  makeId: MakeId;
  ledger: Ledger;
  customers: Customers;
  devices: Devices;
  plans: Plans;
  announce: Announce;
}): ReceiptJobs {
  /** Income accounts by currency, found when a workspace is opened. */
  const rentAccounts = new Map<string, bigint>();

  async function open(tx: Tx, locked: readonly ContractRow[]): Promise<Workspace> {
    const ids = locked.map(({ id }) => id);
    const terms = await store.findTerms(tx, ids);
    const versionIds = [...terms.values()].flat().map(({ planVersionId }) => planVersionId);
    await openRentAccounts(tx, locked);
    return {
      contracts: new Map(locked.map((contract) => [contract.id, contract])),
      terms,
      versions: await plans.versions(tx, versionIds),
      issuer: await devices.lockForTokens(tx, [...new Set(locked.map(({ deviceId }) => deviceId))]),
      contacts: await customers.contacts(tx, [...new Set(locked.map(({ customerId }) => customerId))]),
      allocations: [],
      news: [],
    };
  }

  async function openRentAccounts(tx: Tx, locked: readonly ContractRow[]): Promise<void> {
    const currencies = [
      ...new Set(locked.filter(({ outstandingMinor }) => outstandingMinor === null).map(({ currency }) => currency)),
    ];
    const ids = await ledger.openAccounts(
      tx,
      currencies.map((currency) => ({ code: `system/rent/${currency}`, kind: "income", currency })),
    );
    currencies.forEach((currency, at) => rentAccounts.set(currency, ids[at] ?? 0n));
  }

  function buy(workspace: Workspace, contractId: ContractId, purchase: Purchase): readonly Line[] {
    const contract = workspace.contracts.get(contractId);
    if (contract === undefined) throw new Error(`Bug: contract ${contractId} was not locked.`);
    const version = versionAt(workspace, contractId, purchase.paidAt);
    const device = workspace.issuer.device(contract.deviceId);
    const standing = standingOf(contract, version);
    const payment = { receivedMinor: purchase.amount.minor, paidAt: purchase.paidAt, bookedAt: clock.now() };
    const allocation =
      contract.state === "active"
        ? allocate(version, standing, { timeDivider: device.timeDivider, payment })
        : keepForCustomer(standing, payment.receivedMinor);
    const tokens = issueFor(workspace.issuer, contract, { allocation, cause: purchase.cause });
    const after = contractAfter(contract, { allocation, version, purchase });
    workspace.contracts.set(contractId, after);
    workspace.allocations.push(allocationRow(contractId, allocation, purchase));
    workspace.news.push(
      newsOf({
        contract: after,
        allocation,
        tokens,
        smsWaits: workspace.issuer.smsWaits(tokens),
        purchase,
        timeDivider: device.timeDivider,
        contact: workspace.contacts.get(contract.customerId),
        missing: missingForUnit(version, allocation.after, device.timeDivider),
      }),
    );
    return creditLines(contract, allocation);
  }

  function allocationRow(
    contractId: ContractId,
    allocation: Allocation,
    { cause, amount, paidAt }: Purchase,
  ): AllocationRow {
    const { debtMinor, depositMinor, spentMinor, carriedChangeMinor, refundableMinor, units, effect, paidFromAt } =
      allocation;
    return {
      id: makeId<"Allocation">(),
      contractId,
      cause,
      paidAt,
      receivedMinor: amount.minor,
      debtMinor,
      depositMinor,
      spentMinor,
      carriedChangeMinor,
      refundableMinor,
      units,
      effect,
      paidFromAt: paidFromAt ?? null,
      paidUntilAt: paidFromAt === undefined ? null : (allocation.after.paidUntilAt ?? null),
    };
  }

  /** Debt, price, held money and refundable money each have an account of the contract; rent is income at once. */
  function creditLines(contract: ContractRow, allocation: Allocation): readonly Line[] {
    const priced =
      contract.outstandingMinor === null ? (rentAccounts.get(contract.currency) ?? 0n) : contract.receivableAccountId;
    return [
      { accountId: contract.debtAccountId, amountMinor: -allocation.debtMinor },
      { accountId: priced, amountMinor: -(allocation.depositMinor + allocation.spentMinor) },
      { accountId: contract.creditAccountId, amountMinor: -allocation.carriedChangeMinor },
      { accountId: contract.refundableAccountId, amountMinor: -allocation.refundableMinor },
    ];
  }

  async function save(tx: Tx, workspace: Workspace): Promise<void> {
    await store.update(tx, [...workspace.contracts.values()]);
    await store.insertAllocations(tx, workspace.allocations);
    await workspace.issuer.save();
    await announce(
      tx,
      workspace.news.filter(({ contact }) => contact.phone !== undefined),
    );
  }

  async function allocateReceipts(tx: Tx, receipts: readonly Receipt[]): Promise<readonly Destination[]> {
    const byPayer = await contractsByPayer(tx, receipts);
    const numbers = receipts.map(({ reference }) => parseAccountNumber(reference));
    const locked = await store.lock(tx, {
      ids: [...new Set(byPayer.values())],
      numbers: [...new Set(numbers.filter((number) => number !== undefined))],
    });
    const byNumber = new Map<AccountNumber, ContractRow>(locked.map((contract) => [contract.accountNumber, contract]));
    const workspace = await open(tx, locked);
    const destinations = receipts.map((): Destination => ({ kind: "suspense", reason: "account_unknown" }));
    // Payments of one contract buy in the order in which they were made, whatever the order of their arrival.
    const order = receipts.map((_, at) => at).sort((left, right) => comparePaid(receipts[left], receipts[right]));
    for (const at of order) {
      const receipt = receipts[at];
      if (receipt === undefined) continue;
      const number = numbers[at];
      const payerContract = byPayer.get(receipt.id);
      const contract =
        number !== undefined
          ? byNumber.get(number)
          : payerContract === undefined
            ? undefined
            : workspace.contracts.get(payerContract);
      destinations[at] = settleOne(workspace, receipt, contract);
    }
    await save(tx, workspace);
    return destinations;
  }

  function settleOne(workspace: Workspace, receipt: Receipt, contract: ContractRow | undefined): Destination {
    if (receipt.type === "transfer") return { kind: "suspense", reason: "organisation" };
    if (contract === undefined) {
      tellUnknown(workspace, receipt);
      return { kind: "suspense", reason: receipt.reference.trim() === "" ? "account_missing" : "account_unknown" };
    }
    if (contract.currency !== receipt.amount.currency) return { kind: "suspense", reason: "currency_differs" };
    if (contract.state === "written_off") return { kind: "suspense", reason: "contract_ended" };
    return {
      kind: "contract",
      credits: buy(workspace, contract.id, {
        cause: receipt.id,
        receiptId: receipt.id,
        amount: receipt.amount,
        paidAt: receipt.paidAt,
      }),
    };
  }

  /** The payer learns that the money is safe, when the rail told us where to write to. */
  function tellUnknown(workspace: Workspace, receipt: Receipt): void {
    if (receipt.payerPhone === undefined) return;
    workspace.news.push({
      // Not the key of what the payment buys once a person has matched it: that message must go out too.
      key: `unknown:${receipt.id}`,
      contact: { customerId: "" as CustomerId, phone: receipt.payerPhone as `+${string}`, language: "en" },
      contractId: undefined,
      receiptId: receipt.id,
      amount: receipt.amount,
      account: receipt.reference.trim() || "-",
      event: { kind: "account_unknown" },
    });
  }

  /** A payment without an account (a till) belongs to the payer's only active contract, when there is exactly one. */
  async function contractsByPayer(tx: Tx, receipts: readonly Receipt[]): Promise<ReadonlyMap<ReceiptId, ContractId>> {
    const open = receipts.filter(({ reference, payerHash }) => reference.trim() === "" && payerHash !== undefined);
    if (open.length === 0) return new Map();
    const hexOf = (hash: Uint8Array): string => Buffer.from(hash).toString("hex");
    const owners = await customers.findByPhoneHashes(
      tx,
      open.flatMap(({ payerHash }) => (payerHash === undefined ? [] : [payerHash])),
    );
    const contracts = await store.findActiveOf(
      tx,
      owners.map(({ customerId }) => customerId),
    );
    const byHash = new Map<string, Set<ContractId>>();
    for (const { customerId, hash } of owners) {
      const set = byHash.get(hexOf(hash)) ?? new Set();
      for (const contract of contracts) if (contract.customerId === customerId) set.add(contract.id);
      byHash.set(hexOf(hash), set);
    }
    const matches = open.flatMap(({ id, payerHash }): [ReceiptId, ContractId][] => {
      const [only, ...others] = byHash.get(hexOf(payerHash ?? new Uint8Array())) ?? [];
      return only !== undefined && others.length === 0 ? [[id, only]] : [];
    });
    return new Map(matches);
  }

  const matchReceipt: Credit["matchReceipt"] = async (tx, { receipt, contractId, amountMinor, cause }) => {
    const locked = await store.lock(tx, { ids: [contractId] });
    const [contract] = locked;
    if (contract === undefined) throw new NotFound("contract", "contractId");
    if (contract.state === "written_off") throw new NotAllowedNow("This contract is written off.");
    if (contract.currency !== receipt.amount.currency)
      throw new NotAllowedNow("The payment is in another currency than the contract.");
    const workspace = await open(tx, locked);
    const lines = buy(workspace, contractId, {
      cause,
      receiptId: receipt.id,
      amount: { minor: amountMinor, currency: contract.currency },
      paidAt: receipt.paidAt,
    });
    await save(tx, workspace);
    return lines;
  };

  return { allocateReceipts, matchReceipt, open, buy, save };
}

function comparePaid(left: Receipt | undefined, right: Receipt | undefined): number {
  if (left === undefined || right === undefined) return 0;
  return left.paidAt.getTime() - right.paidAt.getTime() || Number(left.callbackId - right.callbackId);
}

/** The terms in force at the provider's event time; money paid before the first terms buys under the first. */
function versionAt({ terms, versions }: Workspace, contractId: ContractId, at: Date): PlanVersion {
  const rows = terms.get(contractId) ?? [];
  const inForce = rows.findLast(({ effectiveAt }) => effectiveAt <= at) ?? rows[0];
  const version = inForce === undefined ? undefined : versions.get(inForce.planVersionId);
  if (version === undefined) throw new Error(`Bug: contract ${contractId} has no terms.`);
  return version;
}

/** The fraction owed is counted in the price it came from; under another price it lapses, in the customer's favour. */
export function standingOf(contract: ContractRow, version: PlanVersion): Standing {
  return {
    depositDueMinor: contract.depositDueMinor,
    outstandingMinor: contract.outstandingMinor,
    carriedMinor: contract.carriedMinor,
    carriedFraction: contract.planVersionId === version.id ? contract.carriedFraction : 0n,
    debtMinor: contract.debtMinor,
    startedAt: contract.startedAt ?? undefined,
    paidUntilAt: contract.paidUntilAt ?? undefined,
    lampUntilAt: contract.lampUntilAt ?? undefined,
  };
}

/** A contract that is paid off buys nothing more: debt is paid, the rest is the customer's. */
function keepForCustomer(standing: Standing, receivedMinor: bigint): Allocation {
  const debtMinor = standing.debtMinor < receivedMinor ? standing.debtMinor : receivedMinor;
  return {
    debtMinor,
    depositMinor: 0n,
    spentMinor: 0n,
    carriedChangeMinor: 0n,
    refundableMinor: receivedMinor - debtMinor,
    units: 0,
    effect: "none",
    paidFromAt: undefined,
    after: { ...standing, debtMinor: standing.debtMinor - debtMinor },
  };
}

function issueFor(
  issuer: TokenIssuer,
  { deviceId }: ContractRow,
  { allocation, cause }: { allocation: Allocation; cause: string },
): readonly Token[] {
  if (allocation.effect === "unlock") return issuer.issue({ deviceId, kind: "disable", cause });
  return allocation.units > 0
    ? issuer.issue({ deviceId, kind: "add", units: allocation.units, cause, smsMayWait: true })
    : [];
}

function contractAfter(
  contract: ContractRow,
  { allocation, version, purchase }: { allocation: Allocation; version: PlanVersion; purchase: Purchase },
): ContractRow {
  const { after, refundableMinor, effect } = allocation;
  return {
    ...contract,
    planVersionId: version.id,
    state: effect === "unlock" ? "paid_off" : contract.state,
    endedAt: effect === "unlock" ? purchase.paidAt : contract.endedAt,
    startedAt: after.startedAt ?? null,
    receivedMinor: contract.receivedMinor + purchase.amount.minor,
    depositDueMinor: after.depositDueMinor,
    outstandingMinor: after.outstandingMinor,
    carriedMinor: after.carriedMinor,
    carriedFraction: after.carriedFraction,
    refundableMinor: contract.refundableMinor + refundableMinor,
    debtMinor: after.debtMinor,
    paidUntilAt: after.paidUntilAt ?? null,
    lampUntilAt: after.lampUntilAt ?? null,
  };
}

function newsOf({
  contract,
  allocation,
  tokens,
  smsWaits,
  purchase,
  timeDivider,
  contact,
  missing,
}: {
  contract: ContractRow;
  allocation: Allocation;
  tokens: readonly Token[];
  smsWaits: boolean;
  purchase: Purchase;
  timeDivider: number;
  contact: Contact | undefined;
  missing: bigint;
}): News {
  const { currency } = contract;
  const event = ((): News["event"] => {
    if (allocation.effect === "unlock") return { kind: "unlocked", tokens };
    if (contract.state === "paid_off") return { kind: "refundable" };
    if (smsWaits) return { kind: "light_coming", units: allocation.units, timeDivider };
    if (tokens.length > 0) return { kind: "tokens", tokens, units: allocation.units, timeDivider };
    if (allocation.after.debtMinor > 0n) return { kind: "debt", debt: { minor: allocation.after.debtMinor, currency } };
    return { kind: "held", missing: { minor: missing, currency } };
  })();
  return {
    key: `receipt:${purchase.cause}`,
    contact: contact ?? { customerId: contract.customerId, phone: undefined, language: "en" },
    contractId: contract.id,
    receiptId: purchase.receiptId,
    amount: purchase.amount,
    account: formatAccountNumber(contract.accountNumber),
    event,
  };
}
