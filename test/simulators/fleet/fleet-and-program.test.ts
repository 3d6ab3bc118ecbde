import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deriveCredentials, fleetDevicesCsv } from "../../../simulators/fleet/credentials.ts";
import { badFaults, DAY_MS } from "../../../simulators/fleet/faults.ts";
import { startFleet } from "../../../simulators/fleet/fleet.ts";
import type { TrueDay } from "../../../simulators/fleet/truth.ts";
import { makeGatewayDoor } from "../../../src/telemetry/doors/gateway.mqtt.ts";
import { useDatabase } from "../../support/database.ts";
import { makeIngestWorld, START } from "../../telemetry/ingest/ingest-world.ts";

const SEED = 21;
const devices = Array.from({ length: 12 }, (_, at) => deriveCredentials(SEED, at));
const database = useDatabase();
let world: ReturnType<typeof makeIngestWorld>;
let gateway: Awaited<ReturnType<typeof makeGatewayDoor>>;
let port: number;

beforeAll(async () => {
  world = makeIngestWorld(database.current);
  await database.current.db.transaction((tx) => world.devices.importCsv(tx, fleetDevicesCsv(devices)));
  const passwords = new Map(devices.map(({ serial, password }) => [serial, password]));
  gateway = await makeGatewayDoor({
    ingest: world.ingest,
    clock: world.clock,
    authenticate: (serial, password) => Promise.resolve(passwords.get(serial) === password),
  });
  ({ port } = await gateway.listen({ port: 0, host: "127.0.0.1" }));
});
afterAll(async () => {
  await gateway.close();
  await world.ingest.close();
});

async function storedReadings(): Promise<ReadonlySet<string>> {
  const rows = await database.current.db.execute<{ told: string }>(sql`
    select d.serial || ' ' || extract(epoch from r.at)::bigint as told
    from telemetry.readings r join devices.devices d on d.number = r.device`);
  return new Set(rows.map(({ told }) => told));
}

test("every reading that a bad week's fleet had acknowledged is in the database, and its faults cost nothing else", async () => {
  const truth: TrueDay[] = [];
  const fleet = startFleet({
    broker: { host: "127.0.0.1", port, isSecure: false },
    seed: SEED,
    devices,
    time: { startAtMs: START.getTime() - 3 * DAY_MS, endAtMs: START.getTime(), speed: Number.POSITIVE_INFINITY },
    shares: badFaults,
    timing: { reconnectFirstMs: 5, reconnectLongestMs: 50 },
    truth: { write: (day) => void truth.push(day), close: () => undefined },
  });
  await fleet.finished;
  await fleet.stop();
  const { acknowledgedReadings, faults } = fleet.counts();
  expect(acknowledgedReadings).toBeGreaterThan(1_500);
  expect(Math.min(faults.drop, faults.lost_ack, faults.duplicate, faults.torn, faults.half_open)).toBeGreaterThan(0);

  const stored = await storedReadings();
  const known = truth.flatMap(({ serial, acknowledged }) => acknowledged.map((at) => `${serial} ${String(at)}`));
  expect(known.filter((reading) => !stored.has(reading))).toEqual([]);
  // What was set aside was told by clocks that were wrong, and by nobody else.
  const askew = new Set(
    truth.filter(({ acknowledgedAskew }) => acknowledgedAskew.length > 0).map(({ serial }) => serial),
  );
  const quarantined = await database.current.db.execute<{ serial: string; reason: string; detail: string }>(
    sql`select serial, reason, detail from telemetry.quarantine`,
  );
  expect(quarantined.filter(({ serial }) => !askew.has(serial))).toEqual([]);
});
