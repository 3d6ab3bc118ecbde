import { sql } from "drizzle-orm";
import type { Clock } from "../../src/kernel/time.ts";
import type { Database } from "../../src/platform/database.ts";
import { LOOK_PERIOD_MS, makeAlertSteps } from "../../src/telemetry/alerts/alerts.jobs.ts";

export interface RoundFigures {
  readonly ranges: number;
  /** Raises everything that is wrong with the fleet at once, as on the first day. */
  readonly firstMs: number;
  /** Finds the same as before: what every period costs. */
  readonly nextMs: number;
  readonly groupMs: number;
  readonly tilesMs: number;
  readonly alerts: number;
  readonly periodSeconds: number;
}

/** Rounds of one worker over the whole fleet. Its clock moves by the period between rounds; the machine's need not. */
export async function measureRounds(
  database: Database,
  { clock, onProgress }: { clock: Clock; onProgress: (text: string) => void },
): Promise<RoundFigures> {
  let aheadMs = 0;
  const moved: Clock = { now: () => new Date(clock.now().getTime() + aheadMs) };
  const steps = makeAlertSteps({ database, clock: moved, zone: "Africa/Nairobi" });
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startedAt = performance.now();
    await work();
    return performance.now() - startedAt;
  };
  let ranges = 0;
  const round = async (): Promise<void> => {
    for (ranges = 0; await steps.look(); ranges++) onProgress(`${String(ranges)} ranges looked at`);
  };
  const firstMs = await timed(round);
  let groupMs = 0;
  for (let areas = 1; areas > 0;)
    groupMs += await timed(async () => {
      areas = await steps.group();
    });
  await database.db.execute(sql`select 1`);
  aheadMs += LOOK_PERIOD_MS;
  const nextMs = await timed(round);
  const tilesMs = await timed(steps.tiles);
  const [row] = await database.db.execute<{ alerts: string }>(
    sql`select count(*) as alerts from telemetry.alerts where state = 'open'`,
  );
  return {
    ranges,
    firstMs,
    nextMs,
    groupMs,
    tilesMs,
    alerts: Number(row?.alerts ?? 0),
    periodSeconds: LOOK_PERIOD_MS / 1_000,
  };
}
