import { sql } from "drizzle-orm";
import { TooMany } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import { column, type Db } from "../../platform/database.ts";

/** A watched device told something: where its readings stood before, and where they stand now. Undefined: it has none. */
export interface DeviceNews {
  readonly device: number;
  readonly readingBeforeAt: Date | undefined;
  readonly readingAt: Date | undefined;
}

export interface DeviceWatch {
  /**
   * Calls `hear` for each look that finds the device's state newer than the look before; resolves after the first, with where
   * its readings stand and what ends it. Throws `TooMany`.
   */
  watch(
    device: number,
    hear: (news: DeviceNews) => void,
  ): Promise<{ readonly readingAt: Date | undefined; readonly end: () => void }>;
  /** One look now, whatever the timer does. */
  look(): Promise<void>;
  stop(): void;
}

const PAUSE_MS = 2_000;
/** One statement of four bytes a device; more screens than that are not open at one process. */
const WATCHED_MAX = 5_000;

interface Watched {
  readonly hearers: Set<(news: DeviceNews) => void>;
  /** Of the last look; undefined before the first. */
  seen: Standing | undefined;
}
interface Standing {
  readonly mark: string;
  readonly readingAt: Date | undefined;
}

/**
 * Tells whoever looks at a device that it spoke. Ingest notifies nobody: a NOTIFY in each of its transactions would put all
 * commits of the database in one line. So one statement every two seconds asks for the few devices on somebody's screen, and
 * none while nobody looks. What a device told between two looks is one piece of news.
 */
export function makeDeviceWatch({
  db,
  clock,
  onFault,
  pauseMs = PAUSE_MS,
}: {
  db: Db;
  clock: Clock;
  onFault: (error: unknown) => void;
  pauseMs?: number;
}): DeviceWatch {
  const watched = new Map<number, Watched>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;

  async function lookNow(): Promise<void> {
    const standings = await readStandings(db, [...watched.keys()]);
    for (const [device, one] of watched) {
      const standing = standings.get(device) ?? NOTHING;
      const before = one.seen;
      one.seen = standing;
      if (before === undefined || before.mark === standing.mark) continue;
      const news = { device, readingBeforeAt: before.readingAt, readingAt: standing.readingAt };
      for (const hear of one.hearers) hear(news);
    }
  }

  /** One at a time: a slow look is not overtaken by the next. */
  function look(): Promise<void> {
    if (watched.size === 0) return Promise.resolve();
    looking ??= lookNow().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
  }

  return {
    look,
    stop,
    async watch(device, hear) {
      if (watched.size >= WATCHED_MAX && !watched.has(device))
        throw new TooMany(
          "Too many devices are watched here. Try again in a while.",
          new Date(clock.now().getTime() + pauseMs),
        );
      const one: Watched = watched.get(device) ?? { hearers: new Set(), seen: undefined };
      one.hearers.add(hear);
      watched.set(device, one);
      timer ??= setInterval(() => void look().catch(onFault), pauseMs).unref();
      const end = (): void => {
        one.hearers.delete(hear);
        if (one.hearers.size === 0 && watched.get(device) === one) watched.delete(device);
        if (watched.size === 0) stop();
      };
      try {
        // The look that runs may have begun before this device was watched; the next has it.
        while (one.seen === undefined) await look();
      } catch (error) {
        end();
        throw error;
      }
      return { readingAt: one.seen.readingAt, end };
    },
  };
}

const NOTHING: Standing = { mark: "", readingAt: undefined };

async function readStandings(db: Db, devices: readonly number[]): Promise<ReadonlyMap<number, Standing>> {
  const rows = await db.execute<{ device: number; mark: string; reading_at: string | null }>(sql`
    select device, reading_at, concat_ws(' ', last_seen_at, connection, reading_at) as mark
    from telemetry.states where device = any(${column(devices, "integer")})`);
  return new Map(
    rows.map(({ device, mark, reading_at: at }) => [
      device,
      { mark, readingAt: at === null ? undefined : new Date(at) },
    ]),
  );
}
