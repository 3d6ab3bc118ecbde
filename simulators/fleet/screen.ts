/** What a person sees while a fleet lives, and when it is over. */
import { faultKinds } from "./faults.ts";
import type { FleetCounts } from "./fleet.ts";

const grouped = (value: number): string => Math.round(value).toLocaleString("en-US");

export function progressLine(
  counts: FleetCounts,
  { before, seconds }: { before: FleetCounts; seconds: number },
): string {
  const perSecond = (counts.acknowledged - before.acknowledged) / seconds;
  const readings = (counts.acknowledgedReadings - before.acknowledgedReadings) / seconds;
  const at = new Date(counts.livedUntilMs).toISOString().slice(0, 16).replace("T", " ");
  return [
    `${at}  ${grouped(counts.connected)} of ${grouped(counts.devices)} connected`,
    `${grouped(perSecond)} acknowledged/s (${grouped(readings)} readings/s)`,
    `${grouped(counts.inFlight)} in flight, ${grouped(counts.waiting - counts.inFlight)} waiting`,
    `${grouped(counts.acknowledgedReadings)} readings so far`,
    ...(counts.connected === 0 ? whyNot(counts) : []),
  ].join(" · ");
}

function whyNot({ reasons }: FleetCounts): readonly string[] {
  const [most] = [...reasons].toSorted((left, right) => right[1] - left[1]);
  return most === undefined ? [] : [`nobody is connected: ${most[0]}`];
}

export function summary(counts: FleetCounts, seconds: number): string {
  const { measured, acknowledgedReadings, overwritten } = counts;
  const lines = [
    `${grouped(counts.devices)} devices in ${seconds.toFixed(1)} s: ${grouped(measured)} measurements, ${grouped(acknowledgedReadings)} readings acknowledged, ${grouped(overwritten)} overwritten, ${grouped(counts.dead)} devices dead.`,
    `${grouped(counts.sent)} messages sent, ${grouped(counts.resent)} of them again; ${grouped(counts.acknowledged)} acknowledged (${grouped(counts.acknowledged / seconds)}/s); ${grouped(counts.answered)} commands answered.`,
    `${grouped(counts.connects)} connections, ${grouped(counts.connectionsLost)} ended, ${grouped(counts.refusals)} failed.`,
  ];
  const faults = faultKinds.filter((kind) => counts.faults[kind] > 0);
  if (faults.length > 0)
    lines.push(`Faults: ${faults.map((kind) => `${kind} ${grouped(counts.faults[kind])}`).join(", ")}.`);
  const reasons = [...counts.reasons].filter(([why]) => why !== "left" && why !== "cut" && why !== "half open");
  const told = reasons.toSorted((left, right) => right[1] - left[1]).slice(0, 5);
  if (told.length > 0)
    lines.push(`Connections ended: ${told.map(([why, times]) => `${why} (${grouped(times)})`).join(", ")}.`);
  return lines.join("\n");
}
