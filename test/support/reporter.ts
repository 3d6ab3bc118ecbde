import { writeSync } from "node:fs";
import type { SerializedError } from "vitest";
import type { Reporter, TestModule, TestRunEndReason } from "vitest/node";

/** How a run ended, in tests. A file that could not be loaded and an error outside any test count as one failure each. */
export type RunCount = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** "N passed, N failed", and ", N skipped" where any were: the line that scripts read. */
export function countLine({ passed, failed, skipped }: RunCount): string {
  return `${String(passed)} passed, ${String(failed)} failed${skipped > 0 ? `, ${String(skipped)} skipped` : ""}`;
}

/**
 * Writes the plain count as the very last line of the run.
 *
 * It waits for the process to exit, because other reporters and the teardown of servers still write after the last
 * test; and a run that dies before its end, in a global setup for example, is counted as a failure and not as silence.
 */
export default class CountReporter implements Reporter {
  private count: RunCount = { passed: 0, failed: 1, skipped: 0 };

  onInit(): void {
    process.once("exit", (code) => {
      const { count } = this;
      const failed = count.failed === 0 && code !== 0 ? 1 : count.failed;
      writeSync(1, `${countLine({ ...count, failed })}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[], reason: TestRunEndReason): void {
    const counted = countModules(modules);
    const failed = counted.failed + unhandled.length;
    const nothingRan = counted.passed + counted.skipped + failed === 0;
    this.count = { ...counted, failed: failed === 0 && (reason !== "passed" || nothingRan) ? 1 : failed };
  }
}

function countModules(modules: readonly TestModule[]): RunCount {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") passed += 1;
      else if (state === "skipped") skipped += 1;
      // A test still pending when the run is over never proved anything.
      else failedHere += 1;
    }
    // A hook or an import that failed leaves its tests as skipped: the file itself is what failed then.
    if (failedHere === 0 && module.state() === "failed") failedHere = 1;
    failed += failedHere;
  }
  return { passed, failed, skipped };
}
