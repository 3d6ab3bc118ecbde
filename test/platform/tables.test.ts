import { readdirSync } from "node:fs";
import { sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const SOURCE = new URL("../../src/", import.meta.url);

test("every table that the code declares stands in the migrated database with the same columns, types and null rules", async () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".tables.ts"),
  );
  const modules = await Promise.all(
    files.map((file) => import(new URL(file, SOURCE).href) as Promise<Record<string, unknown>>),
  );
  const tables = modules.flatMap((module) => Object.values(module)).filter((value) => value instanceof PgTable);
  expect(tables.length).toBeGreaterThan(3);
  for (const table of tables) {
    const { schema = "public", name, columns } = getTableConfig(table);
    const rows = await database.current.db.execute<{ name: string; type: string; required: boolean }>(sql`
      select attname as name, format_type(atttypid, null) as type, attnotnull as required from pg_attribute
      where attrelid = to_regclass(${`${schema}.${name}`}) and attnum > 0 and not attisdropped`);
    const real = rows
      .map((column) => `${column.name} ${column.type} ${column.required ? "required" : "optional"}`)
      .sort();
    const declared = columns
      .map(
        (column) =>
          `${column.name} ${column
            .getSQLType()
            .replace(/ \(\d+\)|\(\d+\)/, "")
            .replace("serial", "int")} ${column.notNull || column.primary ? "required" : "optional"}`,
      )
      .sort();
    expect(declared, `${schema}.${name}`).toEqual(real);
  }
});
