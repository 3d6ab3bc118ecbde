import { normalCdf, type TrendState } from "../../learning/learning.ts";
import { END_OF_LIFE } from "./chemistry-facts.ts";

/** When the battery will have lost a fifth of its capacity. */
export interface EndOfLifeForecast {
  /** Weeks from now by which it will have ended with a probability of 10, 50 and 90 percent; undefined: not within the horizon. */
  readonly weeks10: number | undefined;
  readonly weeks50: number | undefined;
  readonly weeks90: number | undefined;
  /** Probability that it has ended eight weeks from now. */
  readonly within8Weeks: number;
  readonly within26Weeks: number;
}

/** How the slope itself wanders in a week, in shares of capacity a week: what lets a knee come. */
export const SLOPE_WANDER = 0.0003;
const HORIZON_WEEKS = 260;

/**
 * The trend goes on, with all that is unsure about it: level, slope, and a slope that wanders (prediction in a local linear
 * trend: Harvey 1989). The probability of having ended by a week is that of the level lying below the end
 * then; since ageing does not heal, it never falls again.
 *
 * @param state level and slope of the state of health, by the week
 */
export function forecastEndOfLife(state: TrendState): EndOfLifeForecast {
  const ended = (weeks: number): number => {
    const variance =
      state.levelVariance +
      2 * weeks * state.covariance +
      weeks * weeks * state.slopeVariance +
      (SLOPE_WANDER ** 2 * weeks ** 3) / 3;
    return normalCdf((END_OF_LIFE - state.level - weeks * state.slope) / Math.sqrt(Math.max(1e-9, variance)));
  };
  const quantiles: Record<"10" | "50" | "90", number | undefined> = {
    "10": undefined,
    "50": undefined,
    "90": undefined,
  };
  let most = 0;
  for (let weeks = 0; weeks <= HORIZON_WEEKS; weeks += 1) {
    most = Math.max(most, ended(weeks));
    for (const share of ["10", "50", "90"] as const) if (most >= Number(share) / 100) quantiles[share] ??= weeks;
  }
  const within = (weeks: number) => Math.max(...Array.from({ length: weeks + 1 }, (_, week) => ended(week)));
  return {
    weeks10: quantiles["10"],
    weeks50: quantiles["50"],
    weeks90: quantiles["90"],
    within8Weeks: within(8),
    within26Weeks: within(26),
  };
}
