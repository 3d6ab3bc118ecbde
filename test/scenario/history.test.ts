import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildApp, type App } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { isChdbInstalled } from "../../src/platform/history/chdb-engine.ts";
import { useDatabase } from "../support/database.ts";

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (let waited = 0; !(await holds()); waited += 50) {
    if (waited > 25_000) throw new Error(`In vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
};

describe.skipIf(!isChdbInstalled())("the program with history (needs the optional package chdb)", () => {
  const database = useDatabase();
  const folder = mkdtempSync(join(tmpdir(), "washa-serve-history-"));
  let app: App;
  beforeAll(async () => {
    const config = parseConfig({
      DATABASE_URL: database.url,
      WASHA_DATA: folder,
      WASHA_HTTP_PORT: "0",
      WASHA_KEY: "11".repeat(32),
      WASHA_DARAJA_SECRET: "0123456789abcdefTEST",
      WASHA_DARAJA_SHORTCODES: "600966",
      WASHA_SMS_SECRET: "sms0123456789abcdef",
      WASHA_LOG: "silent",
    });
    app = await buildApp({ config, roles: ["api", "history"] });
    await app.start();
  });
  afterAll(async () => {
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const healthy = async (): Promise<number> =>
    (await fetch(`http://127.0.0.1:${String(app.ports.http)}/readyz`)).status;
  const daysInHistory = async (): Promise<number> => {
    const day = Date.parse("2026-03-01T00:00:00Z");
    const page = await app.history
      .rollups({ device: 5, grain: "day", fromMs: day, toMs: day + 3 * 86_400_000, first: 10 })
      .catch(() => []);
    return page.reduce((sum, { readings }) => sum + readings, 0);
  };
  const report = (from: string): Promise<unknown> =>
    database.current.db.transaction(async (tx) => {
      await tx.execute(sql`select telemetry.ensure_days('2026-03-01', '2026-03-04')`);
      await tx.execute(sql`
        insert into telemetry.readings (at, device, batch, battery_voltage_v)
        select ${from}::timestamptz + step * interval '10 minutes', 5, pg_current_xact_id()::text::bigint, 12.5 from generate_series(0, 99) as step`);
    });

  test("readings reach history by themselves; a crash of its engine closes no door, and copying goes on behind it", async () => {
    await report("2026-03-01T00:00:00Z");
    await until("the first readings are in history", async () => (await daysInHistory()) === 100);
    process.kill(app.history.store.engineProcessId() ?? 0, "SIGKILL");
    const doors = await healthy();
    await report("2026-03-02T00:00:00Z");
    expect(await healthy()).toBe(doors);
    expect(doors).toBe(200);
    await until("all readings are in history", async () => (await daysInHistory()) === 200);
  });
});
