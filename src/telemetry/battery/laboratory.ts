import { combineEvidence, fitLine, fitThroughOrigin, mean, median, studentQuantile } from "../../learning/learning.ts";

/** A cell that was cycled on a bench. */
export interface LaboratoryCell {
  readonly name: string;
  /** Cells of one kind and one way of cycling, such as "CALCE" or "NASA": the ones that teach most about each other. */
  readonly family: string;
  /** Ampere-hours of cycle 1, 2, …; gaps filled by the caller. */
  readonly capacitiesAh: readonly number[];
  /** The capacity at which its life ends. */
  readonly endAh: number;
}

/** When a cell's life ends, in cycles, and between which cycles with the probability asked for. */
export interface CycleForecast {
  readonly cycles: number;
  readonly leastCycles: number;
  readonly mostCycles: number;
}

/** What the method remembers of cells whose end it saw. */
export interface TrainedForecaster {
  forecast(seen: Omit<LaboratoryCell, "name">): CycleForecast;
}

const SMOOTHED_CYCLES = 5;
const RECENT_SHARE = 0.5;
/** Learned at many shares of life, so that the method cannot learn "twice what has been seen". */
const TRAINING_SHARES = [0.3, 0.4, 0.5, 0.6, 0.7];
/**
 * How far each kind of evidence is usually off, as a deviation of the logarithm, before any cell was seen, worth two cells.
 * Kin: cells of one batch under one test differ by a tenth to a quarter of their lives (Baumhöfer et al. 2014, J. Power
 * Sources 247, 332: 48 equal cells). The two others: a third, since a knee may or may not come.
 */
const USUAL_ERROR = { kin: 0.18, power: 0.33, recent: 0.33 };
const USUAL_ERROR_ALL = 0.12;
const PRIOR_CELLS = 2;
const LINE_HORIZON = 3;

type Kind = keyof typeof USUAL_ERROR;
const KINDS: readonly Kind[] = ["kin", "power", "recent"];
type Opinions = Readonly<Record<Kind, number | undefined>>;

/** The first cycle of which the median of five neighbours is below the end; undefined where it never is. */
export function endOfLifeCycle({ capacitiesAh, endAh }: LaboratoryCell): number | undefined {
  const half = Math.floor(SMOOTHED_CYCLES / 2);
  const at = capacitiesAh.findIndex(
    (_, cycle) => median(capacitiesAh.slice(Math.max(0, cycle - half), cycle + half + 1)) < endAh,
  );
  return at < 0 ? undefined : at + 1;
}

/** The first cycles of a cell: all that a forecast may see. */
export function firstCycles(cell: LaboratoryCell, cycles: number): LaboratoryCell {
  return { ...cell, capacitiesAh: cell.capacitiesAh.slice(0, cycles) };
}

/** What a cell tells by itself: share of the way to its end, and the cycle at which a straight line would reach it. */
function readOwn({ capacitiesAh, endAh }: Omit<LaboratoryCell, "name">): {
  gone: number;
  recent: number;
  seen: number;
} {
  const seen = capacitiesAh.length;
  const first = Math.floor(seen * (1 - RECENT_SHARE));
  const recentPart = capacitiesAh.slice(first);
  const line = fitLine([...recentPart.keys()], recentPart);
  const newAh = median(capacitiesAh.slice(0, SMOOTHED_CYCLES));
  const nowAh = line === undefined ? newAh : line.level + line.slope * (recentPart.length - 1);
  const gone = Math.max(0.02, (newAh - nowAh) / (newAh - endAh));
  const slope = Math.max(1e-9, -(line?.slope ?? 0));
  const left = Math.min(Math.max((nowAh - endAh) / slope, 0.02 * seen), LINE_HORIZON * seen);
  return { gone, recent: seen + left, seen };
}

interface Taught {
  readonly cell: LaboratoryCell;
  readonly life: number;
}

/**
 * The exponent of loss ~ cycles^(1/q): pooled over the cells, since the first half of one life does not show its knee.
 * Power laws of loss: Spotnitz 2003, J. Power Sources 113, 72.
 */
function fitPower(taught: readonly Taught[]): number {
  const x: number[] = [];
  const y: number[] = [];
  for (const { cell, life } of taught)
    for (const share of TRAINING_SHARES) {
      const { gone, seen } = readOwn(firstCycles(cell, Math.floor(share * life)));
      x.push(-Math.log(gone));
      y.push(Math.log(life / seen));
    }
  return fitThroughOrigin(x, y) ?? 1;
}

/** Three opinions about the logarithm of the cell's life. */
function hearOpinions(seen: Omit<LaboratoryCell, "name">, taught: readonly Taught[], power: number): Opinions {
  const kin = taught.filter(({ cell }) => cell.family === seen.family).map(({ life }) => Math.log(life));
  const own = readOwn(seen);
  return {
    kin: kin.length === 0 ? undefined : mean(kin),
    power: Math.log(own.seen) - power * Math.log(own.gone),
    recent: Math.log(own.recent),
  };
}

/** Mean square errors of each opinion, cell by cell left out, for cells of the family and for all. */
function weighOpinions(taught: readonly Taught[], family: string): Readonly<Record<Kind, number>> {
  const errors = taught.map((left) => {
    const others = taught.filter((other) => other !== left);
    const power = fitPower(others);
    return {
      family: left.cell.family,
      opinions: TRAINING_SHARES.map((share) => {
        const opinions = hearOpinions(firstCycles(left.cell, Math.floor(share * left.life)), others, power);
        return (kind: Kind) => {
          const opinion = opinions[kind];
          return opinion === undefined ? undefined : (opinion - Math.log(left.life)) ** 2;
        };
      }),
    };
  });
  const weigh = (kind: Kind): number => {
    const of = (chosen: typeof errors) =>
      chosen.flatMap(({ opinions }) => {
        const squares = opinions.map((error) => error(kind)).filter((square) => square !== undefined);
        return squares.length === 0 ? [] : [mean(squares)];
      });
    const all = of(errors);
    const kin = of(errors.filter((error) => error.family === family));
    const sum = (squares: readonly number[]) => squares.reduce((total, square) => total + square, 0);
    // Shrunk twice: the family's errors towards those of all cells, and those towards what is usual.
    const anywhere = (sum(all) + PRIOR_CELLS * USUAL_ERROR[kind] ** 2) / (all.length + PRIOR_CELLS);
    return (sum(kin) + anywhere) / (kin.length + 1);
  };
  return { kin: weigh("kin"), power: weigh("power"), recent: weigh("recent") };
}

function forecastLogLife(seen: Omit<LaboratoryCell, "name">, taught: readonly Taught[]): number {
  const opinions = hearOpinions(seen, taught, fitPower(taught));
  const variances = weighOpinions(taught, seen.family);
  const heard = KINDS.flatMap((kind) => {
    const value = opinions[kind];
    return value === undefined ? [] : [{ value, variance: variances[kind] }];
  });
  return combineEvidence(heard)?.value ?? Math.log(seen.capacitiesAh.length);
}

/**
 * The reference method: when does a cell reach its end of life, from the first part of it?
 *
 * Three opinions are weighed by how far each was off on cells that were left out in turn: the lives of cells of the same
 * family; a power law of loss through the cell's own loss so far; and the straight line of its recent half. The interval
 * is Student's, with the spread of the combined forecast on cells left out. Nothing is told how far into its life a
 * cell is. Cells that never reached their end teach nothing and are left aside.
 *
 * @param coverage the probability that the life lies in the interval, such as 0.875
 * @throws RangeError with fewer than three cells that reached their end: an error cannot be learned from less
 */
export function trainForecaster(cells: readonly LaboratoryCell[], coverage: number): TrainedForecaster {
  const taught = cells.flatMap((cell) => {
    const life = endOfLifeCycle(cell);
    return life === undefined ? [] : [{ cell, life }];
  });
  if (taught.length < 3)
    throw new RangeError(
      `At least 3 cells that reached their end of life are needed to learn from, not ${taught.length}.`,
    );
  const squares = taught.map((left) => {
    const others = taught.filter((other) => other !== left);
    return mean(
      TRAINING_SHARES.map((share) => {
        const seen = firstCycles(left.cell, Math.floor(share * left.life));
        return (forecastLogLife(seen, others) - Math.log(left.life)) ** 2;
      }),
    );
  });
  const total = squares.reduce((sum, square) => sum + square, 0) + PRIOR_CELLS * USUAL_ERROR_ALL ** 2;
  const degrees = taught.length + PRIOR_CELLS;
  const reach = studentQuantile((1 + coverage) / 2, degrees) * Math.sqrt(total / degrees);
  return {
    forecast(seen) {
      const middle = forecastLogLife(seen, taught);
      return {
        cycles: Math.exp(middle),
        // What has been lived through without the end cannot have been the end.
        leastCycles: Math.max(seen.capacitiesAh.length, Math.exp(middle - reach)),
        mostCycles: Math.exp(middle + reach),
      };
    },
  };
}
