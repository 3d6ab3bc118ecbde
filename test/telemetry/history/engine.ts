import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { sql } from "drizzle-orm";
import type { Database } from "../../../src/platform/database.ts";
import { openHistory, type History } from "../../../src/platform/history/history.ts";
import type { Follower } from "../../../src/telemetry/history/follower.jobs.ts";

/** Gives the test file an embedded engine of its own, in a folder that is thrown away. Read `.current` inside tests. */
export function useHistory(): { readonly current: History } {
  let history: History | undefined;
  const folder = mkdtempSync(join(tmpdir(), "washa-history-"));
  beforeAll(async () => {
    history = openHistory({ folder, owns: true, pauses: { firstMs: 20, longestMs: 200 } });
    history.start();
    await history.settled();
  });
  afterAll(async () => {
    await history?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    get current() {
      if (history === undefined) throw new Error("The engine runs only while tests run.");
      return history;
    },
  };
}

/**
 * Follows until at most `left` readings are beyond the bookmark. Other test files have transactions open in the same cluster,
 * and the follower waits for those too.
 */
export async function followAll(one: Follower, { db }: Database, left = 0): Promise<void> {
  for (let waited = 0; ; waited += 20) {
    for (let steps = 0; (await one.step()).kind !== "idle"; steps++) if (steps > 500) throw new Error("No end.");
    const [row] = await db.execute<{ count: string }>(sql`
      select count(*) from telemetry.readings r, telemetry.history_bookmark b where r.batch > b.done`);
    if (Number(row?.count) <= left) return;
    if (waited > 20_000) throw new Error(`${String(row?.count)} readings were not followed.`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Ends the engine's process as a crash would. It is started again by itself; see `untilBack`. */
export function killEngine(history: History): void {
  const pid = history.engineProcessId();
  if (pid === undefined) throw new Error("There is no engine to end.");
  ended.add(pid);
  process.kill(pid, "SIGKILL");
}

const ended = new Set<number>();

/** Resolves when an engine answers that nobody has ended. */
export async function untilBack(history: History): Promise<void> {
  for (let waited = 0; history.absence() !== undefined || ended.has(history.engineProcessId() ?? 0); waited += 20) {
    if (waited > 25_000) throw new Error(`The engine did not come back: ${String(history.absence())}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
