/** A clock that runs `speed` times as fast as the machine's from `startedAt` on; the same in every process that knows both. */
export function fastClock({ startedAt, speed }: { startedAt: number; speed: number }): { now(): Date } {
  return { now: () => new Date(Math.floor(startedAt + (Date.now() - startedAt) * speed)) };
}
