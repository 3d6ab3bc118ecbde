import { sql, type SQL } from "drizzle-orm";
import type { PlanId, PlanVersionId } from "../kernel/ids.ts";
import type { Currency } from "../kernel/money.ts";
import { rational } from "../kernel/rational.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { PlanVersion } from "./terms.ts";

interface Row extends Record<string, unknown> {
  id: PlanVersionId;
  plan_id: PlanId;
  code: string;
  name: string;
  version: number;
  effective_at: string;
  currency: Currency;
  deposit_minor: string;
  deposit_buys_time: boolean;
  total_minor: string | null;
  price_numerator: string;
  price_denominator: string;
  price_seconds: 3600 | 86400;
  minimum_payment_minor: string;
  free_seconds: number;
  instalment_days: number;
  grace_days: number;
}

function versionOf(row: Row): PlanVersion {
  return {
    id: row.id,
    planId: row.plan_id,
    code: row.code,
    name: row.name,
    version: row.version,
    effectiveAt: new Date(row.effective_at),
    currency: row.currency,
    depositMinor: BigInt(row.deposit_minor),
    depositBuysTime: row.deposit_buys_time,
    totalMinor: row.total_minor === null ? null : BigInt(row.total_minor),
    price: rational(BigInt(row.price_numerator), BigInt(row.price_denominator)),
    priceSeconds: row.price_seconds,
    minimumPaymentMinor: BigInt(row.minimum_payment_minor),
    freeSeconds: row.free_seconds,
    instalmentDays: row.instalment_days,
    graceDays: row.grace_days,
  };
}

const select = (rest: SQL): SQL =>
  sql`select v.*, p.code, p.name from credit.plan_versions v join credit.plans p on p.id = v.plan_id ${rest}`;

/** Answers whether the code was free. */
export async function insertPlan(
  tx: Tx,
  { version, createdAt }: { version: PlanVersion; createdAt: Date },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into credit.plans (id, code, name, created_at) values (${version.planId}, ${version.code}, ${version.name}, ${createdAt.toISOString()})
    on conflict (code) do nothing returning id`);
  return rows.length === 1;
}

export async function insertVersion(tx: Tx, version: PlanVersion): Promise<void> {
  await tx.execute(sql`
    insert into credit.plan_versions (id, plan_id, version, effective_at, currency, deposit_minor, deposit_buys_time, total_minor, price_numerator,
      price_denominator, price_seconds, minimum_payment_minor, free_seconds, instalment_days, grace_days)
    values (${version.id}, ${version.planId}, ${version.version}, ${version.effectiveAt.toISOString()}, ${version.currency},
      ${version.depositMinor.toString()}::bigint, ${version.depositBuysTime}, ${version.totalMinor?.toString() ?? null}::bigint,
      ${version.price.numerator.toString()}::bigint, ${version.price.denominator.toString()}::bigint, ${version.priceSeconds},
      ${version.minimumPaymentMinor.toString()}::bigint, ${version.freeSeconds}, ${version.instalmentDays}, ${version.graceDays})`);
}

export async function findVersions(db: Db | Tx, ids: readonly PlanVersionId[]): Promise<readonly PlanVersion[]> {
  return (await db.execute<Row>(select(sql`where v.id = any(${column(ids, "uuid")})`))).map(versionOf);
}

export async function findInForce(
  db: Db | Tx,
  { code, at }: { code: string; at: Date },
): Promise<PlanVersion | undefined> {
  const [row] = await db.execute<Row>(
    select(
      sql`where p.code = ${code} and v.effective_at <= ${at.toISOString()}::timestamptz order by v.effective_at desc limit 1`,
    ),
  );
  return row === undefined ? undefined : versionOf(row);
}

/** Two statements: one that waits for the lock would still read the versions of before its wait. */
export async function lockLatest(tx: Tx, code: string): Promise<PlanVersion | undefined> {
  await tx.execute(sql`select id from credit.plans where code = ${code} for update`);
  const [row] = await tx.execute<Row>(select(sql`where p.code = ${code} order by v.version desc limit 1`));
  return row === undefined ? undefined : versionOf(row);
}

export async function listVersions(db: Db | Tx): Promise<readonly PlanVersion[]> {
  return (await db.execute<Row>(select(sql`order by p.code, v.version`))).map(versionOf);
}
