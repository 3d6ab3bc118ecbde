import { sql } from "drizzle-orm";
import type { ContractId, CustomerId, Id } from "../kernel/ids.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { TicketFacts } from "./dialogue/facts.ts";
import type { Language } from "../kernel/language.ts";

export type WishKind = "fault" | "call" | "friend" | "lead";

export interface NewWish {
  readonly id: Id<"Wish">;
  /** Names the hop: one hop, one wish. */
  readonly key: string;
  readonly kind: WishKind;
  readonly phone: string;
  readonly customerId: CustomerId | undefined;
  readonly contractId: ContractId | undefined;
  readonly category: string | undefined;
  readonly detail: Readonly<Record<string, string>>;
  /** Which agents see it; undefined: the office only. */
  readonly area: string | undefined;
  readonly readings: DeviceReadings | undefined;
  readonly language: Language;
  readonly at: Date;
}

/** What a device told last, in words and numbers of telemetry. */
export type DeviceReadings = Readonly<Record<string, string | number | boolean>>;

/** Writes to whoever asked how it stands. The same key twice is one message. */
export type TellTicket = (
  tx: Tx,
  news: {
    readonly key: string;
    readonly template: "ticket_opened" | "ticket_in_work" | "ticket_done";
    readonly phone: string;
    readonly language: Language;
    /** As told before: "R-1042". */
    readonly number: string;
  },
) => Promise<void>;

/** Writes a wish down, once a key; answers its number. */
export async function insertWish(tx: Tx, wish: NewWish): Promise<number> {
  const at = sql`${wish.at.toISOString()}::timestamptz`;
  const [row] = await tx.execute<{ number: number }>(sql`
    insert into ussd.wishes (id, key, kind, phone, customer_id, contract_id, category, detail, area, readings, language, opened_at, state_at)
    values (${wish.id}::uuid, ${wish.key}, ${wish.kind}, ${wish.phone}, ${wish.customerId ?? null}::uuid, ${wish.contractId ?? null}::uuid,
      ${wish.category ?? null}, ${JSON.stringify(wish.detail)}::jsonb, ${wish.area ?? null},
      ${wish.readings === undefined ? null : JSON.stringify(wish.readings)}::jsonb, ${wish.language}, ${at}, ${at})
    on conflict (key) do update set key = excluded.key returning number`);
  if (row === undefined) throw new Error("Bug: a wish was not written.");
  return row.number;
}

/** How many wishes of a kind a number had since an instant. */
export async function countWishes(
  tx: Tx,
  { phone, kind, since }: { phone: string; kind: WishKind; since: Date },
): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from ussd.wishes
    where phone = ${phone} and kind = ${kind} and opened_at >= ${since.toISOString()}::timestamptz`);
  return row?.count ?? 0;
}

/** Faults that a number reported and that are not settled, newest first. */
export async function openFaults(db: Db | Tx, phone: string, limit: number): Promise<readonly TicketFacts[]> {
  const rows = await db.execute<{
    number: number;
    category: string;
    state: TicketFacts["state"];
    opened_at: string;
  }>(sql`
    select number, category, state, opened_at from ussd.wishes
    where phone = ${phone} and kind = 'fault' and state <> 'done' order by id desc limit ${limit}`);
  return rows.map(({ number, category, state, opened_at }) => ({
    number: wishNumber(number),
    fault: category,
    state,
    openedAtMs: new Date(opened_at).getTime(),
  }));
}

/** As it is told: "R-1042". */
export function wishNumber(number: number): string {
  return `R-${String(number)}`;
}
