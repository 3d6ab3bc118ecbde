import { sql } from "drizzle-orm";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { DeviceState } from "./devices.ts";

export interface SpeakerRow {
  readonly id: string;
  readonly number: number;
  readonly serial: string;
  readonly state: DeviceState;
  readonly keySealed: Uint8Array;
}

interface Row extends Record<string, unknown> {
  id: string;
  number: number;
  serial: string;
  state: DeviceState;
  key_sealed: Uint8Array;
}

/** The channel on which every process hears that what it remembers of a device is no longer true; the payload is a serial. */
export const SPEAKERS_CHANNEL = "devices_speakers";

/** Those of the serials that are ours; the others are missing from the answer. */
export async function findSpeakers(db: Db | Tx, serials: readonly string[]): Promise<readonly SpeakerRow[]> {
  const rows = await db.execute<Row>(sql`
    select id, number, serial, state, key_sealed from devices.devices where serial = any(${column(serials, "text")})`);
  return rows.map(({ key_sealed: keySealed, ...row }) => ({ ...row, keySealed }));
}

/** Told with the commit of the transaction that changes a device's key, state or serial. */
export async function tellSpeakerChanged(tx: Tx, serial: string): Promise<void> {
  await tx.execute(sql`select pg_notify(${SPEAKERS_CHANNEL}, ${serial})`);
}
