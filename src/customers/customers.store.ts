import { sql } from "drizzle-orm";
import type { CustomerId } from "../kernel/ids.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { Language } from "../kernel/language.ts";
import type { Contact, Customer, CustomerFilter, E164, Page } from "./customers.ts";

interface Row extends Record<string, unknown> {
  id: CustomerId;
  name: string;
  language: Language;
  area: string;
  place: string | null;
  latitude: number | null;
  longitude: number | null;
  service_consent_at: string | null;
  marketing_consent_at: string | null;
  registered_at: string;
  phones: E164[];
}

const COLUMNS = sql`c.id, c.name, c.language, c.area, c.place, c.latitude, c.longitude, c.service_consent_at, c.marketing_consent_at,
  c.registered_at, to_json(array(select p.e164 from customers.phones p where p.customer_id = c.id order by not p.is_primary, p.added_at, p.e164)) as phones`;

const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

function customerOf(row: Row): Customer {
  return {
    id: row.id,
    name: row.name,
    language: row.language,
    area: row.area,
    place: row.place,
    latitude: row.latitude,
    longitude: row.longitude,
    phones: row.phones,
    serviceConsentAt: dateOf(row.service_consent_at),
    marketingConsentAt: dateOf(row.marketing_consent_at),
    registeredAt: new Date(row.registered_at),
  };
}

export async function insert(
  tx: Tx,
  { customer, hashes, actor }: { customer: Customer; hashes: readonly Uint8Array[]; actor: string },
): Promise<void> {
  const at = customer.registeredAt.toISOString();
  await tx.execute(sql`
    insert into customers.customers (id, name, language, area, place, latitude, longitude, service_consent_at, marketing_consent_at, registered_by, registered_at)
    values (${customer.id}, ${customer.name}, ${customer.language}, ${customer.area}, ${customer.place}, ${customer.latitude}, ${customer.longitude},
      ${customer.serviceConsentAt?.toISOString() ?? null}, ${customer.marketingConsentAt?.toISOString() ?? null}, ${actor}, ${at})`);
  if (customer.phones.length === 0) return;
  await tx.execute(sql`
    insert into customers.phones (customer_id, e164, sha256, is_primary, added_at)
    select ${customer.id}, e164, sha256, place = 1, ${at}::timestamptz
    from unnest(${column(customer.phones, "text")}, ${column(hashes, "bytea")}) with ordinality as given(e164, sha256, place)`);
}

export async function findMany(db: Db | Tx, ids: readonly CustomerId[]): Promise<ReadonlyMap<CustomerId, Customer>> {
  const rows = await db.execute<Row>(
    sql`select ${COLUMNS} from customers.customers c where c.id = any(${column(ids, "uuid")})`,
  );
  return new Map(rows.map((row) => [row.id, customerOf(row)]));
}

export async function findByPhone(db: Db | Tx, phone: E164): Promise<readonly Customer[]> {
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from customers.customers c
    where c.id in (select customer_id from customers.phones where e164 = ${phone}) order by c.registered_at, c.id`);
  return rows.map(customerOf);
}

export async function setLanguage(tx: Tx, id: CustomerId, language: Language): Promise<boolean> {
  const rows = await tx.execute(
    sql`update customers.customers set language = ${language} where id = ${id}::uuid returning 1`,
  );
  return rows.length > 0;
}

/** Consent that stands keeps the instant at which it was given. */
export async function setConsent(
  tx: Tx,
  id: CustomerId,
  { which, at }: { which: "service" | "marketing"; at: Date | null },
): Promise<boolean> {
  const instant = at === null ? sql`null::timestamptz` : sql`${at.toISOString()}::timestamptz`;
  const rows = await tx.execute(
    which === "service"
      ? sql`update customers.customers set service_consent_at = case when ${at === null} then null else coalesce(service_consent_at, ${instant}) end where id = ${id}::uuid returning 1`
      : sql`update customers.customers set marketing_consent_at = case when ${at === null} then null else coalesce(marketing_consent_at, ${instant}) end where id = ${id}::uuid returning 1`,
  );
  return rows.length > 0;
}

export async function list(
  db: Db | Tx,
  filter: CustomerFilter & { phone: E164 | undefined },
  page: Page,
): Promise<readonly Customer[]> {
  const start = filter.search
    ?.trim()
    .toLowerCase()
    .replace(/[\\%_]/g, "\\$&");
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from customers.customers c
    where (${filter.area ?? null}::text is null or c.area = ${filter.area ?? null})
      and (${page.after ?? null}::uuid is null or c.id > ${page.after ?? null}::uuid)
      and (${filter.phone ?? null}::text is null or exists (select from customers.phones p where p.customer_id = c.id and p.e164 = ${filter.phone ?? null}))
      and (${filter.phone ?? null}::text is not null or ${start ?? null}::text is null or lower(c.name) like ${start === undefined ? null : `${start}%`})
    order by c.id limit ${page.first}`);
  return rows.map(customerOf);
}

export async function contacts(tx: Tx, ids: readonly CustomerId[]): Promise<ReadonlyMap<CustomerId, Contact>> {
  const rows = await tx.execute<{ id: CustomerId; language: Language; e164: E164 | null }>(sql`
    select c.id, c.language, p.e164 from customers.customers c
    left join customers.phones p on p.customer_id = c.id and p.is_primary
    where c.id = any(${column(ids, "uuid")})`);
  return new Map(
    rows.map((row) => [row.id, { customerId: row.id, language: row.language, phone: row.e164 ?? undefined }]),
  );
}

export async function findByPhoneHashes(
  tx: Db | Tx,
  hashes: readonly Uint8Array[],
): Promise<readonly { customerId: CustomerId; hash: Uint8Array }[]> {
  const rows = await tx.execute<{ customer_id: CustomerId; sha256: Uint8Array }>(sql`
    select customer_id, sha256 from customers.phones where sha256 = any(${column(hashes, "bytea")})`);
  return rows.map((row) => ({ customerId: row.customer_id, hash: row.sha256 }));
}
