import { sql } from "drizzle-orm";
import type { ContractId, CustomerId } from "../kernel/ids.ts";
import type { Currency } from "../kernel/money.ts";
import { addDays, localDateOf, startOfDay, type LocalDate } from "../kernel/time.ts";
import { column, type Tx } from "../platform/database.ts";
import type { AccountNumber } from "./account-number.ts";

/** Something that a customer may be reminded of. */
export interface DueReminder {
  readonly kind: "low_3" | "low_1" | "locked" | "locked_3" | "locked_7" | "paid_off";
  readonly contractId: ContractId;
  readonly customerId: CustomerId;
  readonly accountNumber: AccountNumber;
  /** The local day on which light ends, or ended, or the last payment came. */
  readonly endsOn: LocalDate;
}

/** What ended longer ago is told by later kinds; a worker that was away for a night still tells it. */
const FRESH_DAYS = 1;

/**
 * Takes what is due now in a zone and was not taken before: light that ends in three days or tomorrow (not where somebody paid
 * today, who knows), light that ended, light that ended three or seven days ago, and contracts that were paid off.
 *
 * All contracts of the zone are looked at in one pass. An index on `lamp_until_at` would end that, and would cost every payment the
 * cheap update of its contract's row, so there is none; the caller asks every few minutes.
 */
export async function takeDueReminders(
  tx: Tx,
  { zone, currencies, now, limit }: { zone: string; currencies: readonly Currency[]; now: Date; limit: number },
): Promise<readonly DueReminder[]> {
  const today = localDateOf(now, zone);
  const at = sql`${now.toISOString()}::timestamptz`;
  const startOf = (days: number) => sql`${startOfDay(addDays(today, days), zone).toISOString()}::timestamptz`;
  const on = (days: number) => sql`(c.lamp_until_at >= ${startOf(days)} and c.lamp_until_at < ${startOf(days + 1)})`;
  const rows = await tx.execute<{
    kind: DueReminder["kind"];
    contract_id: ContractId;
    customer_id: CustomerId;
    account_number: AccountNumber;
    ends_on: LocalDate;
  }>(sql`
    with due as (
      select c.id, c.customer_id, c.account_number, coalesce(c.ended_at, c.lamp_until_at) as ends_at, case
        when c.state = 'paid_off' then 'paid_off'
        when ${on(3)} then 'low_3'
        when c.lamp_until_at > ${at} and ${on(1)} then 'low_1'
        when ${on(-3)} then 'locked_3'
        when ${on(-7)} then 'locked_7'
        when c.lamp_until_at <= ${at} and c.lamp_until_at >= ${startOf(-FRESH_DAYS)} then 'locked' end as kind
      from credit.contracts c
      where c.currency = any(${column(currencies, "text")})
        and ((c.state = 'active' and c.lamp_until_at >= ${startOf(-7)} and c.lamp_until_at < ${startOf(4)})
          or (c.state = 'paid_off' and c.ended_at >= ${startOf(-FRESH_DAYS)}))
    ), fresh as (
      select due.*, (ends_at at time zone ${zone})::date as ends_on from due
      where kind is not null and not exists (
          select from credit.reminders told where told.contract_id = due.id and told.kind = due.kind
            and told.ends_on = (due.ends_at at time zone ${zone})::date)
        and not (kind in ('low_3', 'low_1') and exists (
          select from credit.allocations paid where paid.contract_id = due.id and paid.paid_at >= ${startOf(0)}))
      order by due.id limit ${limit}
    ), taken as (
      insert into credit.reminders (contract_id, kind, ends_on, found_at) select id, kind, ends_on, ${at} from fresh
      on conflict do nothing returning contract_id, kind
    )
    select fresh.kind, fresh.id as contract_id, fresh.customer_id, fresh.account_number, fresh.ends_on::text as ends_on
    from fresh join taken on taken.contract_id = fresh.id and taken.kind = fresh.kind order by fresh.id`);
  return rows.map((row) => ({
    kind: row.kind,
    contractId: row.contract_id,
    customerId: row.customer_id,
    accountNumber: row.account_number,
    endsOn: row.ends_on,
  }));
}

/** No day on which light ended so long ago is asked for again. */
export async function forgetReminders(tx: Tx, before: Date): Promise<void> {
  await tx.execute(sql`delete from credit.reminders where found_at < ${before.toISOString()}::timestamptz`);
}
