import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../src/kernel/time.ts";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";

const office = useFleetOffice();
const { graphql, people } = office;

const PAGE = `query ($serial: String!) { device(serial: $serial) { ... on Device {
  serial installedAt whereabouts { area } tokens { count }
  standing { liveness connection batteryVoltageV daysLeftByContract tokensIssued area }
  credentials { state attemptsLeft events { edges { node { kind } } } }
  commands { edges { node { kind state } } }
  movements { edges { node { from to } } }
  alerts { edges { node { rule } } }
  readings(first: 2) { edges { node { at batteryVoltageV panelPowerW } } pageInfo { hasNextPage endCursor } }
  events { edges { node { kind } } }
  battery { share lacking sizing } batteryCourse { weekOn }
} ${REFUSAL} } }`;

describe("the page of a device", () => {
  test("shows the office where it stands, what it told, and what was done to it", async () => {
    const lamp = await office.sellLamp();
    graphql.clock.advance(HOUR_MS);
    await office.measure(lamp.number, [12.5, 12.75, 13]);
    await office.round();
    const { data } = await people.office.ask(PAGE, { serial: lamp.serial });
    expect(data["device"]).toMatchObject({
      standing: { liveness: "alive", connection: "online", batteryVoltageV: 13, area: "Kisumu" },
      credentials: { state: "none", events: { edges: [] } },
      movements: { edges: [{ node: { from: "stock", to: "installed" } }] },
      readings: {
        edges: [{ node: { batteryVoltageV: 12.5, panelPowerW: null } }, { node: { batteryVoltageV: 12.75 } }],
        pageInfo: { hasNextPage: true },
      },
      battery: null,
    });
  });

  test("does not exist for an agent of another area, by serial or by id", async () => {
    const lamp = await office.sellLamp();
    for (const name of [`serial: "${lamp.serial}"`, `id: "${lamp.id}"`]) {
      const { data } = await people.gulu.ask(`{ device(${name}) { ... on Device { serial } ${REFUSAL} } }`);
      expect(data["device"]).toMatchObject({ __typename: "NotFound" });
    }
  });

  test("tells an agent what it did in its present home, and nothing of the home before", async () => {
    const lamp = await office.sellLamp();
    await office.measure(lamp.number, [11, 12, 13], 60 * 24);
    const sold = await people.kisumu.ask(PAGE, { serial: lamp.serial });
    // Two of the three were told before it was sold; the third came at the very hour.
    expect(sold.data["device"]).toMatchObject({
      whereabouts: null,
      movements: null,
      tokens: null,
      readings: { edges: [{ node: { batteryVoltageV: 13 } }], pageInfo: { hasNextPage: false } },
    });
  });

  test("shows an agent of a lamp in stock nothing of where it was", async () => {
    const serial = await office.importDevice();
    const number = await office.numberOf(serial);
    await office.measure(number, [12, 12, 12]);
    await office.round();
    const { data } = await people.kisumu.ask(PAGE, { serial });
    expect(data["device"]).toMatchObject({
      standing: null,
      credentials: null,
      readings: { edges: [] },
      alerts: { edges: [] },
    });
  });

  test("pages through readings without gap or repeat", async () => {
    const lamp = await office.sellLamp();
    graphql.clock.advance(HOUR_MS);
    await office.measure(lamp.number, [1, 2, 3, 4, 5]);
    const seen: number[] = [];
    for (let after: string | null = null; ;) {
      const { data } = await people.office.ask(
        `query ($serial: String!, $after: String) { device(serial: $serial) { ... on Device {
          readings(first: 2, after: $after) { edges { node { batteryVoltageV } } pageInfo { hasNextPage endCursor } } } } }`,
        { serial: lamp.serial, after },
      );
      const page = data["device"]?.["readings"] as {
        edges: { node: { batteryVoltageV: number } }[];
        pageInfo: { hasNextPage: boolean; endCursor: string };
      };
      seen.push(...page.edges.map(({ node }) => node.batteryVoltageV));
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("a line of readings", () => {
  const SERIES = `query ($serial: String!, $points: Int, $sampling: Sampling, $from: DateTime) { device(serial: $serial) { ... on Device {
    series(quantity: batteryVoltageV, points: $points, sampling: $sampling, from: $from) { ... on Series { points { at value } missingBefore } ${REFUSAL} } } } }`;
  const pointsOf = (data: Readonly<Record<string, Readonly<Record<string, unknown>>>>) =>
    (data["device"] as unknown as { series: { points: { value: number }[] } }).series.points.map(({ value }) => value);

  test("is thinned to so many points and loses no peak", async () => {
    const lamp = await office.sellLamp();
    const volts = Array.from({ length: 1_000 }, (_, at) => (at === 437 ? 16 : 12 + (at % 10) / 10));
    await office.measure(lamp.number, volts);
    const from = new Date(graphql.clock.now().getTime() - 1_000 * 60_000).toISOString();
    for (const sampling of ["shape", "extremes"]) {
      const { data } = await people.office.ask(SERIES, { serial: lamp.serial, points: 60, sampling, from });
      const values = pointsOf(data);
      expect(values.length).toBeLessThanOrEqual(61);
      expect(values.length).toBeGreaterThan(20);
      expect(Math.max(...values)).toBe(16);
    }
  });

  test("of a young device is as fine over a year as over the days it has lived", async () => {
    const lamp = await office.sellLamp();
    await office.measure(
      lamp.number,
      Array.from({ length: 300 }, (_, at) => 12 + (at % 10) / 10),
    );
    const from = new Date(graphql.clock.now().getTime() - 365 * DAY_MS).toISOString();
    const { data } = await people.office.ask(SERIES, { serial: lamp.serial, points: 120, from });
    expect(pointsOf(data).length).toBeGreaterThan(100);
    expect(pointsOf(data).length).toBeLessThanOrEqual(120);
  });

  test("of more than 2,000 points is refused, and each point counts against the limit of a request", async () => {
    const lamp = await office.sellLamp();
    const { data } = await people.office.ask(SERIES, { serial: lamp.serial, points: 2_001 });
    expect(data["device"]).toMatchObject({ series: { __typename: "InvalidInput", field: "points" } });
    const lines = ["batteryVoltageV", "panelPowerW", "loadPowerW"]
      .map(
        (quantity) => `${quantity}: series(quantity: ${quantity}, points: 2000) { ... on Series { points { value } } }`,
      )
      .join(" ");
    const dear = await people.office.ask(`{ device(serial: "${lamp.serial}") { ... on Device { ${lines} } } }`);
    expect(dear.errors?.[0]).toMatchObject({ extensions: { code: "COST_LIMIT" } });
  });

  test("older than what PostgreSQL keeps says that history is away, and the rest is shown", async () => {
    const lamp = await office.sellLamp();
    graphql.clock.advance(HOUR_MS);
    await office.measure(lamp.number, [12, 12.5]);
    const { data } = await people.office.ask(SERIES, {
      serial: lamp.serial,
      from: new Date(graphql.clock.now().getTime() - 400 * DAY_MS).toISOString(),
    });
    expect(pointsOf(data)).toEqual([12, 12.5]);
    expect(data["device"]).toMatchObject({ series: { missingBefore: expect.stringMatching(/^\d{4}-/) as string } });
    const hours = await people.office.ask(
      `{ device(serial: "${lamp.serial}") { ... on Device { rollups(grain: hour) { ... on RollupConnection { edges { node { startsAt } } } ${REFUSAL} } } } }`,
    );
    expect(hours.data["device"]).toMatchObject({ rollups: { code: "HISTORY_AWAY" } });
  });
});

test("a battery is shown with what is left of it, or why that is unknown, and the list begins with those to visit", async () => {
  const [worn, fresh] = [await office.sellLamp(), await office.sellLamp()];
  await office.round();
  const { db } = graphql.database;
  const write = (device: number, share: number | null, within8: number | null) =>
    db.execute(sql`
      insert into telemetry.battery_health (device, week_on, memory, share, share_least, share_most, lacking, of_new, within_8, within_26, reasons, sizing, evidence)
      values (${device}, '2026-11-16', '{}', ${share}, ${share === null ? null : share - 0.05}, ${share === null ? null : share + 0.05},
        ${share === null ? "still_learning" : null}, true, ${within8}, ${within8}, array['worn'], 'fits', '{"weeks": 60, "discharges": 12}')`);
  await write(worn.number, 0.72, 0.9);
  await write(fresh.number, null, null);
  const one = await people.kisumu.ask(
    `{ device(serial: "${fresh.serial}") { ... on Device { battery { share lacking evidence { weeks } } } } }`,
  );
  expect(one.data["device"]).toMatchObject({
    battery: { share: null, lacking: "still_learning", evidence: { weeks: 60 } },
  });
  const LIST = "{ batteries { edges { node { share forecast { within8Weeks } reasons device { serial } } } } }";
  const list = await people.kisumu.ask(LIST);
  expect(list.data["batteries"]).toMatchObject({
    edges: [
      { node: { share: 0.72, forecast: { within8Weeks: 0.9 }, reasons: ["worn"], device: { serial: worn.serial } } },
    ],
  });
  expect((await people.gulu.ask(LIST)).data["batteries"]).toMatchObject({ edges: [] });
});
