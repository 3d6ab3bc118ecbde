/** A stretch of time and the store that answers for it. No query joins the two; their answers are put behind each other. */
export interface Stretch {
  readonly store: "recent" | "history";
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * PostgreSQL answers for the days it still holds, since it knows every reading as soon as it is acknowledged; history answers
 * for what is older. `keptFromMs` is where PostgreSQL's days begin; undefined when it holds none.
 */
export function stretchesOf(
  { fromMs, toMs }: { fromMs: number; toMs: number },
  keptFromMs: number | undefined,
): readonly Stretch[] {
  if (toMs <= fromMs) return [];
  if (keptFromMs === undefined || toMs <= keptFromMs) return [{ store: "history", fromMs, toMs }];
  if (fromMs >= keptFromMs) return [{ store: "recent", fromMs, toMs }];
  return [
    { store: "history", fromMs, toMs: keptFromMs },
    { store: "recent", fromMs: keptFromMs, toMs },
  ];
}

/** Each stretch's part of the points, by its length; three at least, which is what a line needs. */
export function pointsFor(stretch: Stretch, stretches: readonly Stretch[], pointsMax: number): number {
  const total = stretches.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  return Math.max(3, Math.floor((pointsMax * (stretch.toMs - stretch.fromMs)) / total));
}
