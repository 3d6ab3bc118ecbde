import type { DeviceId } from "../kernel/ids.ts";
import type { Clock } from "../kernel/time.ts";
import type { Database } from "../platform/database.ts";
import { makeTwoAges } from "../platform/two-ages.ts";
import type { DeviceState } from "./devices.ts";
import type { KeySeal } from "./key-seal.ts";
import { findSpeakers, SPEAKERS_CHANNEL, type SpeakerRow } from "./speakers.store.ts";
import { prepareSipKey, sipHash24 } from "./tokens/siphash.ts";

/** A device as those see it who listen to it. Its key stays in this module: others may only have something hashed by it. */
export interface Speaker {
  readonly id: DeviceId;
  /** How readings name it. */
  readonly number: number;
  readonly serial: string;
  readonly state: DeviceState;
  /** SipHash-2-4 of the bytes under the device's key, 64 bits. */
  hash(bytes: Uint8Array): bigint;
}

export interface Speakers {
  /** From memory: the device; null when it is known that there is none; undefined when it has to be loaded first. */
  peek(serial: string): Speaker | null | undefined;
  /** Brings the serials into memory, by one query for all that ask at the same time. Rejects when the database is away. */
  load(serials: readonly string[]): Promise<void>;
  /** From memory or the database. */
  find(serial: string): Promise<Speaker | undefined>;
  /** Forgets what other processes change, from now on. Answers what ends it. */
  listen(): Promise<() => Promise<void>>;
}

/** A speaker with its prepared key takes about 500 bytes: this is 100 MB, and a gateway holds fewer devices. */
const SPEAKERS_MAX = 200_000;
/** A serial that nobody has may be imported any moment, and until then costs no query. */
const UNKNOWN_FOR_MS = 10_000;
const UNKNOWN_MAX = 20_000;
/** Longer than any serial there is; what is longer is no serial and is not asked for. */
const SERIAL_LENGTH_MAX = 200;

/** Who may speak to us, remembered. Both memories are bounded and give up what was not asked for the longest. */
export function makeSpeakers({
  database,
  clock,
  keySeal,
  speakersMax = SPEAKERS_MAX,
}: {
  database: Database;
  clock: Clock;
  keySeal: KeySeal;
  speakersMax?: number;
}): Speakers {
  const known = makeTwoAges<string, Speaker>(speakersMax);
  const unknown = makeTwoAges<string, number>(UNKNOWN_MAX);
  let loading: { readonly serials: Set<string>; readonly done: Promise<void> } | undefined;
  /** Counts what was forgotten, so that a query which began before does not bring it back. */
  let forgets = 0;

  function peek(serial: string): Speaker | null | undefined {
    const found = known.get(serial);
    if (found !== undefined) return found;
    if (serial.length === 0 || serial.length > SERIAL_LENGTH_MAX || serial.includes("\0")) return null;
    const until = unknown.get(serial);
    if (until === undefined) return undefined;
    if (until > clock.now().getTime()) return null;
    unknown.delete(serial);
    return undefined;
  }

  function remember(row: SpeakerRow): void {
    const key = prepareSipKey(keySeal.open(row.serial, row.keySealed));
    known.set(row.serial, {
      id: row.id as DeviceId,
      number: row.number,
      serial: row.serial,
      state: row.state,
      hash(bytes) {
        const { high, low } = sipHash24(key, bytes);
        return (BigInt(high) << 32n) | BigInt(low);
      },
    });
  }

  async function query(serials: ReadonlySet<string>): Promise<void> {
    const before = forgets;
    const rows = await findSpeakers(database.db, [...serials]);
    // What was changed meanwhile is asked for again by whoever needs it.
    if (before !== forgets) return;
    const until = clock.now().getTime() + UNKNOWN_FOR_MS;
    for (const serial of serials) unknown.set(serial, until);
    for (const row of rows) {
      unknown.delete(row.serial);
      remember(row);
    }
  }

  /** Whoever asks within one turn of the event loop shares a query: a thousand devices that reconnect are a few. */
  function load(serials: readonly string[]): Promise<void> {
    const missing = serials.filter((serial) => peek(serial) === undefined);
    if (missing.length === 0) return Promise.resolve();
    if (loading === undefined) {
      const gathered = new Set<string>();
      const done = new Promise<void>((resolve) => {
        setImmediate(resolve);
      }).then(() => {
        loading = undefined;
        return query(gathered);
      });
      loading = { serials: gathered, done };
    }
    for (const serial of missing) loading.serials.add(serial);
    return loading.done;
  }

  function forget(serial: string): void {
    forgets += 1;
    if (serial === "") {
      known.clear();
      unknown.clear();
      return;
    }
    known.delete(serial);
    unknown.delete(serial);
  }

  return {
    peek,
    load,
    async find(serial) {
      for (let attempt = 0; attempt < FIND_ATTEMPTS_MAX; attempt++) {
        const found = peek(serial);
        if (found !== undefined) return found ?? undefined;
        await load([serial]);
      }
      return peek(serial) ?? undefined;
    },
    // An empty payload comes after every reconnect, when a change may have been missed.
    listen: () => database.listen(SPEAKERS_CHANNEL, forget),
  };
}

/** Changes may pass a query again and again; four in a row do not happen. */
const FIND_ATTEMPTS_MAX = 4;
