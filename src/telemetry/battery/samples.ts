import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";

/** What battery health reads of one moment. NaN stands for what was not told. */
export interface Sample {
  readonly atMs: number;
  readonly volts: number;
  /** Above zero while charging. */
  readonly amperes: number;
  readonly temperatureC: number;
  readonly panelA: number;
  readonly loadA: number;
}

/** A longer silence than this is not bridged: what flowed in it is unknown. */
export const GAP_MS_MAX = 2.5 * 3_600_000;

/** More than this many times its capacity per hour flows in no battery of a home; it is a broken number. */
const RATE_MAX = 3;
const TEMPERATURE_C = [-30, 90] as const;

/**
 * Samples in time order, each moment once, without the impossible ones. A temperature that cannot be is left out of the
 * sample; a voltage or current that cannot be takes the sample with it.
 *
 * @returns the samples and how many were left out as impossible (repetitions are not counted)
 */
export function cleanSamples(
  raw: readonly Sample[],
  spec: BatterySpec,
): { readonly samples: readonly Sample[]; readonly impossible: number } {
  const [least, most] = CHEMISTRY_FACTS[spec.chemistry].plausibleV.map((volts) => volts * spec.cells) as [
    number,
    number,
  ];
  const samples: Sample[] = [];
  let impossible = 0;
  for (const sample of raw.toSorted((left, right) => left.atMs - right.atMs)) {
    if (samples.at(-1)?.atMs === sample.atMs) continue;
    const { volts, amperes, temperatureC } = sample;
    if (!(volts >= least && volts <= most && Math.abs(amperes) <= RATE_MAX * spec.ratedAh)) {
      impossible += 1;
      continue;
    }
    const sane = temperatureC >= TEMPERATURE_C[0] && temperatureC <= TEMPERATURE_C[1];
    samples.push(sane ? sample : { ...sample, temperatureC: Number.NaN });
  }
  return { samples, impossible };
}
