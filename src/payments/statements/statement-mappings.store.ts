import { sql } from "drizzle-orm";
import type { Db, Tx } from "../../platform/database.ts";
import { parseMapping, type Mapping } from "../rails/statement-file/mapping.ts";
import type { SavedMapping } from "./statement-report.ts";

export async function saveMapping(tx: Tx, { name, mapping, savedBy, savedAt }: SavedMapping): Promise<void> {
  await tx.execute(sql`
    insert into payments.statement_mappings (name, mapping, saved_by, saved_at)
    values (${name}, ${JSON.stringify(mapping)}::jsonb, ${savedBy}, ${savedAt.toISOString()})
    on conflict (name) do update set mapping = excluded.mapping, saved_by = excluded.saved_by, saved_at = excluded.saved_at`);
}

interface MappingRow extends Record<string, unknown> {
  name: string;
  mapping: string;
  saved_by: string;
  saved_at: string;
}

const mappingOf = (row: MappingRow): SavedMapping => ({
  name: row.name,
  mapping: parseMapping(JSON.parse(row.mapping)),
  savedBy: row.saved_by,
  savedAt: new Date(row.saved_at),
});

const MAPPING = sql.raw("name, mapping::text, saved_by, saved_at");

export async function findMapping(db: Db | Tx, name: string): Promise<Mapping | undefined> {
  const [row] = await db.execute<MappingRow>(
    sql`select ${MAPPING} from payments.statement_mappings where name = ${name}`,
  );
  return row === undefined ? undefined : mappingOf(row).mapping;
}

export async function listMappings(db: Db | Tx): Promise<readonly SavedMapping[]> {
  const rows = await db.execute<MappingRow>(sql`select ${MAPPING} from payments.statement_mappings order by name`);
  return rows.map(mappingOf);
}
