/** Work that is done again and again, never twice at once in this process. */
export interface Rounds {
  start(): void;
  /** Ends after the round that is under way. */
  stop(): Promise<void>;
}

/** A round that is still under way when the next is due takes its place; one that fails is told, and the next comes all the same. */
export function makeRounds({
  everyMs,
  round,
  onFault,
  beginsAtOnce = false,
}: {
  everyMs: number;
  round: () => Promise<unknown>;
  onFault: (error: unknown) => void;
  /** Whether the first round comes at the start; otherwise it comes `everyMs` later. */
  beginsAtOnce?: boolean;
}): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> | undefined;

  function run(): void {
    running ??= round()
      .catch(onFault)
      .finally(() => {
        running = undefined;
      });
  }

  return {
    start() {
      if (timer !== undefined) return;
      if (beginsAtOnce) run();
      timer = setInterval(run, everyMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
    },
  };
}
