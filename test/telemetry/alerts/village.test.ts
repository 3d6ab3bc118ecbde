import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { HOUR_MS, makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import { makeAlertQueries } from "../../../src/telemetry/alerts/alerts.queries.ts";
import type { AlertMessage } from "../../../src/telemetry/alerts/telling.ts";
import { saveReader } from "../../../src/telemetry/alerts/telling.store.ts";
import { makeTelling } from "../../../src/telemetry/alerts/telling.jobs.ts";
import { useDatabase } from "../../support/database.ts";
import { hear, putDevices, range } from "./fleet-of.ts";

const MORNING = new Date("2026-03-02T05:00:00Z");
const ZONE = "Africa/Nairobi";
const VILLAGE = range(1, 40);
/** The rest of the area: four villages of forty, so that the village is not the area. */
const OTHERS = range(41, 200);

const database = useDatabase();

beforeEach(async () => {
  await database.current.db.execute(
    sql`delete from telemetry.alert_tellings; delete from telemetry.alert_messages; delete from telemetry.alert_readers; delete from telemetry.alerts; delete from telemetry.states; delete from telemetry.places; delete from telemetry.rounds; delete from telemetry.fleet_counts; delete from telemetry.firmware_counts;`,
  );
});

/** A fleet that reports every hour, with devices that fall and return, looked at every five minutes. */
async function makeScene() {
  const clock = makeManualClock(MORNING);
  const steps = makeAlertSteps({ database: database.current, clock, zone: ZONE });
  const queries = makeAlertQueries({ database: database.current, clock });
  const told: { actor: string; message: AlertMessage }[] = [];
  const tell = makeTelling({
    database: database.current,
    clock,
    send: (_tx, { actor }, messages) => {
      told.push(...messages.map((message) => ({ actor, message })));
      return Promise.resolve();
    },
    mayBeTold: (actors) => Promise.resolve(new Set(actors)),
  });
  // Each device has its own minute of the hour, as fleets do.
  const phaseOf = (device: number): number => (device % 60) * MINUTE_MS;
  const lastReport = (device: number): Date =>
    new Date(Math.floor((clock.now().getTime() - phaseOf(device)) / HOUR_MS) * HOUR_MS + phaseOf(device));
  await putDevices(database.current, {
    now: clock.now(),
    devices: [...VILLAGE, ...OTHERS].map((device) => ({
      device,
      place: `village ${String(Math.ceil(device / 40))}`,
      lastSeenAt: lastReport(device),
    })),
  });
  await database.current.db.transaction((tx) =>
    saveReader(tx, {
      reader: {
        actor: "staff:agent",
        phone: "+254711000111",
        language: "en",
        zone: ZONE,
        area: "kitui",
        messagesADayMax: 10,
      },
      changedBy: "staff:admin",
      now: clock.now(),
    }),
  );
  let down = new Set<number>();
  async function live(forMs: number): Promise<void> {
    for (let passed = 0; passed < forMs; passed += 5 * MINUTE_MS) {
      clock.advance(5 * MINUTE_MS);
      const speaking = [...VILLAGE, ...OTHERS].filter((device) => !down.has(device));
      const minute = (clock.now().getTime() % HOUR_MS) / MINUTE_MS;
      const due = speaking.filter((device) => (minute - (device % 60) + 60) % 60 < 5);
      await hear(database.current, due, clock.now());
      while (await steps.look());
      await steps.group();
      await tell();
    }
  }
  return {
    clock,
    steps,
    queries,
    told,
    live,
    fall: (devices: readonly number[]) => {
      down = new Set(devices);
    },
    shown: () => queries.list({ first: 100 }),
  };
}

describe("a village whose power is cut", () => {
  test("is one alert and one message, and its lamps are found inside of it", async () => {
    const scene = await makeScene();
    await scene.live(HOUR_MS);
    expect(await scene.shown()).toEqual([]);
    scene.fall(VILLAGE);
    await scene.live(6 * HOUR_MS);
    const shown = await scene.shown();
    expect(shown).toMatchObject([
      { rule: "silent", scope: "place", area: "kitui", place: "village 1", value: 40, members: 40 },
    ]);
    const group = shown[0]?.id ?? 0n;
    expect(await scene.queries.members({ group, first: 100 })).toHaveLength(40);
    expect(scene.told.map(({ message }) => message.content)).toEqual([
      { kind: "group", place: "village 1", devices: 40 },
    ]);
  });

  test("ends when the lamps return; three that stay silent are three alerts, told after they had their turn", async () => {
    const scene = await makeScene();
    scene.fall(VILLAGE);
    await scene.live(6 * HOUR_MS);
    const [group] = await scene.shown();
    scene.fall([7, 19, 33]);
    await scene.live(HOUR_MS);
    expect(await scene.queries.find(group?.id ?? 0n)).toMatchObject({ state: "cleared", clearedBy: "split" });
    expect(scene.told).toHaveLength(1);
    await scene.live(2 * HOUR_MS);
    const shown = await scene.shown();
    expect(shown.map(({ scope, device }) => [scope, device])).toEqual(
      expect.arrayContaining([
        ["device", 7],
        ["device", 19],
        ["device", 33],
      ]),
    );
    expect(shown).toHaveLength(3);
    expect(scene.told.slice(1).map(({ message }) => message.content)).toEqual(
      expect.arrayContaining(
        ["LAMP-000007", "LAMP-000019", "LAMP-000033"].map((device) =>
          expect.objectContaining({ kind: "device", rule: "silent", device }),
        ),
      ),
    );
    expect(scene.told).toHaveLength(4);
  });

  test("looking, grouping and telling again changes nothing", async () => {
    const scene = await makeScene();
    scene.fall(VILLAGE);
    await scene.live(5 * HOUR_MS);
    const rows = () => database.current.db.execute(sql`select * from telemetry.alerts order by id`);
    const before = await rows();
    await database.current.db.execute(sql`update telemetry.rounds set looked_at = '-infinity'`);
    expect(await scene.steps.look()).toBe(true);
    await scene.steps.group();
    await scene.live(5 * MINUTE_MS);
    expect(await rows()).toEqual(before);
    expect(scene.told).toHaveLength(1);
  });
});

test("four lamps of forty that fall silent together are four alerts, not a village", async () => {
  const scene = await makeScene();
  scene.fall([3, 4, 5, 6]);
  await scene.live(5 * HOUR_MS);
  const shown = await scene.shown();
  expect(shown.map(({ scope }) => scope)).toEqual(["device", "device", "device", "device"]);
});

test("an area that falls silent is one alert, also where its villages fell one after the other", async () => {
  const scene = await makeScene();
  scene.fall(VILLAGE);
  await scene.live(4 * HOUR_MS);
  expect(await scene.shown()).toMatchObject([{ scope: "place" }]);
  scene.fall([...VILLAGE, ...range(41, 170)]);
  await scene.live(4 * HOUR_MS);
  expect(await scene.shown()).toMatchObject([{ scope: "area", area: "kitui", place: "" }]);
});
