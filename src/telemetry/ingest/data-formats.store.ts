import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { column, type Db, type Tx } from "../../platform/database.ts";

/** Those of the formats that are registered, by number. */
export async function findDataFormats(db: Db | Tx, ids: readonly number[]): Promise<ReadonlyMap<number, unknown>> {
  const rows = await db.execute<{ id: number; document: unknown }>(sql`
    select id, document from telemetry.data_formats where id = any(${column(ids, "integer")})`);
  return new Map(rows.map(({ id, document }) => [id, document]));
}

/**
 * Registers a data format and answers its number; the same document, whatever the order of its names, has the same. Undefined where
 * it would be one more than `formatsMax`; a few that come at the same moment may be.
 */
export async function saveDataFormat(
  db: Db | Tx,
  { document, registeredAt, formatsMax }: { document: unknown; registeredAt: Date; formatsMax: number },
): Promise<number | undefined> {
  const text = canonicalJson(document);
  const digest = createHash("sha256").update(text).digest();
  const [made] = await db.execute<{ id: number }>(sql`
    insert into telemetry.data_formats (digest, document, registered_at)
    select ${digest}, ${text}::jsonb, ${registeredAt.toISOString()}::timestamptz
    where (select count(*) from telemetry.data_formats) < ${formatsMax}::int
    on conflict (digest) do nothing returning id`);
  if (made !== undefined) return made.id;
  const [there] = await db.execute<{ id: number }>(sql`
    select id from telemetry.data_formats where digest = ${digest}`);
  return there?.id;
}

/** JSON with the names of every object in order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}
