import { makeDeviceWatch, type AlertNews, type DeviceWatch } from "../telemetry/telemetry.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db } from "../platform/database.ts";

/** What streams hear of. One listening connection and one look a process, however many screens are open. */
export interface Feeds {
  /** Calls `hear` for what changes from now on; resolves once it listens. Answers what ends it. */
  alerts(hear: (news: AlertNews) => void): Promise<() => void>;
  device: DeviceWatch["watch"];
  /** Looks at the watched devices now, whatever the timer does. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export function makeFeeds({
  subscribe,
  db,
  clock,
  onFault,
}: {
  subscribe: (onNews: (news: AlertNews) => void) => Promise<() => Promise<void>>;
  db: Db;
  clock: Clock;
  onFault: (error: unknown) => void;
}): Feeds {
  const watch = makeDeviceWatch({ db, clock, onFault });
  const hearers = new Set<(news: AlertNews) => void>();
  let listening: Promise<() => Promise<void>> | undefined;

  /** Ends listening when the last one left; whoever comes meanwhile begins anew. */
  async function rest(): Promise<void> {
    const ending = listening;
    listening = undefined;
    await (
      await ending
    )?.();
  }

  return {
    async alerts(hear) {
      hearers.add(hear);
      listening ??= subscribe((news) => hearers.forEach((one) => one(news)));
      try {
        await listening;
      } catch (error) {
        hearers.delete(hear);
        listening = undefined;
        throw error;
      }
      return () => {
        if (hearers.delete(hear) && hearers.size === 0) rest().catch(onFault);
      };
    },
    device: watch.watch,
    look: watch.look,
    async stop() {
      hearers.clear();
      watch.stop();
      await rest();
    },
  };
}
