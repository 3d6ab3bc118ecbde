import { sql } from "drizzle-orm";
import type { Database } from "../../../src/platform/database.ts";

/** A device of a test fleet: what is not given is that of a healthy lamp heard just now. */
export interface TestDevice {
  readonly device: number;
  readonly area?: string;
  readonly place?: string;
  readonly model?: string;
  readonly inService?: boolean;
  readonly latitude?: number;
  readonly longitude?: number;
  readonly activeUntil?: string;
  readonly tokensIssued?: number;
  /** Null: it never spoke. */
  readonly lastSeenAt?: Date | null;
  /** Columns of telemetry.states. */
  readonly state?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Writes places and states as the sync and ingest would leave them; again for a device that is there. */
export async function putDevices(
  { db }: Database,
  { devices, now }: { devices: readonly TestDevice[]; now: Date },
): Promise<void> {
  const places = devices.map((one) => ({
    device: one.device,
    serial: `LAMP-${String(one.device).padStart(6, "0")}`,
    model: one.model ?? "Home 60",
    life: one.inService === false ? "stock" : "installed",
    in_service: one.inService ?? true,
    area: one.area ?? "kitui",
    place: one.place ?? null,
    latitude: one.latitude ?? null,
    longitude: one.longitude ?? null,
    active_until: one.activeUntil ?? null,
    tokens_issued: one.tokensIssued ?? 0,
  }));
  const states = devices
    .filter(({ lastSeenAt }) => lastSeenAt !== null)
    .map(({ device, lastSeenAt, state }) => ({
      device,
      first_seen_at: "2026-01-01T00:00:00Z",
      last_seen_at: (lastSeenAt ?? now).toISOString(),
      reading_at: (lastSeenAt ?? now).toISOString(),
      connection: "unknown",
      interval_seconds: 3_600,
      clock_shift_seconds: 0,
      battery_charge_percent: 80,
      ...state,
    }));
  await db.execute(sql`
    insert into telemetry.places (device, serial, model, life, in_service, area, place, latitude, longitude, active_until, tokens_issued)
    select device, serial, model, life, in_service, area, place, latitude, longitude, active_until, tokens_issued
    from jsonb_populate_recordset(null::telemetry.places, ${JSON.stringify(places)}::jsonb)
    on conflict (device) do update set in_service = excluded.in_service, tokens_issued = excluded.tokens_issued, active_until = excluded.active_until`);
  await db.execute(
    sql`delete from telemetry.states where device in (select (one->>'device')::integer from jsonb_array_elements(${JSON.stringify(states)}::jsonb) one)`,
  );
  await db.execute(
    sql`insert into telemetry.states select * from jsonb_populate_recordset(null::telemetry.states, ${JSON.stringify(states)}::jsonb)`,
  );
}

/** Devices are heard at an instant. */
export async function hear({ db }: Database, devices: readonly number[], at: Date): Promise<void> {
  await db.execute(
    sql`update telemetry.states set last_seen_at = ${at.toISOString()}::timestamptz where device in (select value::integer from jsonb_array_elements_text(${JSON.stringify(devices)}::jsonb))`,
  );
}

export const range = (from: number, through: number): readonly number[] =>
  Array.from({ length: through - from + 1 }, (_, at) => from + at);
