import { sql, type SQL } from "drizzle-orm";
import type { ContractId, CustomerId, DeviceId, PlanVersionId } from "../kernel/ids.ts";
import type { Currency } from "../kernel/money.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { AccountNumber } from "./account-number.ts";
import type { AllocationRow, Contract, ContractFilter, ContractState } from "./credit.ts";

/** A contract as its commands need it: with the fraction owed and the ledger accounts. */
export interface ContractRow extends Contract {
  readonly carriedFraction: bigint;
  readonly receivableAccountId: bigint;
  readonly creditAccountId: bigint;
  readonly refundableAccountId: bigint;
  readonly debtAccountId: bigint;
}

interface Row extends Record<string, unknown> {
  id: ContractId;
  account_number: AccountNumber;
  customer_id: CustomerId;
  device_id: DeviceId;
  plan_version_id: PlanVersionId;
  currency: Currency;
  area: string;
  state: ContractState;
  sold_by: string;
  sold_at: string;
  started_at: string | null;
  ended_at: string | null;
  received_minor: string;
  deposit_due_minor: string;
  outstanding_minor: string | null;
  carried_minor: string;
  carried_fraction: string;
  refundable_minor: string;
  debt_minor: string;
  paid_until_at: string | null;
  lamp_until_at: string | null;
  receivable_account_id: string;
  credit_account_id: string;
  refundable_account_id: string;
  debt_account_id: string;
}

const instant = (text: string | null): Date | null => (text === null ? null : new Date(text));

function contractOf(row: Row): ContractRow {
  return {
    id: row.id,
    accountNumber: row.account_number,
    customerId: row.customer_id,
    deviceId: row.device_id,
    planVersionId: row.plan_version_id,
    currency: row.currency,
    area: row.area,
    state: row.state,
    soldBy: row.sold_by,
    soldAt: new Date(row.sold_at),
    startedAt: instant(row.started_at),
    endedAt: instant(row.ended_at),
    receivedMinor: BigInt(row.received_minor),
    depositDueMinor: BigInt(row.deposit_due_minor),
    outstandingMinor: row.outstanding_minor === null ? null : BigInt(row.outstanding_minor),
    carriedMinor: BigInt(row.carried_minor),
    carriedFraction: BigInt(row.carried_fraction),
    refundableMinor: BigInt(row.refundable_minor),
    debtMinor: BigInt(row.debt_minor),
    paidUntilAt: instant(row.paid_until_at),
    lampUntilAt: instant(row.lamp_until_at),
    receivableAccountId: BigInt(row.receivable_account_id),
    creditAccountId: BigInt(row.credit_account_id),
    refundableAccountId: BigInt(row.refundable_account_id),
    debtAccountId: BigInt(row.debt_account_id),
  };
}

export async function nextSerial(tx: Tx): Promise<bigint> {
  const [row] = await tx.execute<{ serial: string }>(sql`select nextval('credit.account_serials') as serial`);
  if (row === undefined) throw new Error("Bug: a sequence gave no number.");
  return BigInt(row.serial);
}

export async function insert(tx: Tx, contract: ContractRow): Promise<void> {
  await tx.execute(sql`
    insert into credit.contracts (id, account_number, customer_id, device_id, plan_version_id, currency, area, state, sold_by, sold_at, deposit_due_minor,
      outstanding_minor, receivable_account_id, credit_account_id, refundable_account_id, debt_account_id)
    values (${contract.id}, ${contract.accountNumber}, ${contract.customerId}, ${contract.deviceId}, ${contract.planVersionId}, ${contract.currency},
      ${contract.area}, ${contract.state}, ${contract.soldBy}, ${contract.soldAt.toISOString()}, ${contract.depositDueMinor.toString()}::bigint,
      ${contract.outstandingMinor?.toString() ?? null}::bigint, ${contract.receivableAccountId.toString()}::bigint,
      ${contract.creditAccountId.toString()}::bigint, ${contract.refundableAccountId.toString()}::bigint, ${contract.debtAccountId.toString()}::bigint)`);
}

export async function insertTerms(
  tx: Tx,
  {
    contractId,
    effectiveAt,
    planVersionId,
    actor,
  }: { contractId: ContractId; effectiveAt: Date; planVersionId: PlanVersionId; actor: string },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into credit.contract_terms (contract_id, effective_at, plan_version_id, decided_by)
    values (${contractId}, ${effectiveAt.toISOString()}, ${planVersionId}, ${actor}) on conflict do nothing returning contract_id`);
  return rows.length === 1;
}

export interface TermsRow {
  readonly effectiveAt: Date;
  readonly planVersionId: PlanVersionId;
}

/** The terms of some contracts over time, oldest first. */
export async function findTerms(
  db: Db | Tx,
  ids: readonly ContractId[],
): Promise<ReadonlyMap<ContractId, readonly TermsRow[]>> {
  const rows = await db.execute<{ contract_id: ContractId; effective_at: string; plan_version_id: PlanVersionId }>(sql`
    select contract_id, effective_at, plan_version_id from credit.contract_terms
    where contract_id = any(${column(ids, "uuid")}) order by contract_id, effective_at`);
  const found = new Map<ContractId, TermsRow[]>();
  for (const row of rows) {
    const list = found.get(row.contract_id) ?? [];
    list.push({ effectiveAt: new Date(row.effective_at), planVersionId: row.plan_version_id });
    found.set(row.contract_id, list);
  }
  return found;
}

/** Locks contracts by id and by account number, in the order of their ids. */
export async function lock(
  tx: Tx,
  { ids = [], numbers = [] }: { ids?: readonly ContractId[]; numbers?: readonly AccountNumber[] },
): Promise<readonly ContractRow[]> {
  const rows = await tx.execute<Row>(sql`
    select * from credit.contracts where id = any(${column(ids, "uuid")}) or account_number = any(${column(numbers, "text")})
    order by id for update`);
  return rows.map(contractOf);
}

export async function findMany(db: Db | Tx, ids: readonly ContractId[]): Promise<ReadonlyMap<ContractId, ContractRow>> {
  const rows = await db.execute<Row>(sql`select * from credit.contracts where id = any(${column(ids, "uuid")})`);
  return new Map(rows.map((row) => [row.id, contractOf(row)]));
}

export async function findByAccountNumbers(
  db: Db | Tx,
  numbers: readonly AccountNumber[],
): Promise<readonly ContractRow[]> {
  const rows = await db.execute<Row>(
    sql`select * from credit.contracts where account_number = any(${column(numbers, "text")}) order by id`,
  );
  return rows.map(contractOf);
}

export async function findByAccountNumber(db: Db | Tx, number: AccountNumber): Promise<ContractRow | undefined> {
  const [row] = await db.execute<Row>(sql`select * from credit.contracts where account_number = ${number}`);
  return row === undefined ? undefined : contractOf(row);
}

export async function list(
  db: Db | Tx,
  filter: ContractFilter,
  page: { first: number; after?: string | undefined },
): Promise<readonly ContractRow[]> {
  const wants = (place: SQL, value: string | undefined, type: "text" | "uuid"): SQL =>
    value === undefined ? sql`true` : sql`${place} = ${value}::${sql.raw(type)}`;
  const rows = await db.execute<Row>(sql`
    select * from credit.contracts where ${wants(sql`area`, filter.area, "text")} and ${wants(sql`state`, filter.state, "text")}
      and ${wants(sql`customer_id`, filter.customerId, "uuid")} and ${wants(sql`device_id`, filter.deviceId, "uuid")}
      and ${page.after === undefined ? sql`true` : sql`id > ${page.after}::uuid`}
    order by id limit ${page.first}`);
  return rows.map(contractOf);
}

/** Active contracts of some customers: a payment without account may belong to one of them. */
export async function findActiveOf(
  tx: Db | Tx,
  customerIds: readonly CustomerId[],
): Promise<readonly { id: ContractId; customerId: CustomerId }[]> {
  const rows = await tx.execute<{ id: ContractId; customer_id: CustomerId }>(sql`
    select id, customer_id from credit.contracts where customer_id = any(${column(customerIds, "uuid")}) and state = 'active'`);
  return rows.map((row) => ({ id: row.id, customerId: row.customer_id }));
}

/** Writes where contracts stand now, in one statement. */
export async function update(tx: Tx, contracts: readonly ContractRow[]): Promise<void> {
  if (contracts.length === 0) return;
  const of = (pick: (contract: ContractRow) => unknown): unknown[] => contracts.map(pick);
  await tx.execute(sql`
    update credit.contracts c set state = g.state, device_id = g.device_id, plan_version_id = g.plan_version_id, started_at = g.started_at, ended_at = g.ended_at,
      received_minor = g.received_minor, deposit_due_minor = g.deposit_due_minor, outstanding_minor = g.outstanding_minor,
      carried_minor = g.carried_minor, carried_fraction = g.carried_fraction, refundable_minor = g.refundable_minor, debt_minor = g.debt_minor,
      paid_until_at = g.paid_until_at, lamp_until_at = g.lamp_until_at
    from unnest(${column(
      of(({ id }) => id),
      "uuid",
    )}, ${column(
      of(({ state }) => state),
      "text",
    )}, ${column(
      of(({ deviceId }) => deviceId),
      "uuid",
    )},
      ${column(
        of(({ planVersionId }) => planVersionId),
        "uuid",
      )}, ${column(
        of(({ startedAt }) => startedAt),
        "timestamptz",
      )},
      ${column(
        of(({ endedAt }) => endedAt),
        "timestamptz",
      )}, ${column(
        of(({ receivedMinor }) => receivedMinor),
        "bigint",
      )},
      ${column(
        of(({ depositDueMinor }) => depositDueMinor),
        "bigint",
      )}, ${column(
        of(({ outstandingMinor }) => outstandingMinor),
        "bigint",
      )},
      ${column(
        of(({ carriedMinor }) => carriedMinor),
        "bigint",
      )}, ${column(
        of(({ carriedFraction }) => carriedFraction),
        "bigint",
      )},
      ${column(
        of(({ refundableMinor }) => refundableMinor),
        "bigint",
      )}, ${column(
        of(({ debtMinor }) => debtMinor),
        "bigint",
      )},
      ${column(
        of(({ paidUntilAt }) => paidUntilAt),
        "timestamptz",
      )}, ${column(
        of(({ lampUntilAt }) => lampUntilAt),
        "timestamptz",
      )})
      as g(id, state, device_id, plan_version_id, started_at, ended_at, received_minor, deposit_due_minor, outstanding_minor, carried_minor,
        carried_fraction, refundable_minor, debt_minor, paid_until_at, lamp_until_at)
    where c.id = g.id`);
}

export async function insertAllocations(tx: Tx, allocations: readonly AllocationRow[]): Promise<void> {
  if (allocations.length === 0) return;
  const of = (pick: (row: AllocationRow) => unknown): unknown[] => allocations.map(pick);
  await tx.execute(sql`
    insert into credit.allocations (id, contract_id, cause, paid_at, received_minor, debt_minor, deposit_minor, spent_minor, carried_change_minor,
      refundable_minor, units, effect, paid_from_at, paid_until_at)
    select * from unnest(${column(
      of(({ id }) => id),
      "uuid",
    )}, ${column(
      of(({ contractId }) => contractId),
      "uuid",
    )}, ${column(
      of(({ cause }) => cause),
      "text",
    )},
      ${column(
        of(({ paidAt }) => paidAt),
        "timestamptz",
      )}, ${column(
        of(({ receivedMinor }) => receivedMinor),
        "bigint",
      )},
      ${column(
        of(({ debtMinor }) => debtMinor),
        "bigint",
      )}, ${column(
        of(({ depositMinor }) => depositMinor),
        "bigint",
      )},
      ${column(
        of(({ spentMinor }) => spentMinor),
        "bigint",
      )}, ${column(
        of(({ carriedChangeMinor }) => carriedChangeMinor),
        "bigint",
      )},
      ${column(
        of(({ refundableMinor }) => refundableMinor),
        "bigint",
      )}, ${column(
        of(({ units }) => units),
        "integer",
      )},
      ${column(
        of(({ effect }) => effect),
        "text",
      )}, ${column(
        of(({ paidFromAt }) => paidFromAt),
        "timestamptz",
      )},
      ${column(
        of(({ paidUntilAt }) => paidUntilAt),
        "timestamptz",
      )})`);
}

interface AllocationDbRow extends Record<string, unknown> {
  id: string;
  contract_id: ContractId;
  cause: string;
  paid_at: string;
  received_minor: string;
  debt_minor: string;
  deposit_minor: string;
  spent_minor: string;
  carried_change_minor: string;
  refundable_minor: string;
  units: number;
  effect: AllocationRow["effect"];
  paid_from_at: string | null;
  paid_until_at: string | null;
}

/** In the order in which they were booked. */
export async function findAllocations(db: Db | Tx, contractId: ContractId): Promise<readonly AllocationRow[]> {
  const rows = await db.execute<AllocationDbRow>(
    sql`select * from credit.allocations where contract_id = ${contractId} order by paid_at, id`,
  );
  return rows.map(allocationOf);
}

/** Of some causes, in the order in which they were written. */
export async function findAllocationsByCauses(
  db: Db | Tx,
  causes: readonly string[],
): Promise<readonly AllocationRow[]> {
  const rows = await db.execute<AllocationDbRow>(
    sql`select * from credit.allocations where cause = any(${column(causes, "text")}) order by id`,
  );
  return rows.map(allocationOf);
}

function allocationOf(row: AllocationDbRow): AllocationRow {
  return {
    id: row.id,
    contractId: row.contract_id,
    cause: row.cause,
    paidAt: new Date(row.paid_at),
    receivedMinor: BigInt(row.received_minor),
    debtMinor: BigInt(row.debt_minor),
    depositMinor: BigInt(row.deposit_minor),
    spentMinor: BigInt(row.spent_minor),
    carriedChangeMinor: BigInt(row.carried_change_minor),
    refundableMinor: BigInt(row.refundable_minor),
    units: row.units,
    effect: row.effect,
    paidFromAt: instant(row.paid_from_at),
    paidUntilAt: instant(row.paid_until_at),
  };
}

export type ContractEventKind =
  "sold" | "device_swapped" | "written_off" | "paid_off" | "adjusted" | "terms_changed" | "lent";

export async function insertEvent(
  tx: Tx,
  event: {
    id: string;
    contractId: ContractId;
    kind: ContractEventKind;
    at: Date;
    actor: string;
    detail: Record<string, string>;
  },
): Promise<void> {
  await tx.execute(sql`
    insert into credit.contract_events (id, contract_id, kind, at, actor, detail)
    values (${event.id}, ${event.contractId}, ${event.kind}, ${event.at.toISOString()}, ${event.actor}, ${JSON.stringify(event.detail)}::jsonb)`);
}
