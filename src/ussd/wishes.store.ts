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
    readonly state: "open" | "in_work" | "done";
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

/** A wish as those see it who work on it. */
export interface Ticket {
  readonly id: Id<"Wish">;
  /** As told to whoever asked: "R-1042". */
  readonly number: string;
  readonly kind: WishKind;
  readonly phone: string;
  readonly customerId: CustomerId | undefined;
  readonly contractId: ContractId | undefined;
  readonly category: string | undefined;
  readonly detail: Readonly<Record<string, string>>;
  /** Which agents see it; empty: the office only. */
  readonly area: string;
  /** What the device told last when it was reported. */
  readonly readings: DeviceReadings | undefined;
  readonly language: Language;
  readonly state: TicketFacts["state"];
  readonly openedAt: Date;
  readonly stateAt: Date;
  readonly stateBy: string | undefined;
}

export interface TicketNote {
  readonly id: Id<"WishNote">;
  readonly note: string;
  readonly by: string;
  readonly at: Date;
}

export interface TicketFilter {
  readonly kind?: WishKind | undefined;
  readonly state?: TicketFacts["state"] | undefined;
  readonly area?: string | undefined;
}

interface Row extends Record<string, unknown> {
  id: Id<"Wish">;
  number: number;
  kind: WishKind;
  phone: string;
  customer_id: CustomerId | null;
  contract_id: ContractId | null;
  category: string | null;
  detail: Record<string, string>;
  area: string | null;
  readings: DeviceReadings | null;
  language: Language;
  state: TicketFacts["state"];
  opened_at: string;
  state_at: string;
  state_by: string | null;
}

const COLUMNS = sql`id, number, kind, phone, customer_id, contract_id, category, detail, area, readings, language, state,
  opened_at, state_at, state_by`;

function ticketOf(row: Row): Ticket {
  return {
    id: row.id,
    number: wishNumber(row.number),
    kind: row.kind,
    phone: row.phone,
    customerId: row.customer_id ?? undefined,
    contractId: row.contract_id ?? undefined,
    category: row.category ?? undefined,
    detail: row.detail,
    area: row.area ?? "",
    readings: row.readings ?? undefined,
    language: row.language,
    state: row.state,
    openedAt: new Date(row.opened_at),
    stateAt: new Date(row.state_at),
    stateBy: row.state_by ?? undefined,
  };
}

/** Newest first, behind `after`. */
export async function listTickets(
  db: Db | Tx,
  { kind, state, area }: TicketFilter,
  { first, after }: { first: number; after?: Id<"Wish"> | undefined },
): Promise<readonly Ticket[]> {
  const conditions = [
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(state === undefined ? [] : [sql`state = ${state}`]),
    ...(area === undefined ? [] : [sql`area = ${area}`]),
    ...(after === undefined ? [] : [sql`id < ${after}::uuid`]),
  ];
  const where = conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
  const rows = await db.execute<Row>(
    sql`select ${COLUMNS} from ussd.wishes where ${where} order by id desc limit ${first}`,
  );
  return rows.map(ticketOf);
}

export async function findTicket(
  db: Db | Tx,
  id: Id<"Wish">,
  { isLocked = false }: { isLocked?: boolean } = {},
): Promise<Ticket | undefined> {
  const [row] = await db.execute<Row>(
    sql`select ${COLUMNS} from ussd.wishes where id = ${id}::uuid ${isLocked ? sql`for update` : sql``}`,
  );
  return row === undefined ? undefined : ticketOf(row);
}

export async function setTicketState(
  tx: Tx,
  id: Id<"Wish">,
  { state, by, at }: { state: TicketFacts["state"]; by: string; at: Date },
): Promise<void> {
  await tx.execute(sql`
    update ussd.wishes set state = ${state}, state_by = ${by}, state_at = ${at.toISOString()}::timestamptz
    where id = ${id}::uuid`);
}

export async function insertNote(tx: Tx, wishId: Id<"Wish">, { id, note, by, at }: TicketNote): Promise<void> {
  await tx.execute(sql`
    insert into ussd.wish_notes (id, wish_id, note, noted_by, noted_at)
    values (${id}::uuid, ${wishId}::uuid, ${note}, ${by}, ${at.toISOString()}::timestamptz)`);
}

/** In the order in which they were written. */
export async function notesOf(db: Db | Tx, wishId: Id<"Wish">, limit: number): Promise<readonly TicketNote[]> {
  const rows = await db.execute<{ id: Id<"WishNote">; note: string; noted_by: string; noted_at: string }>(sql`
    select id, note, noted_by, noted_at from ussd.wish_notes where wish_id = ${wishId}::uuid order by id limit ${limit}`);
  return rows.map(({ id, note, noted_by, noted_at }) => ({ id, note, by: noted_by, at: new Date(noted_at) }));
}
