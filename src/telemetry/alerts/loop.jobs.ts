import type { AlertSteps } from "./alerts.jobs.ts";

/** What runs behind the fleet screen: any number of processes may run it. */
export interface AlertLoop {
  start(): void;
  /** Does everything that is due now, once; throws what failed, after the rest was done. */
  runDue(): Promise<void>;
  /** Ends after the step under way. */
  stop(): Promise<void>;
}

/** More ranges than this in one turn leave the other steps waiting. */
const LOOKS_AT_ONCE_MAX = 200;

/**
 * Looks, groups, tells, copies places and counts the map, then pauses. A fault of one kind is reported and does not hold up
 * the others; what it left undone is due again at the next turn.
 */
export function makeAlertLoop({
  steps,
  syncPlaces,
  tell,
  pauseMs,
  onFault,
}: {
  steps: AlertSteps;
  syncPlaces: () => Promise<unknown>;
  tell: () => Promise<unknown>;
  pauseMs: number;
  onFault: (error: unknown) => void;
}): AlertLoop {
  let stopping = false;
  let running: Promise<void> | undefined;
  let wake: (() => void) | undefined;

  async function lookAtAll(): Promise<void> {
    for (let looks = 0; looks < LOOKS_AT_ONCE_MAX && !stopping; looks++) if (!(await steps.look())) return;
  }

  async function turn(): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    for (const step of [syncPlaces, lookAtAll, steps.group, tell, steps.tiles, steps.sweep]) {
      if (stopping) break;
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  async function run(): Promise<void> {
    while (!stopping) {
      for (const failure of await turn()) onFault(failure);
      if (stopping) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  return {
    start() {
      running ??= run();
    },
    async runDue() {
      const failures = await turn();
      if (failures.length > 0) throw new AggregateError(failures, "A step of the alerts failed.");
    },
    async stop() {
      stopping = true;
      wake?.();
      await running;
    },
  };
}
