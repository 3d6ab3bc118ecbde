/** One opinion about a number, and how far it is usually off. */
export interface Evidence {
  readonly value: number;
  readonly variance: number;
}

/**
 * Several opinions as one, each weighing by the inverse of its variance: the best linear combination of independent,
 * unbiased opinions (Cochran 1937; the update of a normal mean in any Bayesian text). Undefined of nothing.
 */
export function combineEvidence(opinions: readonly Evidence[]): Evidence | undefined {
  let [precision, weighted] = [0, 0];
  for (const { value, variance } of opinions) {
    precision += 1 / variance;
    weighted += value / variance;
  }
  return precision > 0 ? { value: weighted / precision, variance: 1 / precision } : undefined;
}
