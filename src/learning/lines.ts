/** A straight line by least squares, y = level + slope · x. */
export interface Line {
  readonly slope: number;
  readonly level: number;
  /** Mean square of what the line leaves, by degrees of freedom; NaN with two points. */
  readonly residualVariance: number;
  /** Variance of the slope. */
  readonly slopeVariance: number;
  readonly count: number;
}

/** The line of least squares through points with weights (1 each when not given). Undefined without two different x. */
export function fitLine(
  x: readonly number[],
  y: readonly number[],
  weights: readonly number[] = x.map(() => 1),
): Line | undefined {
  let [total, sumX, sumY] = [0, 0, 0];
  for (const [at, weight] of weights.entries()) {
    total += weight;
    sumX += weight * (x[at] ?? 0);
    sumY += weight * (y[at] ?? 0);
  }
  const [meanX, meanY] = [sumX / total, sumY / total];
  let [spread, together] = [0, 0];
  for (const [at, weight] of weights.entries()) {
    const away = (x[at] ?? 0) - meanX;
    spread += weight * away * away;
    together += weight * away * ((y[at] ?? 0) - meanY);
  }
  if (!(spread > 0)) return undefined;
  const slope = together / spread;
  const level = meanY - slope * meanX;
  let left = 0;
  for (const [at, weight] of weights.entries()) left += weight * ((y[at] ?? 0) - level - slope * (x[at] ?? 0)) ** 2;
  const residualVariance = left / (x.length - 2);
  return { slope, level, residualVariance, slopeVariance: residualVariance / spread, count: x.length };
}

/** The slope of the line of least squares through the origin; undefined where every x is 0. */
export function fitThroughOrigin(x: readonly number[], y: readonly number[]): number | undefined {
  let [spread, together] = [0, 0];
  for (const [at, value] of x.entries()) {
    spread += value * value;
    together += value * (y[at] ?? 0);
  }
  return spread > 0 ? together / spread : undefined;
}
