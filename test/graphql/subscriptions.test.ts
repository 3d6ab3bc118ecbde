import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:http";
import { sql } from "drizzle-orm";
import { createClient } from "graphql-sse";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ContractId, DeviceId } from "../../src/kernel/ids.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import { useFleetOffice } from "./fleet-office.ts";
import type { Person } from "./graphql-app.ts";

const office = useFleetOffice();
const { graphql, people } = office;
let server: Server | undefined;
const leavers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = createServer(graphql.app);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  for (const leave of leavers) await leave();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

interface Event {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

function stream(person: Person, query: string) {
  const address = server?.address() as AddressInfo | undefined;
  const client = createClient({
    url: `http://127.0.0.1:${String(address?.port)}/graphql/stream`,
    headers: { authorization: `Bearer ${person.token}` },
    retryAttempts: 0,
  });
  const events = client.iterate<Record<string, unknown>>({ query });
  leavers.push(async () => client.dispose());
  return {
    next: async (): Promise<Event> => {
      const { value } = (await events.next()) as { value: unknown };
      return value as Event;
    },
    leave: async () => events.return?.(),
  };
}

const NEWS = "subscription { alertNews { missed alerts { rule serial area state } } }";

/** The next event that is about alerts: the listening itself begins with "something may have been missed". */
async function nextAlerts(one: ReturnType<typeof stream>): Promise<unknown> {
  for (;;) {
    const { data, errors } = await one.next();
    const news = data?.["alertNews"] as { missed: boolean; alerts: unknown } | undefined;
    if (news?.missed !== true) return news?.alerts ?? errors;
  }
}

test("alerts reach the agents of their area and the office as they come, and nobody of another area", async () => {
  const [kisumu, gulu, all] = [stream(people.kisumu, NEWS), stream(people.gulu, NEWS), stream(people.office, NEWS)];
  for (const one of [kisumu, gulu, all])
    expect((await one.next()).data).toEqual({ alertNews: { missed: true, alerts: [] } });
  const [here, there] = [await office.sellLamp(), await office.sellInGulu()];
  const alertOf = (serial: string, area: string) => [{ rule: "tampered", serial, area, state: "open" }];
  await office.hear(here.number, { tampered: true });
  await office.round();
  await office.hear(there.number, { tampered: true });
  await office.round();
  // News is told in its order: what Gulu hears first is its own, though Kisumu's came before.
  expect(await nextAlerts(gulu)).toEqual(alertOf(there.serial, "Gulu"));
  expect(await nextAlerts(kisumu)).toEqual(alertOf(here.serial, "Kisumu"));
  expect(await nextAlerts(all)).toEqual(alertOf(here.serial, "Kisumu"));
  expect(await nextAlerts(all)).toEqual(alertOf(there.serial, "Gulu"));
});

describe("a device as it reports", () => {
  const watch = (serial: string) => `subscription { deviceNews(serial: "${serial}") {
    device { serial standing { batteryVoltageV liveness } } readings { batteryVoltageV } } }`;

  test("is told with the readings that are new, once each", async () => {
    const lamp = await office.sellLamp();
    await office.round();
    graphql.clock.advance(MINUTE_MS);
    await office.measure(lamp.number, [12]);
    const streams = [stream(people.kisumu, watch(lamp.serial)), stream(people.office, watch(lamp.serial))];
    for (const one of streams)
      expect((await one.next()).data?.["deviceNews"]).toMatchObject({
        device: { standing: { batteryVoltageV: 12 } },
        readings: [],
      });
    graphql.clock.advance(HOUR_MS);
    await office.measure(lamp.number, [13, 13.5]);
    await graphql.feeds.look();
    for (const one of streams)
      expect((await one.next()).data?.["deviceNews"]).toEqual({
        device: { serial: lamp.serial, standing: { batteryVoltageV: 13.5, liveness: "alive" } },
        readings: [{ batteryVoltageV: 13 }, { batteryVoltageV: 13.5 }],
      });
    // Nothing new, nothing told.
    await graphql.feeds.look();
    graphql.clock.advance(MINUTE_MS);
    await office.measure(lamp.number, [14]);
    await graphql.feeds.look();
    for (const one of streams)
      expect((await one.next()).data?.["deviceNews"]).toMatchObject({ readings: [{ batteryVoltageV: 14 }] });
  });

  test("tells an agent nothing more of what it stands for once it left the home for the shop", async () => {
    const lamp = await office.sellLamp();
    await office.round();
    await office.measure(lamp.number, [12]);
    const agent = stream(
      people.kisumu,
      `subscription { deviceNews(serial: "${lamp.serial}") { device { state standing { batteryVoltageV } } readings { at } } }`,
    );
    expect((await agent.next()).data?.["deviceNews"]).toMatchObject({ device: { standing: { batteryVoltageV: 12 } } });
    const { credit, deviceLife } = graphql.services;
    const why = { reason: "Came back", actor: "staff:1" };
    await graphql.database.db.transaction(async (tx) => {
      await credit.writeOff(tx, { contractId: lamp.contractId as ContractId, ...why });
      await deviceLife.move(tx, { deviceId: lamp.id as DeviceId, to: "stock", ...why });
    });
    graphql.clock.advance(MINUTE_MS);
    await office.hear(lamp.number, { battery_voltage_v: 11 });
    await graphql.feeds.look();
    expect((await agent.next()).data?.["deviceNews"]).toEqual({
      device: { state: "stock", standing: null },
      readings: [],
    });
  });

  test("is no stream for an agent of another area, and no more for one whose area it left", async () => {
    const lamp = await office.sellLamp();
    const refused = { errors: [{ extensions: { code: "NOT_FOUND" } }] };
    expect(await stream(people.gulu, watch(lamp.serial)).next()).toMatchObject(refused);
    const agent = stream(people.kisumu, watch(lamp.serial));
    expect((await agent.next()).data?.["deviceNews"]).toMatchObject({ device: { serial: lamp.serial } });
    await graphql.database.db.execute(sql`update credit.contracts set area = 'Gulu' where id = ${lamp.contractId}`);
    graphql.clock.advance(MINUTE_MS);
    await office.hear(lamp.number, { battery_voltage_v: 11 });
    await graphql.feeds.look();
    expect(await agent.next()).toMatchObject(refused);
  });
});

test("a subscription is no question for the endpoint, and opens for nobody who is signed out", async () => {
  expect(await people.office.ask(NEWS)).toMatchObject({ status: 400, data: {} });
  const nobody = stream({ ...people.office, token: "x".repeat(43) }, NEWS);
  await expect(nobody.next()).rejects.toThrow(/401|Unauthorized|Sign in/);
});
