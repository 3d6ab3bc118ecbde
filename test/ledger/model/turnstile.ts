/** One statement at a time, or as the machine likes. A client passes before each of its statements. */
export interface Turnstile {
  pass(client: number): Promise<void>;
  leave(client: number): void;
  /** Lets clients through until all have left. */
  conduct(): Promise<void>;
}

/** A statement that takes longer than this may be waiting for a lock: only then is the database asked. */
const ASK_AFTER_MS = 2;
/** The database itself ends a deadlock after a few milliseconds; whoever waits this long waits for nobody. */
const STUCK_AFTER_MS = 20_000;

export const freeForAll: Turnstile = {
  pass: () => Promise.resolve(),
  leave: () => undefined,
  conduct: () => Promise.resolve(),
};

/** After the drawn order a fixed mixture: in any repeating one, two clients could be each other's deadlock again and again. */
const scrambled = (turn: number): number => Math.imul(turn + 1, 0x9e37_79b1) >>> 16;

/**
 * Lets one client make one statement, waits until it stands at its next one or waits for somebody's lock, and chooses the
 * next client by `order`: the same order gives the same interleaving, which makes a failure replayable.
 */
export function makeTurnstile({
  clients,
  order,
  findBlocked,
}: {
  clients: number;
  order: readonly number[];
  findBlocked(): Promise<ReadonlySet<number>>;
}): Turnstile {
  const waiting = new Map<number, () => void>();
  const running = new Set(Array.from({ length: clients }, (_, client) => client));
  let wake: (() => void) | undefined;

  function changed(): void {
    if (running.size === 0) wake?.();
  }

  function untilQuiet(): Promise<void> {
    if (running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ASK_AFTER_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function conduct(): Promise<void> {
    let stuckSince = performance.now();
    for (let turn = 0; ;) {
      await untilQuiet();
      if (running.size > 0) {
        const blocked = await findBlocked();
        const isQuiet = [...running].every((client) => blocked.has(client));
        if (performance.now() - stuckSince > STUCK_AFTER_MS)
          throw new Error(`Clients ${[...running].join(", ")} wait for ever.`);
        if (!isQuiet || waiting.size === 0) continue;
      }
      if (running.size + waiting.size === 0) return;
      const candidates = [...waiting.keys()].sort((left, right) => left - right);
      const chosen = candidates[(order[turn] ?? scrambled(turn)) % candidates.length] ?? 0;
      turn += 1;
      stuckSince = performance.now();
      const go = waiting.get(chosen);
      waiting.delete(chosen);
      running.add(chosen);
      go?.();
    }
  }

  return {
    pass: (client) =>
      new Promise((resolve) => {
        waiting.set(client, resolve);
        running.delete(client);
        changed();
      }),
    leave(client) {
      running.delete(client);
      changed();
    },
    conduct,
  };
}
