import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { placeSource } from "../../src/fleet-rooms.ts";
import { makeAlertSteps, makePlaceSync } from "../../src/telemetry/telemetry.ts";
import { SELL, useOffice } from "./office.ts";

export interface SoldLamp {
  readonly id: string;
  readonly serial: string;
  readonly number: number;
  readonly contractId: string;
}

/** The office with devices that report: what ingest writes is written here, and the program's own rounds do the rest. */
export function useFleetOffice() {
  const office = useOffice();
  const { graphql } = office;

  const database = () => graphql.database;

  async function numberOf(serial: string): Promise<number> {
    return (await graphql.services.devices.requireBySerial(database().db, serial)).number;
  }

  /** A lamp in a home of Kisumu. */
  async function sellLamp(): Promise<SoldLamp> {
    const { id: contractId, serial, deviceId } = await office.sell();
    return { id: deviceId, serial, number: await numberOf(serial), contractId };
  }

  /** The same in Gulu, where another agent works. */
  async function sellInGulu(): Promise<Omit<SoldLamp, "contractId">> {
    const { gulu } = office.people;
    const customerId = String((await office.register(gulu, "Gulu"))["id"]);
    const serial = await office.importDevice();
    const { data } = await gulu.ask(SELL, { customerId, serial, key: randomUUID() });
    const { device } = data["sellDevice"] as unknown as { device: { id: string } };
    return { id: device.id, serial, number: await numberOf(serial) };
  }

  /** The device is heard now; columns of telemetry.states as given. */
  async function hear(device: number, state: Readonly<Record<string, string | number | boolean>> = {}): Promise<void> {
    const now = graphql.clock.now().toISOString();
    const row = {
      device,
      first_seen_at: now,
      last_seen_at: now,
      connection: "online",
      interval_seconds: 3_600,
      clock_shift_seconds: 0,
      ...state,
    };
    const { db } = database();
    await db.transaction(async (tx) => {
      await tx.execute(sql`delete from telemetry.states where device = ${device}`);
      await tx.execute(
        sql`insert into telemetry.states select * from jsonb_populate_record(null::telemetry.states, ${JSON.stringify(row)}::jsonb)`,
      );
    });
  }

  /** Readings of a battery's volts, one each so many minutes, the last one now; and its state with them. */
  async function measure(device: number, volts: readonly number[], everyMinutes = 1): Promise<void> {
    const { db } = database();
    const nowMs = graphql.clock.now().getTime();
    const rows = volts.map((battery_voltage_v, at) => ({
      device,
      at: new Date(nowMs - (volts.length - 1 - at) * everyMinutes * 60_000).toISOString(),
      batch: 1,
      battery_voltage_v,
    }));
    await db.execute(
      sql`select telemetry.ensure_days(${rows[0]?.at.slice(0, 10) ?? ""}::date, ${rows.at(-1)?.at.slice(0, 10) ?? ""}::date)`,
    );
    await db.execute(
      sql`insert into telemetry.readings select * from jsonb_populate_recordset(null::telemetry.readings, ${JSON.stringify(rows)}::jsonb)`,
    );
    await hear(device, { reading_at: rows.at(-1)?.at ?? "", battery_voltage_v: volts.at(-1) ?? 0 });
  }

  /** The rounds that the worker runs: places taken over, devices looked at, alerts raised. */
  async function round(): Promise<void> {
    const { clock } = graphql;
    await makePlaceSync({ database: database(), clock, source: placeSource }).once();
    const steps = makeAlertSteps({ database: database(), clock, zone: "Africa/Nairobi", periodMs: 0 });
    await steps.look();
    await steps.group();
    await steps.tiles();
  }

  return { ...office, sellLamp, sellInGulu, numberOf, hear, measure, round };
}
