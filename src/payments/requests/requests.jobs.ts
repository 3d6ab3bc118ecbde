/** Everything that talks to providers, in turns: requests, payouts, enquiries, sweeps. Any number of processes may run it. */
export interface RequestLoop {
  start(): void;
  /** Takes every step that is due now, until nothing is; answers how many. */
  runDue(): Promise<number>;
  /** Ends after the steps under way. */
  stop(): Promise<void>;
}

/** Takes at most so many steps and says how many there were. */
export type Steps = (limit: number) => Promise<number>;

const STEPS_AT_ONCE_MAX = 20;
const ROUNDS_MAX = 10_000;

/** Runs the steps of every kind until nothing is due, then pauses. A fault of one kind does not hold up the others. */
export function makeRequestLoop({
  steps,
  pauseMs,
  onFault,
}: {
  steps: readonly Steps[];
  pauseMs: number;
  onFault: (error: unknown) => void;
}): RequestLoop {
  let stopping = false;
  let running: Promise<void> | undefined;
  let wake: (() => void) | undefined;

  async function round(): Promise<{ done: number; failure: unknown }> {
    let done = 0;
    let failure: unknown;
    for (const step of steps) {
      try {
        done += await step(STEPS_AT_ONCE_MAX);
      } catch (error) {
        failure = error;
      }
    }
    return { done, failure };
  }

  async function run(): Promise<void> {
    while (!stopping) {
      const { done, failure } = await round();
      if (failure !== undefined) onFault(failure);
      if (done > 0 && failure === undefined) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopping) wake();
      });
    }
  }

  return {
    start() {
      running ??= run();
    },
    async runDue() {
      let total = 0;
      for (let at = 0; at < ROUNDS_MAX; at++) {
        const { done, failure } = await round();
        if (failure !== undefined) throw new Error("A step towards a provider failed.", { cause: failure });
        total += done;
        if (done === 0) return total;
      }
      throw new Error("Steps are due without end.");
    },
    async stop() {
      stopping = true;
      wake?.();
      await running;
    },
  };
}
