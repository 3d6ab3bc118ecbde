import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { superviseEngine } from "../../../src/platform/history/supervisor.ts";

test("an engine that dies before its first word is told of, with what it wrote, and nobody waits for it for ever", async () => {
  const folder = mkdtempSync(join(tmpdir(), "washa-mute-"));
  const faults: { readonly reason: string; readonly message: string }[] = [];
  const again = Promise.withResolvers<void>();
  const engine = superviseEngine({
    folder,
    pauses: { firstMs: 1, longestMs: 10 },
    program: fileURLToPath(new URL("mute-child.ts", import.meta.url)),
    onFault: (fault) => {
      if (faults.push(fault) === 2) again.resolve();
    },
  });
  try {
    await engine.settled();
    expect(engine.state()).toBe("crashed");
    await again.promise; // it is tried again by itself
    expect(faults[0]).toMatchObject({ reason: "crashed" });
    expect(faults[0]?.message).toContain("SIGKILL");
    expect(faults[0]?.message).toContain("terminate called without an active exception");
  } finally {
    await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
