import type { Clock } from "../../src/kernel/time.ts";
import type { Database } from "../../src/platform/database.ts";
import { makeAlertQueries } from "../../src/telemetry/alerts/alerts.queries.ts";
import { makeFleet } from "../../src/telemetry/states/fleet.queries.ts";

export interface QueryFigures {
  readonly name: string;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly rows: number;
}

/** Every query that the fleet screen asks, one at a time, each so many times after one that warms its plan. */
export async function measureScreen(
  database: Database,
  { clock, devices, repeats }: { clock: Clock; devices: number; repeats: number },
): Promise<readonly QueryFigures[]> {
  const fleet = makeFleet({ db: database.db, clock });
  const alerts = makeAlertQueries({ database, clock });
  const middle = Math.floor(devices / 2);
  const queries: Readonly<Record<string, () => Promise<{ length: number }>>> = {
    "summary of the fleet": async () => (await fleet.summary()).byArea,
    "summary of an area": async () => (await fleet.summary("area 7")).byFirmware,
    "first page": () => fleet.list({ first: 51 }),
    "a page in the middle": () => fleet.list({ first: 51, after: middle }),
    "an area": () => fleet.list({ filter: { area: "area 7" }, first: 51 }),
    silent: () => fleet.list({ filter: { liveness: "silent" }, first: 51 }),
    "lost (rare)": () => fleet.list({ filter: { liveness: "lost" }, first: 51 }),
    "never heard (none)": () => fleet.list({ filter: { liveness: "never" }, first: 51 }),
    "tampered (one in a thousand)": () => fleet.list({ filter: { tampered: true }, first: 51 }),
    "tampered with an empty battery (one in 500,000)": () =>
      fleet.list({ filter: { tampered: true, battery: "empty" }, first: 51 }),
    "empty battery in an area": () => fleet.list({ filter: { area: "area 7", battery: "empty" }, first: 51 }),
    "a firmware": () => fleet.list({ filter: { firmwareVersion: "1.5.1" }, first: 51 }),
    "a firmware that nobody has": () => fleet.list({ filter: { firmwareVersion: "9.9" }, first: 51 }),
    "token behind": () => fleet.list({ filter: { tokenBehind: true }, first: 51 }),
    "start of a serial": () => fleet.list({ filter: { search: "SHS-00000421" }, first: 51 }),
    "a device's page": async () => [...(await fleet.findMany([middle])).values()],
    "map of the country": () => fleet.map({ bounds: { west: 33, south: -5, east: 42, north: 5 }, zoom: 6 }),
    "map of an area": () => fleet.map({ bounds: { west: 34.2, south: -4, east: 34.6, north: -3.6 }, zoom: 10 }),
    "map of a village": () => fleet.map({ bounds: { west: 34.2, south: -4, east: 34.3, north: -3.9 }, zoom: 13 }),
    "open alerts": () => alerts.list({ first: 51 }),
    "open alerts of an area": () => alerts.list({ filter: { area: "area 7" }, first: 51 }),
  };
  const figures: QueryFigures[] = [];
  for (const [name, ask] of Object.entries(queries)) {
    const { length: rows } = await ask();
    const millis: number[] = [];
    for (let turn = 0; turn < repeats; turn++) {
      const startedAt = performance.now();
      await ask();
      millis.push(performance.now() - startedAt);
    }
    millis.sort((left, right) => left - right);
    const at = (share: number): number => millis[Math.min(millis.length - 1, Math.floor(millis.length * share))] ?? 0;
    figures.push({ name, p50Ms: at(0.5), p95Ms: at(0.95), rows });
  }
  return figures;
}
