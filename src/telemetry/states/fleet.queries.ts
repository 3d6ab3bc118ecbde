import { InvalidInput } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Db } from "../../platform/database.ts";
import type { FleetDevice, FleetFilter, FleetSummary, MapSquare } from "./fleet-device.ts";
import * as store from "./fleet.store.ts";
import { gridOf, type Bounds } from "./tiles.ts";

export const FLEET_PAGE_MAX = 101;
const SEARCH_CHARACTERS_MAX = 64;

/** What people see of the fleet. Devices are named by their numbers, `devices.devices.number`. */
export interface Fleet {
  /**
   * A page in the order of device numbers, behind `after`. Filters by model, liveness, battery, tamper and token go by the present
   * state, but look only where the last round counted such devices: what changed since appears with the next, some two
   * minutes later. Throws `InvalidInput` for a page of less than one or more than 101 rows (one more than a screen's page).
   */
  list(query: { filter?: FleetFilter; first: number; after?: number | undefined }): Promise<readonly FleetDevice[]>;
  /** Those of the numbers that exist, by number. */
  findMany(devices: readonly number[]): Promise<ReadonlyMap<number, FleetDevice>>;
  /** Counts as of `countedAt`; of one area where it is given. */
  summary(area?: string): Promise<FleetSummary>;
  /** Devices put together by squares of about 64 screen points. Throws `InvalidInput` for bounds that are none or too large. */
  map(view: { bounds: Bounds; zoom: number; area?: string | undefined }): Promise<readonly MapSquare[]>;
}

export function makeFleet({ db, clock }: { db: Db; clock: Clock }): Fleet {
  return {
    async list({ filter = {}, first, after = 0 }) {
      if (!Number.isInteger(first) || first < 1 || first > FLEET_PAGE_MAX)
        throw new InvalidInput(`A page holds 1 to ${FLEET_PAGE_MAX} devices.`, "first");
      if (!Number.isInteger(after) || after < 0 || after > 2_147_483_647)
        throw new InvalidInput("A page goes on behind the number of a device.", "after");
      const search = filter.search?.trim();
      if (search !== undefined && search.length > SEARCH_CHARACTERS_MAX)
        throw new InvalidInput(`A search has at most ${SEARCH_CHARACTERS_MAX} characters.`, "search");
      return await store.listDevices(db, {
        filter: { ...filter, search: search === "" ? undefined : search },
        after,
        limit: first,
        now: clock.now(),
      });
    },
    async findMany(devices) {
      const found = await store.findDevices(db, { devices, now: clock.now() });
      return new Map(found.map((one) => [one.device, one]));
    },
    summary: (area) => store.readSummary(db, area),
    async map({ bounds, zoom, area }) {
      const range = gridOf(bounds, zoom);
      return range.zoom <= store.COUNTED_ZOOM_MAX
        ? await store.readTiles(db, { range, area })
        : await store.readPlaces(db, { range, area, now: clock.now() });
    },
  };
}
