import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { actorOf } from "../../../src/access/access.ts";
import { placeSource, alertMessages } from "../../../src/fleet-rooms.ts";
import { DAY_MS, MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAlertSteps, makePlaceSync, makeTelling } from "../../../src/telemetry/telemetry.ts";
import { useApp } from "../../support/app.ts";
import { makeHousehold, pay } from "../../support/village.ts";

const running = useApp();

test("a payment changes the days on the fleet screen, and an opened lamp reaches its agent's phone", async () => {
  const scene = running.current;
  const { app, clock } = scene;
  const { db } = app.database;
  const sync = makePlaceSync({ database: app.database, clock, source: placeSource });
  const household = await makeHousehold(scene);
  await sync.all();
  const [row] = await db.execute<{ number: number }>(
    sql`select number from devices.devices where serial = ${household.serial}`,
  );
  const number = row?.number ?? 0;
  const shown = async () => (await app.fleet.findMany([number])).get(number);
  expect(await shown()).toMatchObject({
    serial: household.serial,
    inService: true,
    area: "kitui",
    contractId: household.contract.id,
    daysLeftByContract: undefined,
    liveness: "never",
  });

  clock.advance(DAY_MS);
  const before = clock.now();
  const changed = (since: Date) =>
    db.transaction(async (tx) =>
      (await placeSource.changed(tx, { since, after: 0, limit: 10 })).map(({ serial }) => serial),
    );
  expect(await changed(before)).toEqual([]);
  await pay(scene, { account: household.accountNumber, amount: 150 });
  await scene.settle();
  expect(await changed(before)).toEqual([household.serial]);
  clock.advance(5 * MINUTE_MS);
  expect(await sync.once()).toBe(1);
  const paid = await shown();
  expect(paid?.daysLeftByContract).toBeGreaterThan(2.9);
  expect(paid?.tokensIssued).toBeGreaterThan(0);

  await db.execute(sql`
    insert into telemetry.states (device, first_seen_at, last_seen_at, tampered, active_until)
    values (${number}, ${clock.now().toISOString()}, ${clock.now().toISOString()}, true, ${new Date(clock.now().getTime() + DAY_MS).toISOString()})`);
  const passwordHash = await app.access.hashPassword("seven quiet lamps");
  const agent = await db.transaction((tx) =>
    app.access.createStaff(tx, {
      email: "agent@example.org",
      name: "Agent",
      role: "agent",
      area: "kitui",
      language: "sw",
      passwordHash,
      actor: "staff:admin",
    }),
  );
  const reader = actorOf(agent);
  await db.transaction((tx) =>
    app.alerts.setReader(tx, {
      actor: reader,
      phone: "+254711000999",
      language: "sw",
      area: "kitui",
      zone: "Africa/Nairobi",
      messagesADayMax: 3,
      changedBy: "staff:admin",
    }),
  );
  const steps = makeAlertSteps({ database: app.database, clock, zone: "Africa/Nairobi" });
  const tell = makeTelling({
    database: app.database,
    clock,
    send: (tx, reader, messages) => app.messaging.append(tx, alertMessages(reader, messages)),
    mayBeTold: app.access.findWorking,
  });
  await steps.look();
  expect(await tell()).toBe(1);
  expect(await tell()).toBe(0);
  const { messages } = await app.messaging.list(db, { filter: { toPhone: "+254711000999" }, first: 10 });
  expect(messages).toMatchObject([
    {
      template: "alert_device",
      language: "sw",
      values: { problem: "kimefunguliwa au kuchezewa", device: household.serial },
    },
  ]);
  const [alert] = await app.alerts.list({ first: 10 });
  expect(await app.alerts.toldTo([alert?.id ?? 0n])).toEqual(new Map([[alert?.id, [reader]]]));
  expect(await app.access.listAudit({ limit: 10, subject: { kind: "alert_reader", id: reader } })).toMatchObject([
    { actor: "staff:admin", action: "alert_reader.set" },
  ]);

  // Who does not work here any more learns nothing more of people's homes; who comes back hears of what waits.
  const setDisabled = (disabled: boolean) =>
    db.transaction((tx) => app.access.setStaffDisabled(tx, { staffId: agent.id, disabled, actor: "staff:admin" }));
  await setDisabled(true);
  await db.execute(sql`update telemetry.states set battery_temperature_c = 70 where device = ${number}`);
  for (let looks = 0; looks < 10; looks++) {
    clock.advance(2 * MINUTE_MS);
    await steps.look();
  }
  expect((await app.alerts.list({ first: 10 })).map(({ rule }) => rule)).toContain("battery_hot");
  expect(await tell()).toBe(0);
  await setDisabled(false);
  expect(await tell()).toBe(1);
});
