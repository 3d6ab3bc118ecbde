import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { isChdbInstalled } from "../../src/platform/history/chdb-engine.ts";
import { connectLink, makeFollower, makeRollupQueries, makeSeriesQueries } from "../../src/telemetry/telemetry.ts";
import { followAll, useHistory } from "../telemetry/history/engine.ts";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";

const ROLLUPS = `query ($serial: String!, $grain: Grain!, $after: String) { device(serial: $serial) { ... on Device {
  rollups(grain: $grain, first: 2, after: $after, from: "2026-11-20T00:00:00Z", to: "2026-11-21T00:00:00Z") { ... on RollupConnection {
    edges { node { startsAt readings energyInWh quantities(of: [batteryVoltageV]) { quantity least most mean last } } } pageInfo { hasNextPage endCursor }
  } ${REFUSAL} } } } }`;

describe.skipIf(!isChdbInstalled())("hours and days of a device (need the optional package chdb)", () => {
  const office = useFleetOffice();
  const history = useHistory();
  const { graphql, people } = office;

  beforeAll(() => {
    const { db } = graphql.database;
    const queries = {
      ...makeSeriesQueries({ db, history: history.current }),
      ...makeRollupQueries({ history: history.current }),
    };
    Object.assign(graphql.services, { history: queries });
  });

  async function follow(): Promise<void> {
    const follower = makeFollower({
      connect: () => connectLink(graphql.database.url),
      history: history.current,
      clock: graphql.clock,
      makeToken: randomUUID,
    });
    await followAll(follower, graphql.database);
    await follower.stop();
  }

  /** Three hours of the day, each with its own volts, and a counter of energy. */
  async function writeHours(device: number): Promise<void> {
    await graphql.database.db.transaction(async (tx) => {
      await tx.execute(sql`select telemetry.ensure_days('2026-11-20', '2026-11-20')`);
      for (const [step, volts] of [12, 13, 12.5, 13.5, 12, 14].entries())
        await tx.execute(sql`
          insert into telemetry.readings (at, device, batch, battery_voltage_v, energy_in_wh)
          values (timestamptz '2026-11-20 06:00Z' + ${step} * interval '30 minutes', ${device}, pg_current_xact_id()::text::bigint, ${volts}, ${step * 10})`);
    });
    await follow();
  }

  test("are paged through with their figures, and an agent of a new home gets none from before", async () => {
    const lamp = await office.sellLamp();
    await writeHours(lamp.number);
    const first = await people.office.ask(ROLLUPS, { serial: lamp.serial, grain: "hour" });
    const page = first.data["device"] as unknown as { rollups: { pageInfo: { endCursor: string } } };
    expect(page.rollups).toMatchObject({
      edges: [
        {
          node: {
            startsAt: "2026-11-20T06:00:00.000Z",
            readings: 2,
            energyInWh: 10,
            quantities: [{ quantity: "batteryVoltageV", least: 12, most: 13, mean: 12.5, last: 13 }],
          },
        },
        { node: { startsAt: "2026-11-20T07:00:00.000Z", energyInWh: 20 } },
      ],
      pageInfo: { hasNextPage: true },
    });
    const after = page.rollups.pageInfo.endCursor;
    const rest = await people.office.ask(ROLLUPS, { serial: lamp.serial, grain: "hour", after });
    expect(rest.data["device"]).toMatchObject({
      rollups: {
        edges: [{ node: { startsAt: "2026-11-20T08:00:00.000Z", readings: 2 } }],
        pageInfo: { hasNextPage: false },
      },
    });
    const day = await people.office.ask(ROLLUPS, { serial: lamp.serial, grain: "day" });
    expect(day.data["device"]).toMatchObject({ rollups: { edges: [{ node: { readings: 6, energyInWh: 50 } }] } });
    // It was sold at nine; what it told before belongs to whoever had it then.
    for (const grain of ["hour", "day"]) {
      const { data } = await people.kisumu.ask(ROLLUPS, { serial: lamp.serial, grain });
      const { rollups } = data["device"] as unknown as { rollups: { edges: unknown[] } };
      expect(rollups.edges).toEqual([]);
    }
  });
});
