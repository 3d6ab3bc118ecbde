import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { openHistory, type History } from "../../../src/platform/history/history.ts";

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
