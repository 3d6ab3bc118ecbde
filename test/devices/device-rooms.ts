import { createHash } from "node:crypto";
import { makeLamp } from "../../simulators/lamp/lamp.ts";
import { makeCredentials, makeDeviceCommands, makeDevices, type AirPolicy } from "../../src/devices/devices.ts";
import { makeKeySeal } from "../../src/devices/key-seal.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import type { Database } from "../../src/platform/database.ts";

export const SEALING_KEY = Buffer.alloc(32, 7);
export const keyOf = (serial: string): string => createHash("md5").update(serial).digest("hex");

let serials = 0;

/** The rooms of the devices on a database, with an audit that remembers, and lamps in stock. */
export function makeDeviceRooms(database: Database, { airPolicy = "both" }: { airPolicy?: AirPolicy } = {}) {
  const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
  const makeId = makeIds(clock);
  const keySeal = makeKeySeal(SEALING_KEY);
  const audited: { actor: string; action: string; subjectId: string; detail: object }[] = [];
  const audit = (_tx: unknown, entry: (typeof audited)[number]): Promise<void> => {
    audited.push(entry);
    return Promise.resolve();
  };
  const devices = makeDevices({ clock, makeId, keySeal, airPolicy });
  const credentials = makeCredentials({
    database,
    clock,
    sealingKey: SEALING_KEY,
    keySeal,
    brokerUrl: () => "mqtt://127.0.0.1:1883",
    audit,
  });
  const commands = makeDeviceCommands({ clock, makeId, devices, audit });

  async function addLamps(count: number, { timeDivider = 1 } = {}) {
    const names = Array.from({ length: count }, () => `LAMP-${process.pid}-${(serials += 1)}`);
    const lines = names.map((serial) => `${serial},${keyOf(serial)},1,${timeDivider},Home 60`);
    await database.db.transaction((tx) =>
      devices.importCsv(tx, `Serial Number,Key,Count,Time Divider,Hardware Model\n${lines.join("\n")}\n`),
    );
    return await Promise.all(
      names.map(async (serial) => ({
        device: await devices.requireBySerial(database.db, serial),
        lamp: makeLamp({
          serial,
          keyHex: keyOf(serial),
          count: 1,
          timeDivider,
          restrictedDigits: false,
          clock: { now: () => clock.now().getTime() },
        }),
      })),
    );
  }

  /** A lamp that was claimed with its code, and its password. */
  async function addSpeaking(options: { timeDivider?: number } = {}) {
    const [made] = await addLamps(1, options);
    if (made === undefined) throw new Error("No lamp was made.");
    const { serial } = made.device;
    const { issued } = await database.db.transaction((tx) =>
      credentials.issueCodes(tx, { serials: [serial], actor: "test", reason: "labels" }),
    );
    const code = issued[0]?.code ?? "";
    const { password } = await credentials.claim({
      serial,
      proof: { kind: "code", code, request: undefined },
      source: "test",
    });
    return { ...made, serial, code, password };
  }

  return {
    database,
    db: database.db,
    clock,
    makeId,
    keySeal,
    devices,
    credentials,
    commands,
    audit,
    audited,
    addLamps,
    addSpeaking,
  };
}
