import { createHash, randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { makeCredentials, makeDevices, type Credentials } from "../../src/devices/devices.ts";
import { makeKeySeal } from "../../src/devices/key-seal.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { systemClock } from "../../src/kernel/time.ts";
import type { Database } from "../../src/platform/database.ts";
import type { RawFrame } from "../../src/telemetry/frames/frame.ts";

export const SEALING_KEY = Buffer.alloc(32, 7);

/** A broker with our program behind it, as devices and the office meet it. */
export interface MqttPlace {
  readonly url: string;
  readonly office: Office;
  readonly ingest: HeldIngest;
  /** The gateway dies without a word and comes back, or a new one takes its place. */
  restartGateway(): Promise<void>;
  /** Resolves when what the office decided has reached the broker. */
  settled(): Promise<void>;
  send(serial: string, payload: string): Promise<void>;
  close(): Promise<void>;
}

/** What differs between brokers, said plainly. */
export interface MqttPromises {
  /** A device's PUBACK means that its frame is committed. Otherwise it means that the broker has it. */
  readonly acknowledgesAfterCommit: boolean;
  /** A command for a device that is away waits at the broker for its lasting session. */
  readonly keepsCommands: boolean;
}

/** Who lets devices in: the real credentials on a real database. */
export interface Office {
  readonly credentials: Credentials;
  /** A new device in stock that may speak; answers its password. */
  admit(serial: string): Promise<string>;
  /** Other credentials for a device; answers its new password. */
  rotate(serial: string): Promise<string>;
  revoke(serial: string): Promise<void>;
  /** Resolves when every change before it was heard by whoever listens: changes are heard in the order of their commits. */
  heard(): Promise<void>;
  /** Hears of changes, as gateways do. */
  listen(changed: (serial: string) => void): Promise<() => Promise<void>>;
}

export function makeOffice(database: Database): Office {
  const clock = systemClock;
  const keySeal = makeKeySeal(SEALING_KEY);
  const devices = makeDevices({ clock, makeId: makeIds(clock), keySeal });
  const credentials = makeCredentials({
    database,
    clock,
    sealingKey: SEALING_KEY,
    keySeal,
    brokerUrl: () => "mqtt://127.0.0.1",
    audit: () => Promise.resolve(),
  });
  const markers = new Map<string, () => void>();
  const act = (serial: string) => ({ serials: [serial], actor: "test", reason: "contract" });
  const provision = async (serial: string): Promise<string> => {
    const [given] = await database.db.transaction((tx) => credentials.provision(tx, act(serial)));
    if (given === undefined) throw new Error(`${serial} was not let in.`);
    return given.password;
  };
  return {
    credentials,
    async admit(serial) {
      const key = createHash("md5").update(serial).digest("hex");
      await database.db.transaction((tx) => devices.importCsv(tx, `Serial Number,Key,Count\n${serial},${key},1\n`));
      return provision(serial);
    },
    async rotate(serial) {
      await database.db.transaction((tx) => credentials.revoke(tx, act(serial)));
      return provision(serial);
    },
    async revoke(serial) {
      await database.db.transaction((tx) => credentials.revoke(tx, act(serial)));
    },
    async heard() {
      const marker = `marker-${randomUUID()}`;
      const { promise, resolve } = Promise.withResolvers<void>();
      markers.set(marker, resolve);
      await database.db.execute(sql`select pg_notify('devices_speakers', ${marker})`);
      await promise;
    },
    listen: (changed) =>
      credentials.listen((serial) => {
        const marker = markers.get(serial);
        if (marker === undefined) changed(serial);
        else marker();
      }),
  };
}

/** An ingest that commits when it is told to. What it took is what would stand in the database. */
export interface HeldIngest {
  readonly taken: readonly { readonly serial: string | undefined; readonly topic: string; readonly text: string }[];
  /** Frames that came in, committed or not. */
  readonly seen: number;
  take(frame: Pick<RawFrame, "serial" | "topic" | "payload">): Promise<void>;
  hold(): void;
  release(): void;
}

export function makeHeldIngest(): HeldIngest {
  const taken: { serial: string | undefined; topic: string; text: string }[] = [];
  let gate = Promise.withResolvers<void>();
  let seen = 0;
  gate.resolve();
  return {
    taken,
    get seen() {
      return seen;
    },
    async take({ serial, topic, payload }) {
      seen += 1;
      await gate.promise;
      taken.push({ serial, topic, text: Buffer.from(payload).toString() });
    },
    hold() {
      gate = Promise.withResolvers<void>();
    },
    release: () => gate.resolve(),
  };
}
