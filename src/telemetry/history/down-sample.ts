/** One point of a line: Unix milliseconds and a value. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/**
 * Keeps `pointsMax` points (3 or more) so that the line looks the same: from each bucket the point that spans the largest
 * triangle with the one kept before and the mean of the bucket after. The first and the last stay. Points are in order of
 * time. Source: S. Steinarsson, Downsampling Time Series for Visual Representation, 2013, "LTTB"; ClickHouse's
 * `largestTriangleThreeBuckets` does the same in history.
 */
export function largestTriangles(points: readonly Point[], pointsMax: number): readonly Point[] {
  const first = points[0];
  const last = points.at(-1);
  if (points.length <= pointsMax || first === undefined || last === undefined) return points;
  const every = (points.length - 2) / (pointsMax - 2);
  const kept: Point[] = [first];
  let anchor = first;
  for (let bucket = 0; bucket < pointsMax - 2; bucket++) {
    const from = Math.floor(bucket * every) + 1;
    const to = Math.floor((bucket + 1) * every) + 1;
    const after = meanOf(points.slice(to, Math.min(Math.floor((bucket + 2) * every) + 1, points.length)));
    const chosen = largestOf(points.slice(from, to), { anchor, after });
    kept.push(chosen);
    anchor = chosen;
  }
  kept.push(last);
  return kept;
}

function meanOf(points: readonly Point[]): Point {
  let [atMs, value] = [0, 0];
  for (const point of points) {
    atMs += point.atMs;
    value += point.value;
  }
  return { atMs: atMs / points.length, value: value / points.length };
}

function largestOf(points: readonly Point[], { anchor, after }: { anchor: Point; after: Point }): Point {
  let chosen = points[0] ?? anchor;
  let largest = -1;
  for (const point of points) {
    const area = Math.abs(
      (anchor.atMs - after.atMs) * (point.value - anchor.value) -
        (anchor.atMs - point.atMs) * (after.value - anchor.value),
    );
    if (area > largest) [largest, chosen] = [area, point];
  }
  return chosen;
}

/** How long a bucket is, so that two points of each make at most `pointsMax` (2 or more) over the time asked for. */
export function bucketMs({ fromMs, toMs }: { fromMs: number; toMs: number }, pointsMax: number): number {
  return Math.max(1, Math.ceil((toMs - fromMs) / Math.max(1, Math.floor(pointsMax / 2))));
}

/** The lowest and the highest point of each bucket, in order of time: no peak is lost, however far out one looks. */
export function lowestAndHighest(
  points: readonly Point[],
  { fromMs, bucketMs: width }: { fromMs: number; bucketMs: number },
): readonly Point[] {
  const buckets = new Map<number, { low: Point; high: Point }>();
  for (const point of points) {
    const bucket = Math.floor((point.atMs - fromMs) / width);
    const { low, high } = buckets.get(bucket) ?? { low: point, high: point };
    buckets.set(bucket, { low: point.value < low.value ? point : low, high: point.value > high.value ? point : high });
  }
  return inOrder([...buckets.values()]);
}

/** A bucket whose lowest is its highest gives one point. */
export function inOrder(buckets: readonly { readonly low: Point; readonly high: Point }[]): readonly Point[] {
  return buckets
    .flatMap(({ low, high }) => (low.atMs === high.atMs ? [low] : [low, high]))
    .sort((left, right) => left.atMs - right.atMs);
}
