/** The face of learning: mathematics on plain numbers, which knows no domain. */
export { combineEvidence, type Evidence } from "./evidence.ts";
export { filterTrend, type TrendObservation, type TrendState } from "./trend.ts";
export { fitLine, fitThroughOrigin, type Line } from "./lines.ts";
export { mean, median, normalCdf, normalQuantile, quantile, studentQuantile } from "./quantiles.ts";
