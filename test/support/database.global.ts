import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { migrateDatabase } from "../../src/platform/database.ts";
import { requireDatabase, startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Owner's URL of the migrated template database, which every test file clones. */
    templateUrl: string;
    /** Superuser's URL, which may create databases from the template. */
    superuserUrl: string;
  }
}

/** One throw-away PostgreSQL for the whole run; durability is off because nothing here outlives it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "washa-test-"));
  const server = await startEmbeddedPostgres({
    folder,
    flags: ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=128MB"],
  });
  const templateUrl = await requireDatabase(server, "washa_template");
  await migrateDatabase(templateUrl);
  project.provide("templateUrl", templateUrl);
  project.provide("superuserUrl", server.url("postgres"));
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
