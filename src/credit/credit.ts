import type { CustomerId, ContractId, DeviceId, MakeId, PlanVersionId, ReceiptId } from "../kernel/ids.ts";
import { CURRENCIES, type Currency, type Money } from "../kernel/money.ts";
import type { Clock } from "../kernel/time.ts";
import type { Contact, Customers } from "../customers/customers.ts";
import type { Devices, Token } from "../devices/devices.ts";
import type { Ledger, Line } from "../ledger/ledger.ts";
import type { Destination, Payable, Receipt } from "../payments/payments.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { AccountNumber } from "./account-number.ts";
import { makeBookImport, type Book, type BookImport } from "./book.commands.ts";
import { makeContractCommands } from "./contracts.commands.ts";
import { makeContractQueries } from "./contracts.queries.ts";
import { makeDeviceLight, type DeviceLight } from "./device-light.commands.ts";
import type { Arrears, Instalment } from "./instalments.ts";
import { makeLoans, type Loans } from "./loan.commands.ts";
import { makePlans, type Plans } from "./plans.commands.ts";
import { forgetReminders, takeDueReminders, type DueReminder } from "./reminders.store.ts";
import { makeReceiptJobs } from "./receipts.jobs.ts";
import { makeTakeBackCommands, type TakeBackCommands } from "./take-back.commands.ts";
import type { Slip } from "./near-account-numbers.ts";
import type { LockState, Transition } from "./timeline.ts";

export { dictateAccountNumber, formatAccountNumber, parseAccountNumber, type AccountNumber } from "./account-number.ts";
export { bookSerial, type Book, type BookImport } from "./book.commands.ts";
export type { DueReminder } from "./reminders.store.ts";
export type { NewPlan, Plans } from "./plans.commands.ts";
export type { PlanVersion, Terms } from "./terms.ts";
export { dayPriceMinor } from "./terms.ts";
export type { Instalment, Arrears } from "./instalments.ts";
export type { Slip } from "./near-account-numbers.ts";
export type { Lendable, LoanRefusal } from "./loan.ts";
export type { LockState, Transition } from "./timeline.ts";

export type ContractState = "active" | "paid_off" | "written_off";

/** A sale on credit, or a rent: who has which device under which terms, and where the money stands. */
export interface Contract {
  readonly id: ContractId;
  readonly accountNumber: AccountNumber;
  readonly customerId: CustomerId;
  readonly deviceId: DeviceId;
  /** The terms that were applied last. */
  readonly planVersionId: PlanVersionId;
  readonly currency: Currency;
  readonly area: string;
  readonly state: ContractState;
  readonly soldBy: string;
  readonly soldAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly receivedMinor: bigint;
  readonly depositDueMinor: bigint;
  readonly outstandingMinor: bigint | null;
  readonly carriedMinor: bigint;
  readonly refundableMinor: bigint;
  readonly debtMinor: bigint;
  readonly paidUntilAt: Date | null;
  readonly lampUntilAt: Date | null;
}

export interface AllocationRow {
  readonly id: string;
  readonly contractId: ContractId;
  /** A receipt's id, or a command's. */
  readonly cause: string;
  readonly paidAt: Date;
  readonly receivedMinor: bigint;
  readonly debtMinor: bigint;
  readonly depositMinor: bigint;
  readonly spentMinor: bigint;
  readonly carriedChangeMinor: bigint;
  readonly refundableMinor: bigint;
  readonly units: number;
  readonly effect: "none" | "add" | "unlock";
  readonly paidFromAt: Date | null;
  readonly paidUntilAt: Date | null;
}

/** What a customer should be told; the composition root turns it into a message. */
export interface News {
  /** Unique: the same news twice is one message. */
  readonly key: string;
  readonly contact: Contact;
  readonly contractId: ContractId | undefined;
  readonly receiptId: ReceiptId | undefined;
  readonly amount: Money;
  readonly account: string;
  readonly event:
    | {
        readonly kind: "tokens";
        readonly tokens: readonly Token[];
        readonly units: number;
        readonly timeDivider: number;
      }
    /** The tokens go to the device by air, and come to the customer only when it does not take them in time. */
    | { readonly kind: "light_coming"; readonly units: number; readonly timeDivider: number }
    | {
        readonly kind: "tokens_after_all";
        readonly tokens: readonly Token[];
        readonly units: number;
        readonly timeDivider: number;
      }
    | { readonly kind: "held"; readonly missing: Money }
    | { readonly kind: "debt"; readonly debt: Money }
    | { readonly kind: "unlocked"; readonly tokens: readonly Token[] }
    | { readonly kind: "refundable" }
    /** Money went away after it had bought, to its payer or to whom it belongs; what it had bought already is owed. */
    | { readonly kind: "taken_back"; readonly debt: Money; readonly why: "reversed" | "unlinked" }
    | { readonly kind: "account_unknown" }
    | { readonly kind: "token_again"; readonly tokens: readonly Token[] }
    /** Light that is not paid yet; `debt` is all that is owed now. */
    | { readonly kind: "lent"; readonly tokens: readonly Token[]; readonly days: number; readonly debt: Money };
}

export type Announce = (tx: Tx, news: readonly News[]) => Promise<void>;

export interface ContractFilter {
  readonly area?: string | undefined;
  readonly state?: ContractState | undefined;
  readonly customerId?: CustomerId | undefined;
  readonly deviceId?: DeviceId | undefined;
}

export interface Credit extends TakeBackCommands, DeviceLight, Loans {
  readonly plans: Plans;
  /**
   * Sells a device from stock: the contract, its ledger accounts, the sale's posting. Refuses unknown plans, plans not yet
   * in force, and devices that are not in stock.
   */
  sell(
    tx: Tx,
    order: { customerId: CustomerId; serial: string; planCode: string; actor: string; soldAt?: Date | undefined },
  ): Promise<Contract>;
  /** What each receipt of a batch buys; see `AllocateReceipts` in payments. */
  allocateReceipts(tx: Tx, receipts: readonly Receipt[]): Promise<readonly Destination[]>;
  /**
   * Lets an amount of a receipt from suspense buy on a contract that a person chose, at the price in force when it was paid.
   * `cause` names the act: allocation and tokens are kept under it, once.
   */
  matchReceipt(
    tx: Tx,
    match: { receipt: Receipt; contractId: ContractId; amountMinor: bigint; cause: string },
  ): Promise<readonly Line[]>;
  /** Answers a validation request: may this account be paid now, and how little is too little. */
  findPayable(reference: string): Promise<Payable>;
  find(db: Db | Tx, id: ContractId): Promise<Contract | undefined>;
  findMany(db: Db | Tx, ids: readonly ContractId[]): Promise<ReadonlyMap<ContractId, Contract>>;
  findByAccountNumber(db: Db | Tx, number: AccountNumber): Promise<Contract | undefined>;
  list(
    db: Db | Tx,
    filter: ContractFilter,
    page: { first: number; after?: string | undefined },
  ): Promise<readonly Contract[]>;
  allocations(db: Db | Tx, contractId: ContractId): Promise<readonly AllocationRow[]>;
  /** What contracts got and gave back under some names, in the order in which it was written. */
  allocationsByCauses(db: Db | Tx, causes: readonly string[]): Promise<readonly AllocationRow[]>;
  /** Contracts whose account number is one slip of the finger away from what was typed. Guesses for a person, never for a rule. */
  findAccountsNear(
    db: Db | Tx,
    reference: string,
  ): Promise<readonly { readonly contract: Contract; readonly slip: Slip }[]>;
  findActiveOf(db: Db | Tx, customerIds: readonly CustomerId[]): Promise<readonly ContractId[]>;
  /** The contracts that some typed accounts name exactly. */
  findByReferences(db: Db | Tx, references: readonly string[]): Promise<ReadonlyMap<string, ContractId>>;
  timelineOf(db: Db | Tx, contractId: ContractId): Promise<readonly Transition[]>;
  lockState(contract: Contract): LockState;
  instalmentsOf(db: Db | Tx, contract: Contract): Promise<{ calendar: readonly Instalment[]; arrears: Arrears }>;
  /** Ledger accounts of a contract, for its statement. */
  accountsOf(db: Db | Tx, contractId: ContractId): Promise<readonly bigint[]>;
  /** The tokens of the latest payment that gave any, newest count last; refused for a contract that has ended in a write-off. */
  latestTokens(db: Db | Tx, contract: Contract): Promise<readonly Token[]>;
  /** Sends those tokens again. `key` names the act, so that a repeated request sends once. */
  resendTokens(tx: Tx, order: { contractId: ContractId; key: string }): Promise<readonly Token[]>;
  /** Takes money back (below zero: becomes debt, paid before time) or gives some (above zero: buys like a payment). */
  adjust(
    tx: Tx,
    order: {
      contractId: ContractId;
      amountMinor: bigint;
      reason: string;
      actor: string;
      key: string;
      at?: Date | undefined;
    },
  ): Promise<Contract>;
  /** Gives up the rest of the price as lost. The light is not taken away remotely; no more tokens are made. */
  writeOff(tx: Tx, order: { contractId: ContractId; reason: string; actor: string }): Promise<Contract>;
  /** Waives the rest of the price and unlocks for good. */
  payOff(tx: Tx, order: { contractId: ContractId; reason: string; actor: string }): Promise<Contract>;
  /** Moves the contract to another device from stock, with the light that is left on the old one. */
  swapDevice(
    tx: Tx,
    order: { contractId: ContractId; serial: string; reason: string; actor: string },
  ): Promise<Contract>;
  /** Puts the contract under another version of a plan from an instant on; payments before it keep their price. */
  changeTerms(
    tx: Tx,
    order: { contractId: ContractId; planVersionId: PlanVersionId; effectiveAt: Date; actor: string },
  ): Promise<void>;
  /**
   * What customers whose contracts are at home in a zone may be reminded of now; each is answered once, however many ask. Fewer than
   * the limit mean that there are no more.
   */
  dueReminders(tx: Tx, wish: { zone: string; now: Date; limit: number }): Promise<readonly DueReminder[]>;
  /** Forgets which of them were found before an instant. */
  forgetReminders(tx: Tx, before: Date): Promise<void>;
  /** Takes over another seller's price groups and accounts, whose devices are in stock already; everything or nothing. */
  importBook(
    tx: Tx,
    book: Book,
    options: { actor: string; area: string; onProgress?: (done: number, total: number) => void },
  ): Promise<BookImport>;
}

export interface CreditDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly makeId: MakeId;
  /** Where a currency is at home: instalments fall due on days there. */
  readonly zoneOf: (currency: Currency) => string;
  readonly ledger: Ledger;
  readonly customers: Customers;
  readonly devices: Devices;
  readonly announce: Announce;
}

/** Price plans and contracts: what money buys, and what it bought. */
export function makeCredit(deps: CreditDeps): Credit {
  const plans = makePlans(deps);
  const receiptJobs = makeReceiptJobs({ ...deps, plans });
  const queries = makeContractQueries({ ...deps, plans });
  const commands = makeContractCommands({ ...deps, plans, queries, receiptJobs });
  const importBook = makeBookImport({ ...deps, credit: { plans, ...commands } });
  return {
    plans,
    ...queries,
    ...commands,
    ...makeTakeBackCommands(deps),
    ...makeDeviceLight(deps),
    ...makeLoans({ ...deps, plans, receiptJobs }),
    importBook,
    allocateReceipts: receiptJobs.allocateReceipts,
    matchReceipt: receiptJobs.matchReceipt,
    dueReminders: (tx, wish) =>
      takeDueReminders(tx, { ...wish, currencies: CURRENCIES.filter((one) => deps.zoneOf(one) === wish.zone) }),
    forgetReminders,
  };
}
