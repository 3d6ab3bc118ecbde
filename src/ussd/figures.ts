/** Upper ends of the bars in which times are counted, each less than; what took longer is in one more. */
export const TURN_BARS_MS = [2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000] as const;
export const OUR_BARS_MS = [5, 10, 20, 50, 100, 200, 500, 1_000] as const;

/** A count as it is kept: of one channel, one measure, one screen, outcome or bar. */
export interface FigureRow {
  readonly channel: string;
  readonly measure: "outcome" | "shown" | "left" | "completed" | "ending" | "hops" | "turn" | "ours";
  readonly name: string;
  readonly count: number;
}

/** How many conversations saw a screen, were left there, and came to a good end after it. */
export interface ScreenFigures {
  readonly screen: string;
  readonly shown: number;
  readonly left: number;
  readonly completed: number;
}

/** One bar of a histogram: how many took less than this, and not less than the bar before. */
export interface Bar {
  /** Undefined: whatever took longer. */
  readonly belowMs: number | undefined;
  readonly hops: number;
}

/** Figures of conversations that ended within some days. */
export interface TalkFigures {
  readonly sessions: number;
  readonly outcomes: readonly { readonly outcome: string; readonly sessions: number }[];
  /** By the last screen before the end, which tells the service. */
  readonly endings: readonly { readonly screen: string; readonly outcome: string; readonly sessions: number }[];
  readonly screens: readonly ScreenFigures[];
  /** Conversations by their number of hops; the last stands for more too. */
  readonly hops: readonly { readonly hops: number; readonly sessions: number }[];
  readonly hopsMean: number | undefined;
  /** How long people took to answer a screen, and we to answer them, until it was written down. */
  readonly turns: readonly Bar[];
  readonly ours: readonly Bar[];
}

/** Puts counts in the order in which they are read: what happens most comes first. */
export function figuresOf(rows: readonly FigureRow[]): TalkFigures {
  const of = (measure: FigureRow["measure"]): ReadonlyMap<string, number> => {
    const counts = new Map<string, number>();
    for (const row of rows) if (row.measure === measure) counts.set(row.name, (counts.get(row.name) ?? 0) + row.count);
    return new Map([...counts].toSorted(([, left], [, right]) => right - left));
  };
  const [left, completed, hops] = [of("left"), of("completed"), of("hops")];
  const outcomes = [...of("outcome")].map(([outcome, sessions]) => ({ outcome, sessions }));
  const sessions = outcomes.reduce((sum, one) => sum + one.sessions, 0);
  const byHops = [...hops].map(([name, count]) => ({ hops: Number(name), sessions: count }));
  const hopsTotal = byHops.reduce((sum, one) => sum + one.hops * one.sessions, 0);
  return {
    sessions,
    outcomes,
    endings: [...of("ending")].map(([name, count]) => {
      const [screen = "", outcome = ""] = name.split(" ");
      return { screen, outcome, sessions: count };
    }),
    screens: [...of("shown")].map(([screen, shown]) => ({
      screen,
      shown,
      left: left.get(screen) ?? 0,
      completed: completed.get(screen) ?? 0,
    })),
    hops: byHops.toSorted((one, other) => one.hops - other.hops),
    hopsMean: sessions === 0 ? undefined : hopsTotal / sessions,
    turns: barsOf(of("turn"), TURN_BARS_MS),
    ours: barsOf(of("ours"), OUR_BARS_MS),
  };
}

function barsOf(counts: ReadonlyMap<string, number>, limits: readonly number[]): readonly Bar[] {
  return [...limits, undefined].map((belowMs, at) => ({ belowMs, hops: counts.get(String(at)) ?? 0 }));
}
