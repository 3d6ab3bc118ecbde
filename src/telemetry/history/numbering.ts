/**
 * Where PostgreSQL's transaction numbers come from, as `telemetry.numbering_now` writes it: the cluster, its timeline, the
 * database and the bookmark's table, with slashes between them.
 */
export type Numbering = string;

/**
 * Why numbers that were counted in one numbering mean nothing in the other, for a person who has to decide; undefined where
 * they are the same. The greatest difference is told: another cluster has other tables too.
 */
export function whyOtherNumbers(before: Numbering, now: Numbering): string | undefined {
  if (before === now) return undefined;
  const [clusterBefore, timelineBefore] = before.split("/");
  const [cluster, timeline] = now.split("/");
  if (cluster !== clusterBefore) return "This database was restored or copied into another PostgreSQL cluster";
  if (timeline !== timelineBefore)
    return `This PostgreSQL was set back to an earlier moment, or a standby took over (timeline ${String(timelineBefore)} became ${String(timeline)})`;
  return "This database was restored from a dump, or copied, within its PostgreSQL cluster";
}
