import { fitLine, mean } from "../../src/learning/learning.ts";
import {
  endOfLifeCycle,
  firstCycles,
  trainForecaster,
  type CycleForecast,
  type LaboratoryCell,
} from "../../src/telemetry/battery/laboratory.ts";

/** One forecast of a cell that was left out, held against its life. */
export interface JudgedForecast {
  readonly cell: LaboratoryCell;
  /** The share of its life that the forecast saw. */
  readonly seenShare: number;
  readonly life: number;
  readonly forecast: CycleForecast;
  readonly covered: boolean;
  /** Relative errors, above zero where the forecast was too long. */
  readonly error: number;
  readonly lineError: number;
  readonly noChangeError: number;
  /** The mean life of the cells learned from, of its family where there are any. */
  readonly kinError: number;
}

/** Forecasts are judged around half of life too: five cells at one point cannot tell how often an interval holds. */
export const SEEN_SHARES = [0.4, 0.45, 0.5, 0.55, 0.6];
/** The interval's own promise, in the middle of what is asked of it. */
export const COVERAGE = 0.875;
/** A line that never comes down is taken as a life ten times as long as what was seen. */
const LINE_LIFE_MAX = 10;

/**
 * Each cell in turn is left out, or, with cells to test on, those are forecast from all the others. Cells whose capacity never
 * reached the end have no life to be held against.
 */
export function judgeCells(
  learnFrom: readonly LaboratoryCell[],
  testOn: readonly LaboratoryCell[] | undefined,
): readonly JudgedForecast[] {
  return (testOn ?? learnFrom).flatMap((cell) => {
    const life = endOfLifeCycle(cell);
    if (life === undefined) return [];
    const others = learnFrom.filter((other) => other.name !== cell.name);
    const forecaster = trainForecaster(others, COVERAGE);
    return SEEN_SHARES.map((seenShare) => {
      const { name, ...seen } = firstCycles(cell, Math.floor(seenShare * life));
      const forecast = forecaster.forecast(seen);
      const off = (cycles: number) => cycles / life - 1;
      return {
        cell: { ...cell, name },
        seenShare,
        life,
        forecast,
        covered: forecast.leastCycles <= life && life <= forecast.mostCycles,
        error: off(forecast.cycles),
        lineError: off(lineLife(seen)),
        noChangeError: off(cell.capacitiesAh.length),
        kinError: off(kinLife(cell, others)),
      };
    });
  });
}

/** A straight line by least squares through all that was seen, to the end. */
function lineLife({ capacitiesAh, endAh }: Omit<LaboratoryCell, "name">): number {
  const line = fitLine([...capacitiesAh.keys()], capacitiesAh);
  const at = line === undefined || line.slope >= 0 ? Infinity : (endAh - line.level) / line.slope + 1;
  return Math.min(Math.max(at, capacitiesAh.length), LINE_LIFE_MAX * capacitiesAh.length);
}

function kinLife(cell: LaboratoryCell, others: readonly LaboratoryCell[]): number {
  const lives = (chosen: readonly LaboratoryCell[]) =>
    chosen.map((other) => endOfLifeCycle(other)).filter((life) => life !== undefined);
  const kin = lives(others.filter(({ family }) => family === cell.family));
  return mean(kin.length > 0 ? kin : lives(others));
}

/** Mean absolute relative error of one way of forecasting. */
export function meanError(judged: readonly JudgedForecast[], pick: (forecast: JudgedForecast) => number): number {
  return mean(judged.map((forecast) => Math.abs(pick(forecast))));
}
