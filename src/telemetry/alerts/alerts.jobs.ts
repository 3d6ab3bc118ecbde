import { Temporal } from "temporal-polyfill";
import { DAY_MS, HOUR_MS, MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { Database, Tx } from "../../platform/database.ts";
import * as rounds from "../states/rounds.store.ts";
import type { AlertChange } from "./alert.ts";
import * as store from "./alerts.store.ts";
import { decideEnds, decideGrouping, GATHER_MS, GROUP_SETTINGS, type GroupSettings } from "./grouping.ts";
import * as grouping from "./grouping.store.ts";
import { decideLook, type LiveAlert } from "./look.ts";
import type { MeasureContext } from "./measures.ts";
import { makeRuleBook, type RuleBook } from "./rules.ts";
import { readExpectations, readSettings } from "./rules.store.ts";
import { readSubjects } from "./subjects.store.ts";

/** Each device is looked at this often. A look at a range of ten thousand costs some tens of milliseconds. */
export const LOOK_PERIOD_MS = 2 * MINUTE_MS;
/** The map from afar is counted this often, in one statement over the whole fleet. */
const TILES_PERIOD_MS = 10 * MINUTE_MS;
const AREAS_AT_ONCE_MAX = 50;
const CLEARED_KEPT_MS = 400 * DAY_MS;
const SWEPT_AT_ONCE_MAX = 5_000;

/** Each step is one transaction; any number of workers may take them, and one that dies leaves no trace. */
export interface AlertSteps {
  /** Looks at the range that waits longest; false where none is due. */
  look(): Promise<boolean>;
  /** Puts new silences together and ends groups; answers how many areas it looked at. */
  group(): Promise<number>;
  /** Counts the map's squares where that is due. */
  tiles(): Promise<boolean>;
  /** Forgets what was cleared more than 400 days ago; answers how much. */
  sweep(): Promise<number>;
}

export function makeAlertSteps({
  database,
  clock,
  zone,
  periodMs = LOOK_PERIOD_MS,
  groupSettings = GROUP_SETTINGS,
}: {
  database: Database;
  clock: Clock;
  /** The operator's: by its noon a panel is judged whose place is unknown. */
  zone: string;
  periodMs?: number;
  groupSettings?: GroupSettings;
}): AlertSteps {
  const { db } = database;

  return {
    look: () =>
      db.transaction(async (tx) => {
        const now = clock.now();
        await rounds.ensureRanges(tx);
        const rangeStart = await rounds.claimRange(tx, new Date(now.getTime() - periodMs));
        if (rangeStart === undefined) return false;
        await rounds.countRange(tx, { rangeStart, now });
        await lookAtRange(tx, { rangeStart, ...(await readRules(tx, { now, zone })) });
        await rounds.markLooked(tx, { rangeStart, now });
        return true;
      }),
    group: () =>
      db.transaction(async (tx) => {
        if (!(await grouping.lockGrouping(tx))) return 0;
        const now = clock.now();
        const ended = decideEnds(await grouping.readGroups(tx), groupSettings);
        const areas = await grouping.readAreas(tx, AREAS_AT_ONCE_MAX);
        await grouping.lockMembers(tx, { groups: ended.map(({ id }) => id), areas });
        const seen: AlertChange[] = [...(await grouping.endGroups(tx, { ended, now }))];
        if (areas.length > 0) {
          const situation = await grouping.readSituation(tx, { areas, now });
          seen.push(
            ...(await grouping.applyGrouping(tx, {
              grouping: decideGrouping(situation, groupSettings),
              situation,
              tellGroupsAfter: new Date(now.getTime() + GATHER_MS),
            })),
          );
        }
        await store.notifyChanges(tx, seen);
        return areas.length;
      }),
    tiles: () =>
      db.transaction((tx) => {
        const now = clock.now();
        return rounds.countTiles(tx, { countedBefore: new Date(now.getTime() - TILES_PERIOD_MS), now });
      }),
    sweep: () =>
      db.transaction((tx) =>
        store.sweepCleared(tx, {
          clearedBefore: new Date(clock.now().getTime() - CLEARED_KEPT_MS),
          limit: SWEPT_AT_ONCE_MAX,
        }),
      ),
  };
}

interface Rules {
  readonly book: RuleBook;
  readonly context: MeasureContext;
}

async function readRules(tx: Tx, { now, zone }: { now: Date; zone: string }): Promise<Rules> {
  const [settings, expectations] = [await readSettings(tx), await readExpectations(tx)];
  const { offsetNanoseconds } = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone);
  return {
    book: makeRuleBook(settings),
    context: {
      now,
      zoneOffsetHours: offsetNanoseconds / 1e6 / HOUR_MS,
      firmwareMinimum: new Map(
        expectations.flatMap(({ model, firmwareMinimum }) =>
          firmwareMinimum === undefined ? [] : [[model, firmwareMinimum] as const],
        ),
      ),
    },
  };
}

async function lookAtRange(tx: Tx, { rangeStart, book, context }: Rules & { rangeStart: number }): Promise<void> {
  const { now } = context;
  const live = Map.groupBy(await store.readLive(tx, rangeStart), ({ device }) => device);
  const subjects = await readSubjects(tx, { rangeStart, live: [...live.keys()], book, context });
  const found = new Set(subjects.map(({ device }) => device));
  const changes = subjects.flatMap((looked): store.PlacedChange[] =>
    decideLook(
      { subject: looked.inService ? looked : undefined, live: live.get(looked.device) ?? [] },
      { book, context },
    ).map((change) => (change.kind === "rise" ? { ...change, area: looked.area, place: looked.place } : change)),
  );
  const vanished: LiveAlert[] = [...live].flatMap(([device, alerts]) => (found.has(device) ? [] : alerts));
  for (const change of decideLook({ subject: undefined, live: vanished }, { book, context }))
    if (change.kind !== "rise") changes.push(change);
  const seen = await store.applyChanges(tx, {
    changes,
    now,
    // A silence waits for its neighbours: they may be one trouble.
    tellAfterOf: (rule) => (rule === "silent" ? new Date(now.getTime() + GATHER_MS) : now),
  });
  await store.notifyChanges(tx, seen);
}
