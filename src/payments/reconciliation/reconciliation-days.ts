/** From the first instant up to the second, which is not in it. */
export interface Range {
  readonly from: Date;
  readonly to: Date;
}

/** A reconciled day on which all sides were the same, but for payments that no list knows, and to which nothing was added since. */
export interface EvenDay extends Range {
  readonly listedMinor: bigint;
  readonly clearingMinor: bigint;
  /** In our books and in no list. */
  readonly unlisted: number;
  readonly unlistedMinor: bigint;
}

/** Before the first event and after the last one that any rail can have. */
export const ALL_TIME: Range = { from: new Date(0), to: new Date(253_370_764_800_000) };

/** Each range is written out in the question; beyond so many, some even days are read again to join two of them. */
const RUNS_MAX = 24;

/** What must be read, where even days are known and need not be; `days` in their order. */
export interface Reading {
  /** Even days before the instant. */
  readonly before: readonly EvenDay[];
  /** Even days from the instant on. */
  readonly after: readonly EvenDay[];
  /** All other time before the instant, and from it on. */
  readonly rangesBefore: readonly Range[];
  readonly rangesAfter: readonly Range[];
}

/** All time, before an instant and after it, as even days and what lies between them. The instant's own day is never taken whole. */
export function planReading(days: readonly EvenDay[], until: Date): Reading {
  const kept = keepLongest(days);
  const before = kept.filter(({ to }) => to <= until);
  const after = kept.filter(({ from }) => from >= until);
  return {
    before,
    after,
    rangesBefore: rangesBetween(before, { from: ALL_TIME.from, to: until }),
    rangesAfter: rangesBetween(after, { from: until, to: ALL_TIME.to }),
  };
}

function keepLongest(days: readonly EvenDay[]): readonly EvenDay[] {
  const runs: EvenDay[][] = [];
  for (const day of days) {
    const last = runs.at(-1);
    if (last?.at(-1)?.to.getTime() === day.from.getTime()) last?.push(day);
    else runs.push([day]);
  }
  const longest = new Set(runs.toSorted((left, right) => right.length - left.length).slice(0, RUNS_MAX));
  return runs.filter((run) => longest.has(run)).flat();
}

function rangesBetween(days: readonly Range[], { from, to }: Range): readonly Range[] {
  const ranges: Range[] = [];
  let at = from;
  for (const day of [...days, { from: to, to }]) {
    if (day.from > at) ranges.push({ from: at, to: day.from });
    at = day.to;
  }
  return ranges;
}
