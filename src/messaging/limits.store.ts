import { sql } from "drizzle-orm";
import type { LocalDate } from "../kernel/time.ts";
import { rowsTable, type Db, type Tx } from "../platform/database.ts";
import type { Cost } from "./costs.ts";

/** What messages of one day cost so far, in one currency. */
export interface Spending extends Cost {
  readonly onDay: LocalDate;
}

/** Adds what a message cost to its day; an amount below zero gives back what was expected too much. */
export async function addSpending(tx: Tx, { onDay, amount, currency }: Spending): Promise<void> {
  await tx.execute(sql`
    insert into messaging.spending (on_day, currency, cost) values (${onDay}::date, ${currency}, ${amount}::numeric)
    on conflict (on_day, currency) do update set cost = spending.cost + excluded.cost`);
}

/** The same as long as the day stays within a share of its cap, in percent; false where it would not, which is noted. */
export async function reserveSpending(
  tx: Tx,
  { spending, cap, share, now }: { spending: Spending; cap: Cost; share: number; now: Date },
): Promise<boolean> {
  const { onDay, amount, currency } = spending;
  const day = sql`on_day = ${onDay}::date and currency = ${currency}`;
  await addSpending(tx, { onDay, currency, amount: "0" });
  const reserved = await tx.execute(sql`
    update messaging.spending set cost = cost + ${amount}::numeric
    where ${day} and cost + ${amount}::numeric <= ${cap.amount}::numeric * ${share} / 100 returning 1`);
  if (reserved.length === 0)
    await tx.execute(
      sql`update messaging.spending set capped_at = coalesce(capped_at, ${now.toISOString()}::timestamptz) where ${day}`,
    );
  return reserved.length > 0;
}

/** Days on which something had to wait for the next, and operations have not heard of it; they have then. */
export async function takeUntoldCaps(db: Db | Tx, now: Date): Promise<readonly Spending[]> {
  const rows = await db.execute<{ on_day: LocalDate; amount: string; currency: string }>(sql`
    update messaging.spending set told_at = ${now.toISOString()}::timestamptz where capped_at is not null and told_at is null
    returning on_day::text as on_day, trim_scale(cost)::text as amount, currency`);
  return rows.map(({ on_day: onDay, ...cost }) => ({ onDay, ...cost }));
}

/** What a day's messages cost, a line for each currency. */
export async function spendingOf(db: Db | Tx, onDay: LocalDate): Promise<readonly Cost[]> {
  return [
    ...(await db.execute<{ amount: string; currency: string }>(
      sql`select trim_scale(cost)::text as amount, currency from messaging.spending where on_day = ${onDay}::date order by currency`,
    )),
  ];
}

/** One more message to somebody who did not ask for it. */
export interface Turn {
  /** A contract for reminders, a customer for marketing. */
  readonly who: string;
  readonly what: "reminder" | "marketing";
  /** First day of the window that is counted. */
  readonly since: LocalDate;
}

/** Counts those that are within the limit, however many ask at once; answers whose turn it is. Nobody stands in a batch twice. */
export async function takeTurns(tx: Tx, turns: readonly Turn[], most: number): Promise<ReadonlySet<string>> {
  if (turns.length === 0 || most === 0) return new Set();
  const { names, table } = turnTable(turns);
  const rows = await tx.execute<{ who: string }>(sql`
    insert into messaging.counts (${names}, count)
    select who, what, since::date, 1 from ${table} as turn (${names}) order by who
    on conflict (who, what, since) do update set count = counts.count + 1 where counts.count < ${most} returning who`);
  return new Set(rows.map(({ who }) => who));
}

/** Who would get a turn, without taking it. */
export async function freeTurns(db: Db | Tx, turns: readonly Turn[], most: number): Promise<ReadonlySet<string>> {
  const { names, table } = turnTable(turns);
  const rows = await db.execute<{ who: string }>(sql`
    select turn.who from ${table} as turn (${names})
      left join messaging.counts taken on taken.who = turn.who and taken.what = turn.what and taken.since = turn.since::date
    where coalesce(taken.count, 0) < ${most}`);
  return new Set(rows.map(({ who }) => who));
}

function turnTable(turns: readonly Turn[]) {
  return rowsTable<Turn>(turns, {
    who: ["text", ({ who }) => who],
    what: ["text", ({ what }) => what],
    since: ["text", ({ since }) => since],
  });
}

/** Windows that began before a day are over, and nobody asks for them any more. */
export async function forgetTurns(db: Db | Tx, before: LocalDate): Promise<void> {
  await db.execute(sql`delete from messaging.counts where since < ${before}::date`);
}
