import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { HOUR_MS } from "../../src/kernel/time.ts";
import type { ContractId, DeviceId } from "../../src/kernel/ids.ts";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";

const office = useFleetOffice();
const { graphql, people } = office;
const PAGE = `query ($serial: String!) { device(serial: $serial) { ... on Device { standing { area contractId } alerts { edges { node { rule } } } } ${REFUSAL} } }`;
const FLEET = `{ fleet { edges { node { serial area contractId } } } }`;

const within = <Result>(work: Parameters<typeof graphql.database.db.transaction<Result>>[0]): Promise<Result> =>
  graphql.database.db.transaction(work);
const why = { reason: "Debt of a year", actor: "staff:1" };

async function contractOn(deviceId: string): Promise<ContractId> {
  const [one] = await graphql.services.credit.list(
    graphql.database.db,
    { deviceId: deviceId as DeviceId },
    { first: 1 },
  );
  if (one === undefined) throw new Error("Nobody has it.");
  return one.id;
}

const fleetOf = async (who: (typeof people)["gulu"]) =>
  (await who.ask(FLEET)).data["fleet"] as unknown as { edges: { node: { serial: string } }[] };

test("a lamp taken back for debt and swapped into a home elsewhere is seen by that home's agent, and by no other", async () => {
  const { credit, deviceLife } = graphql.services;
  const older = await office.sellInGulu();
  graphql.clock.advance(HOUR_MS);
  const lamp = await office.sellLamp();
  await office.hear(lamp.number, { tampered: true, latitude: -0.09, longitude: 34.76 });
  await within((tx) => credit.writeOff(tx, { contractId: lamp.contractId as ContractId, ...why }));
  const deviceId = lamp.id as DeviceId;
  await within((tx) => deviceLife.move(tx, { deviceId, to: "stock", ...why }));
  const whereabouts = { area: "Gulu", place: null, latitude: null, longitude: null };
  await within((tx) => deviceLife.place(tx, { deviceId, whereabouts, ...why }));
  graphql.clock.advance(1);
  await office.round();

  // In Gulu's shop it says nothing of the home in Kisumu, to nobody.
  const facts = () =>
    graphql.database.db.execute<{ contract_id: string | null; place: string | null; latitude: number | null }>(
      sql`select contract_id, place, latitude from telemetry.places where device = ${lamp.number}`,
    );
  expect([...(await facts())]).toEqual([{ contract_id: null, place: null, latitude: null }]);
  expect((await fleetOf(people.gulu)).edges.map(({ node }) => node.serial)).toEqual([older.serial]);

  const contractId = await contractOn(older.id);
  const swap = () => within((tx) => credit.swapDevice(tx, { contractId, serial: lamp.serial, ...why }));
  await swap();
  await office.hear(lamp.number, { tampered: true });
  await office.round();
  for (const ended of [false, true]) {
    // When the new home's debt is written off too, the lamp still stands there.
    if (ended) await within((tx) => credit.writeOff(tx, { contractId, ...why }));
    await office.round();
    expect((await people.gulu.ask(PAGE, { serial: lamp.serial })).data["device"]).toMatchObject({
      standing: { area: "Gulu", contractId },
      alerts: { edges: [{ node: { rule: "tampered" } }] },
    });
    expect((await people.kisumu.ask(PAGE, { serial: lamp.serial })).data["device"]).toMatchObject({
      __typename: "NotFound",
    });
    expect(await fleetOf(people.gulu)).toMatchObject({ edges: [{ node: { serial: lamp.serial, contractId } }] });
    expect((await fleetOf(people.kisumu)).edges).toEqual([]);
  }
});
