import type { ContractId, DeviceId, MakeId, TokenId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import { MINUTE_MS, type Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { BatteryLabel } from "./battery-label.ts";
import { queueDeliveries } from "./commands.commands.ts";
import { parseDeviceCsv, type LineRefusal } from "./device-csv.ts";
import * as store from "./devices.store.ts";
import type { KeySeal } from "./key-seal.ts";
import type { DeviceState } from "./life-cycle.ts";
import { makeMover } from "./movements.commands.ts";
import { makeTokenIssuer, type AirPolicy, type TokenIssuer } from "./token-issuer.ts";
import { makeTokenChains } from "./tokens/openpaygo.ts";

export type { AirPolicy, TokenIssuer, TokenRequest } from "./token-issuer.ts";
export type { BatteryLabel } from "./battery-label.ts";
export type { LineRefusal } from "./device-csv.ts";
export type { DeviceFilter } from "./devices.store.ts";
export { makeSpeakers, type Speaker, type Speakers } from "./speakers.queries.ts";
export { tellSpeakerChanged } from "./speakers.store.ts";

export { DEVICE_STATES, pathsFrom, type DeviceState } from "./life-cycle.ts";
export { makeDeviceLife, type DeviceLife, type DevicePage } from "./life.commands.ts";
export type { Movement } from "./movements.store.ts";
export { makeBulkActs, type BulkActs, type BulkOrder } from "./bulk.commands.ts";
export { BULK_LINES_MAX, type BulkAct, type BulkLine, type BulkReport, type Selection } from "./bulk.ts";
export {
  makeCredentials,
  type ClaimAnswer,
  type Credentials,
  type CredentialStatus,
  type IssuedCode,
} from "./credentials.commands.ts";
export { ClaimRefused } from "./credentials.ts";
export type { CredentialEvent, CredentialState } from "./credentials.store.ts";
export { mayPublish, maySubscribe, topicRights, type TopicRights } from "./topic-rights.ts";
export {
  makeDeviceCommands,
  type CommandOrder,
  type CommandRequest,
  type DeviceCommands,
  type Heard,
} from "./commands.commands.ts";
export type { Command, CommandChange, CommandId } from "./commands.store.ts";
export { COMMAND_STATES, type CommandState } from "./command-life.ts";
export { commandAnswer, commandBody, commandMessage, type CommandBody, type CommandKind } from "./command-payload.ts";
export { makeCommandLoop, type CommandLoop } from "./commands.jobs.ts";
export { makeTokenFallback, type TokenFallback } from "./token-fallback.jobs.ts";
export { countCommands, type CommandCount } from "./command-counts.queries.ts";
export { makeClaimDoor } from "./claim.http.ts";
export { makeBrokerRights, type BrokerAccount, type BrokerRights } from "./broker-rights.queries.ts";

/** Where a device is, as far as somebody said so. */
export interface Whereabouts {
  readonly area: string | null;
  readonly place: string | null;
  readonly latitude: number | null;
  readonly longitude: number | null;
}

/** Writes the audit row of an act, in the act's transaction; given by whoever keeps the audit. */
export type Audit = (
  tx: Tx,
  entry: {
    readonly actor: string;
    readonly action: string;
    readonly subjectKind: string;
    readonly subjectId: string;
    readonly detail: Readonly<Record<string, string | number | boolean | null>>;
  },
) => Promise<void>;

/** What devices have to tell of their batteries, in the transaction of what happened; given by whoever knows batteries. */
export interface BatteryRoom {
  /** Why such a battery cannot be; undefined where it can. */
  refusalOf(label: BatteryLabel): string | undefined;
  /** What an import says of the batteries of devices that are new to us. */
  imported(
    tx: Tx,
    batteries: readonly { readonly deviceNumber: number; readonly model: string; readonly label: BatteryLabel }[],
  ): Promise<void>;
  /** A device came into the first home of its life, and its battery begins to age. */
  firstInstalled(tx: Tx, installed: { readonly deviceNumber: number; readonly at: Date }): Promise<void>;
}

export type TokenKind = "add" | "set" | "disable" | "sync";

/** What may be shown of a device. Its key and starting code never leave this module. */
export interface Device extends Whereabouts {
  readonly id: DeviceId;
  /** How readings name it. */
  readonly number: number;
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
  /** When it came into its present home, or the last one it had. */
  readonly installedAt: Date | null;
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
    filter: store.DeviceFilter,
    page: { first: number; after?: string | undefined },
  ): Promise<readonly Device[]>;
  findByNumbers(db: Db | Tx, numbers: readonly number[]): Promise<ReadonlyMap<number, Device>>;
  /**
   * Takes a device from one state to another for a sale or a swap, locking it; refuses when it is elsewhere. What leaves its
   * home loses its credentials and its open commands. For what people decide, see `DeviceLife`.
   */
  move(
    tx: Tx,
    order: {
      deviceId: DeviceId;
      from: DeviceState;
      to: DeviceState;
      reason: string;
      actor: string;
      contractId?: ContractId | undefined;
      /** Where it is from now on; left out: as before, or nowhere in particular when it leaves a home. */
      whereabouts?: Whereabouts | undefined;
      /** Since when it hangs there, for a sale that is written down later than it was made; left out: since now. */
      since?: Date | undefined;
    },
  ): Promise<Device>;
  /** Locks devices, in the order of their ids, and gives what issues tokens to them until the transaction ends. */
  lockForTokens(tx: Tx, ids: readonly DeviceId[]): Promise<TokenIssuer>;
  /** Newest first. */
  tokensOf(db: Db | Tx, query: { deviceId: DeviceId; limit: number }): Promise<readonly Token[]>;
  tokensByCause(db: Db | Tx, causes: readonly string[]): Promise<readonly Token[]>;
  /**
   * Digits of the tokens that a device with this count has not taken yet, oldest first: OpenPAYGO Metrics' `tkl`. None from
   * before its present home, and none of a command that was cancelled or is past its time.
   */
  pendingTokens(
    db: Db | Tx,
    query: { number: number; count: number; limit?: number | undefined },
  ): Promise<readonly string[]>;
}

/** What an answer carries at once; the device asks again after these. */
const PENDING_TOKENS_MAX = 10;
/** How long a customer waits for light by air before the SMS with the token follows. */
export const FALLBACK_MS = 10 * MINUTE_MS;

/** Chains remembered in memory; at 150 bytes each this stays under 16 MB and makes a repeated price cost two hashes. */
const CHAINS_MAX = 100_000;

/** Devices, their keys and counters, and the tokens issued to them. */
export function makeDevices({
  clock,
  makeId,
  keySeal,
  airPolicy = "both",
  fallbackMs = FALLBACK_MS,
  batteries,
}: {
  clock: Clock;
  makeId: MakeId;
  keySeal: KeySeal;
  airPolicy?: AirPolicy;
  fallbackMs?: number;
  /** Left out: nobody asks how their batteries are. */
  batteries?: BatteryRoom;
}): Devices {
  const chains = makeTokenChains({ chainsMax: CHAINS_MAX });
  const mover = makeMover({ clock });

  async function importCsv(tx: Tx, csv: string): Promise<ImportReport> {
    const { devices, refused } = parseDeviceCsv(csv, batteries?.refusalOf);
    const rows = devices.map((line) => ({
      ...line,
      id: makeId<"Device">(),
      keySealed: keySeal.seal(line.serial, line.key),
    }));
    const added = await store.insert(tx, { rows, importedAt: clock.now() });
    const labelled = devices.flatMap(({ serial, model, battery }) => {
      const deviceNumber = added.get(serial);
      return deviceNumber === undefined || battery === undefined ? [] : [{ deviceNumber, model, label: battery }];
    });
    if (labelled.length > 0) await batteries?.imported(tx, labelled);
    return {
      added: added.size,
      existing: devices.map(({ serial }) => serial).filter((serial) => !added.has(serial)),
      refused,
    };
  }

  const move: Devices["move"] = async (tx, { deviceId, from, to, since, ...why }) => {
    const device = await store.lock(tx, deviceId);
    if (device === undefined) throw new NotFound("device", "deviceId");
    if (device.state !== from) throw new NotAllowedNow(`Device ${device.serial} is ${device.state}, not ${from}.`);
    const [moved] = await mover.apply(tx, [{ device, to, ...why }]);
    if (moved === undefined) throw new Error("Bug: a device was not moved.");
    // One that had a home before brings its battery along; whoever puts in another one says so.
    if (from === "stock" && to === "installed" && device.installedAt === null)
      await batteries?.firstInstalled(tx, { deviceNumber: device.number, at: since ?? clock.now() });
    return moved;
  };

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
        airPolicy,
        async save({ tokens, counts, deliveries }) {
          await store.saveTokens(tx, { tokens, counts });
          await queueDeliveries(tx, deliveries, { now: clock.now(), makeId, fallbackMs });
        },
      });
    },
    findByNumbers: store.findByNumbers,
    pendingTokens: (db, { limit = PENDING_TOKENS_MAX, ...query }) =>
      store.pendingTokens(db, { ...query, limit: Math.min(limit, PENDING_TOKENS_MAX), now: clock.now() }),
    tokensOf: store.tokensOf,
    tokensByCause: store.tokensByCause,
  };
}
