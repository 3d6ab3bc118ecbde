/** One look at a slowly moving number. `variance` is that of the look, errors that stay the same included or not. */
export interface TrendObservation {
  readonly value: number;
  readonly variance: number;
}

/** Level and slope per step, with their covariance. */
export interface TrendState {
  readonly level: number;
  readonly slope: number;
  readonly levelVariance: number;
  readonly slopeVariance: number;
  readonly covariance: number;
}

/**
 * One step of the local linear trend by Kalman's filter (Harvey 1989, Forecasting, Structural Time Series Models and the
 * Kalman Filter): the level moves by the slope, both wander a little, and what was observed in the step pulls
 * them. Without an observation the state only grows less certain.
 *
 * An observation many deviations away is weighed less, not thrown away: its variance grows with the square of its
 * distance beyond three deviations, so its pull on the level shrinks as it lies further out (a redescending weight, of our own
 * making; Huber's pull would stay constant). One bad week cannot turn a trend, and ten good ones can.
 */
export function filterTrend(
  before: TrendState,
  observation: TrendObservation | undefined,
  wander: { readonly level: number; readonly slope: number },
): TrendState {
  const level = before.level + before.slope;
  const levelVariance = before.levelVariance + 2 * before.covariance + before.slopeVariance + wander.level;
  const covariance = before.covariance + before.slopeVariance;
  const slopeVariance = before.slopeVariance + wander.slope;
  if (observation === undefined) return { level, slope: before.slope, levelVariance, slopeVariance, covariance };
  const surprise = observation.value - level;
  const expected = levelVariance + observation.variance;
  const distance = Math.abs(surprise) / Math.sqrt(expected);
  const spread = distance > 3 ? expected * (distance / 3) ** 2 : expected;
  const levelGain = levelVariance / spread;
  const slopeGain = covariance / spread;
  return {
    level: level + levelGain * surprise,
    slope: before.slope + slopeGain * surprise,
    levelVariance: levelVariance * (1 - levelGain),
    slopeVariance: slopeVariance - slopeGain * covariance,
    covariance: covariance * (1 - levelGain),
  };
}
