import type { DeviceId, MakeId, TokenId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { parseDeviceCsv, type LineRefusal } from "./device-csv.ts";
import * as store from "./devices.store.ts";
import type { KeySeal } from "./key-seal.ts";
import { makeTokenIssuer, type TokenIssuer } from "./token-issuer.ts";
import { makeTokenChains } from "./tokens/openpaygo.ts";

export type { TokenIssuer, TokenRequest } from "./token-issuer.ts";
export type { LineRefusal } from "./device-csv.ts";
export { makeSpeakers, type Speaker, type Speakers } from "./speakers.queries.ts";
export { tellSpeakerChanged } from "./speakers.store.ts";

export type DeviceState = "stock" | "installed" | "retired";
export type TokenKind = "add" | "set" | "disable" | "sync";

/** What may be shown of a device. Its key and starting code never leave this module. */
export interface Device {
  readonly id: DeviceId;
  readonly serial: string;
  readonly model: string;
  readonly hardwareVersion: string | null;
  readonly state: DeviceState;
  /** Of the last token issued. */
  readonly count: number;
  /** Token units per day. */
  readonly timeDivider: number;
  readonly restrictedDigits: boolean;
  readonly importedAt: Date;
}

export interface Token {
  readonly id: TokenId;
  readonly deviceId: DeviceId;
  readonly count: number;
  readonly kind: TokenKind;
  /** Of 1/timeDivider day; 0 for kinds that carry no time. */
  readonly units: number;
  readonly digits: string;
  /** The receipt or command it answers. */
  readonly cause: string;
  readonly part: number;
  readonly issuedAt: Date;
}

export interface ImportReport {
  readonly added: number;
  /** Serials that were there before; they are left as they are. */
  readonly existing: readonly string[];
  readonly refused: readonly LineRefusal[];
}

export interface Devices {
  /** Takes the good lines of a device exchange CSV and reports the others. An existing serial is never overwritten. */
  importCsv(tx: Tx, csv: string): Promise<ImportReport>;
  find(db: Db | Tx, id: DeviceId): Promise<Device | undefined>;
  findMany(db: Db | Tx, ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, Device>>;
  requireBySerial(db: Db | Tx, serial: string): Promise<Device>;
  exists(db: Db | Tx, serial: string): Promise<boolean>;
  list(
    db: Db | Tx,
    filter: { search?: string | undefined; state?: DeviceState | undefined },
    page: { first: number; after?: string | undefined },
  ): Promise<readonly Device[]>;
  /** Takes a device from one state to another, locking it; refuses when it is elsewhere. */
  move(tx: Tx, order: { deviceId: DeviceId; from: DeviceState; to: DeviceState }): Promise<Device>;
  /** Locks devices, in the order of their ids, and gives what issues tokens to them until the transaction ends. */
  lockForTokens(tx: Tx, ids: readonly DeviceId[]): Promise<TokenIssuer>;
  /** Newest first. */
  tokensOf(db: Db | Tx, query: { deviceId: DeviceId; limit: number }): Promise<readonly Token[]>;
  tokensByCause(db: Db | Tx, causes: readonly string[]): Promise<readonly Token[]>;
}

/** Chains remembered in memory; at 150 bytes each this stays under 16 MB and makes a repeated price cost two hashes. */
const CHAINS_MAX = 100_000;

/** Devices, their keys and counters, and the tokens issued to them. */
export function makeDevices({ clock, makeId, keySeal }: { clock: Clock; makeId: MakeId; keySeal: KeySeal }): Devices {
  const chains = makeTokenChains({ chainsMax: CHAINS_MAX });

  async function importCsv(tx: Tx, csv: string): Promise<ImportReport> {
    const { devices, refused } = parseDeviceCsv(csv);
    const rows = devices.map((line) => ({
      ...line,
      id: makeId<"Device">(),
      keySealed: keySeal.seal(line.serial, line.key),
    }));
    const added = await store.insert(tx, { rows, importedAt: clock.now() });
    return {
      added: added.size,
      existing: devices.map(({ serial }) => serial).filter((serial) => !added.has(serial)),
      refused,
    };
  }

  async function move(
    tx: Tx,
    { deviceId, from, to }: { deviceId: DeviceId; from: DeviceState; to: DeviceState },
  ): Promise<Device> {
    const device = await store.lock(tx, deviceId);
    if (device === undefined) throw new NotFound("device", "deviceId");
    if (device.state !== from) throw new NotAllowedNow(`Device ${device.serial} is ${device.state}, not ${from}.`);
    await store.setState(tx, deviceId, to);
    return { ...device, state: to };
  }

  return {
    importCsv,
    async find(db, id) {
      return (await store.findMany(db, [id])).get(id);
    },
    findMany: store.findMany,
    async requireBySerial(db, serial) {
      if (serial.length === 0) throw new InvalidInput("A serial is needed.", "serial");
      const found = await store.findBySerial(db, serial);
      if (found === undefined) throw new NotFound("device", "serial");
      return found;
    },
    async exists(db, serial) {
      return (await store.findBySerial(db, serial)) !== undefined;
    },
    list: store.list,
    move,
    async lockForTokens(tx, ids) {
      const locked = await store.lockWithKeys(tx, ids);
      return makeTokenIssuer({
        locked,
        keySeal,
        chains,
        makeId,
        now: clock.now(),
        save: (issued) => store.saveTokens(tx, issued),
      });
    },
    tokensOf: store.tokensOf,
    tokensByCause: store.tokensByCause,
  };
}
