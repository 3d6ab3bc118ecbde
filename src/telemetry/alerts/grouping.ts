import { HOUR_MS, MINUTE_MS } from "../../kernel/time.ts";

/** Where a group lies. The widest that holds wins: a fleet that falls silent at once is one alert, and it is about us. */
export type Scope = "place" | "area" | "fleet";

/** How many devices of a scope fell not long ago (see `hasFallen`), and how many still speak. Long-silent ones count in neither. */
export interface Tally {
  readonly fallen: number;
  readonly alive: number;
}

export interface GroupKey {
  readonly scope: Scope;
  /** '' for the fleet. */
  readonly area: string;
  /** '' for area and fleet. */
  readonly place: string;
}

/** One device's alert of silence that is not cleared. */
export interface SilentAlert {
  readonly id: bigint;
  readonly area: string;
  readonly place: string;
  readonly raisedAt: Date;
  readonly groupedInto: bigint | undefined;
  /** Looked at before: it belongs to the group it names, or to none. */
  readonly isGathered: boolean;
}

export interface OpenGroup extends GroupKey {
  readonly id: bigint;
  /** How many were ever attached. */
  readonly members: number;
  /** How many of these are silent still. */
  readonly left: number;
}

export interface GroupSettings {
  /** At least so many devices … */
  readonly devicesMin: Readonly<Record<Scope, number>>;
  /** … and this share of those that spoke make a group. */
  readonly openShare: number;
  /** A group ends when no more than this share of its members is still silent. */
  readonly closeShare: number;
  /** Alerts raised so long ago stay what they are when a group opens. */
  readonly windowMs: number;
}

export const GROUP_SETTINGS: GroupSettings = {
  devicesMin: { place: 5, area: 20, fleet: 200 },
  openShare: 0.6,
  closeShare: 0.3,
  windowMs: 6 * HOUR_MS,
};

/** A single silence waits so long for its neighbours before anybody is told. */
export const GATHER_MS = 10 * MINUTE_MS;

export interface Situation {
  readonly now: Date;
  readonly fleet: Tally;
  readonly areas: ReadonlyMap<string, { readonly tally: Tally; readonly places: ReadonlyMap<string, Tally> }>;
  /** Live alerts of silence in these areas; those that are in a group too. */
  readonly silent: readonly SilentAlert[];
  /** Groups that are open in these areas, and of the fleet. */
  readonly groups: readonly OpenGroup[];
}

/** A group as it should stand: `id` undefined for a new one. */
export interface GroupChange extends GroupKey {
  readonly id: bigint | undefined;
  readonly attach: readonly bigint[];
}

export interface Grouping {
  readonly groups: readonly GroupChange[];
  /** Groups whose members went into a wider one. */
  readonly absorbed: readonly bigint[];
  /** Alerts that belong to no group. */
  readonly gathered: readonly bigint[];
}

/**
 * Which groups end: those of which hardly anything is silent still. `rule`: nothing is. `split`: the few that are stand
 * alone from now on, and are told singly once each had the time to take its turn to speak (`lateAfterMs`).
 */
export function decideEnds(
  groups: readonly OpenGroup[],
  { closeShare }: GroupSettings = GROUP_SETTINGS,
): readonly { readonly id: bigint; readonly by: "rule" | "split" }[] {
  return groups
    .filter(({ left, members }) => left <= closeShare * members)
    .map(({ id, left }) => ({ id, by: left === 0 ? "rule" : "split" }));
}

export const keyOf = ({ scope, area, place }: GroupKey): string => `${scope}\n${area}\n${place}`;

/** The groups that a device may belong to, widest first. A device whose place nobody knows has no place to share. */
function keysOf({ area, place }: { area: string; place: string }): readonly GroupKey[] {
  return [
    { scope: "fleet", area: "", place: "" },
    ...(area === "" ? [] : [{ scope: "area", area, place: "" } as const]),
    ...(area === "" || place === "" ? [] : [{ scope: "place", area, place } as const]),
  ];
}

/**
 * Which silent devices are one trouble. A group opens when enough devices of a scope, and enough of those that spoke, fell
 * together; it takes what falls silent there later. A wider group takes over the narrower ones inside it. The same situation
 * once more changes nothing.
 */
export function decideGrouping(situation: Situation, settings: GroupSettings = GROUP_SETTINGS): Grouping {
  const rules: Rules = { situation, settings };
  const open = openGroups(rules);
  const absorbed = new Set<bigint>();
  const gathered: bigint[] = [];
  for (const alert of situation.silent) {
    const group = keysOf(alert)
      .map((key) => open.get(keyOf(key)))
      .find((one) => one !== undefined && belongs(alert, one, rules));
    if (group === undefined) {
      if (!alert.isGathered) gathered.push(alert.id);
    } else if (group.id === undefined || group.id !== alert.groupedInto) {
      group.attach.push(alert.id);
      if (alert.groupedInto !== undefined) absorbed.add(alert.groupedInto);
    }
  }
  return {
    groups: [...open.values()]
      .filter(({ attach }) => attach.length > 0)
      .map(({ id, attach, key }) => ({ id, attach, ...key })),
    absorbed: [...absorbed],
    gathered,
  };
}

interface Forming {
  readonly id: bigint | undefined;
  readonly key: GroupKey;
  readonly attach: bigint[];
}

interface Rules {
  readonly situation: Situation;
  readonly settings: GroupSettings;
}

/** The groups that stand, and those that the numbers call for now: for each fresh silence the widest. */
function openGroups(rules: Rules): ReadonlyMap<string, Forming> {
  const { groups, silent } = rules.situation;
  const open = new Map<string, Forming>(
    groups.map(({ id, scope, area, place }) => [
      keyOf({ scope, area, place }),
      { id, key: { scope, area, place }, attach: [] },
    ]),
  );
  for (const alert of silent.filter((one) => isFresh(one, rules))) {
    const key = keysOf(alert).find((one) => open.has(keyOf(one)) || calls(one, rules));
    if (key !== undefined && !open.has(keyOf(key))) open.set(keyOf(key), { id: undefined, key, attach: [] });
  }
  return open;
}

const isFresh = ({ raisedAt }: SilentAlert, { situation, settings }: Rules): boolean =>
  situation.now.getTime() - raisedAt.getTime() <= settings.windowMs;

/** What stood alone before a group opened, or was let go by one, stays alone unless it fell with the others. */
function belongs(alert: SilentAlert, { key }: Forming, rules: Rules): boolean {
  if (alert.groupedInto !== undefined || !alert.isGathered) return true;
  return isFresh(alert, rules) && calls(key, rules);
}

/** Whether the numbers of a scope make a group. */
function calls(key: GroupKey, { situation, settings }: Rules): boolean {
  const tally = tallyOf(key, situation);
  return (
    tally !== undefined &&
    tally.fallen >= settings.devicesMin[key.scope] &&
    tally.fallen >= settings.openShare * (tally.fallen + tally.alive)
  );
}

function tallyOf({ scope, area, place }: GroupKey, { fleet, areas }: Situation): Tally | undefined {
  switch (scope) {
    case "fleet":
      return fleet;
    case "area":
      return areas.get(area)?.tally;
    case "place":
      return areas.get(area)?.places.get(place);
  }
}
