import type { DeviceId, MakeId } from "../kernel/ids.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import type { Device, Token, TokenKind } from "./devices.ts";
import type { DeviceWithKey } from "./devices.store.ts";
import type { KeySeal } from "./key-seal.ts";
import {
  COUNT_MAX,
  VALUE_MAX,
  issueToken,
  prepareDevice,
  type TokenChains,
  type TokenDevice,
  type TokenOrder,
} from "./tokens/openpaygo.ts";

export interface TokenRequest {
  readonly deviceId: DeviceId;
  readonly kind: TokenKind;
  /** Of 1/timeDivider day. More than one token can hold gives several. Left out for disable and sync. */
  readonly units?: number;
  /** The receipt or command it answers: together with the device it is answered once. */
  readonly cause: string;
}

/** Issues tokens in memory to devices that are locked; nothing is stored before `save`. */
export interface TokenIssuer {
  device(id: DeviceId): Device;
  issue(request: TokenRequest): readonly Token[];
  /** Stores all tokens and counters, in two statements. Call it once, before the transaction commits. */
  save(): Promise<void>;
}

const TYPES = { add: "ADD_TIME", set: "SET_TIME", disable: "DISABLE_PAYG", sync: "COUNTER_SYNC" } as const;

/**
 * Splits time over tokens of at most 995 units each; zero units need none. Refuses more time than all counts of a device
 * could hold: a price far too low and a sum far too high would otherwise keep the process busy for hours.
 */
export function splitUnits(units: number): readonly number[] {
  if (units > VALUE_MAX.standard * COUNT_MAX) throw new InvalidInput("No number of tokens can hold that much time.");
  const parts: number[] = [];
  for (let left = units; left > 0; left -= VALUE_MAX.standard) parts.push(Math.min(left, VALUE_MAX.standard));
  return parts;
}

export function makeTokenIssuer({
  locked,
  keySeal,
  chains,
  makeId,
  now,
  save,
}: {
  locked: ReadonlyMap<DeviceId, DeviceWithKey>;
  keySeal: KeySeal;
  chains: TokenChains;
  makeId: MakeId;
  now: Date;
  save: (issued: { tokens: readonly Token[]; counts: ReadonlyMap<DeviceId, number> }) => Promise<void>;
}): TokenIssuer {
  const counts = new Map<DeviceId, number>();
  const prepared = new Map<DeviceId, TokenDevice>();
  const issued: Token[] = [];

  function required(id: DeviceId): DeviceWithKey {
    const device = locked.get(id);
    if (device === undefined) throw new Error(`Bug: device ${id} was not locked before a token was asked for.`);
    return device;
  }

  function tokenDevice(device: DeviceWithKey): TokenDevice {
    const ready = prepared.get(device.id);
    if (ready !== undefined) return ready;
    const outcome = prepareDevice({ ...device, key: keySeal.open(device.serial, device.keySealed) });
    if (!outcome.ok) throw new Error(`Device ${device.serial} cannot be prepared: ${outcome.refusal.message}`);
    prepared.set(device.id, outcome.device);
    return outcome.device;
  }

  function issueOne(
    device: DeviceWithKey,
    order: TokenOrder,
    request: TokenRequest & { part: number; units: number },
  ): Token {
    const outcome = issueToken(tokenDevice(device), order, chains);
    if (!outcome.ok) throw new InvalidInput(outcome.refusal.message);
    counts.set(device.id, outcome.count);
    const { deviceId, kind, cause, part, units } = request;
    return {
      id: makeId(),
      deviceId,
      count: outcome.count,
      kind,
      units,
      digits: outcome.token,
      cause,
      part,
      issuedAt: now,
    };
  }

  function issue(request: TokenRequest): readonly Token[] {
    const device = required(request.deviceId);
    const timed = request.kind === "add" || request.kind === "set";
    const parts = timed ? splitUnits(request.units ?? 0) : [0];
    const tokens = parts.map((units, part) => {
      const count = counts.get(device.id) ?? device.count;
      const type = TYPES[request.kind];
      const order: TokenOrder = type === "ADD_TIME" || type === "SET_TIME" ? { type, count, units } : { type, count };
      return issueOne(device, order, { ...request, part, units });
    });
    issued.push(...tokens);
    return tokens;
  }

  return {
    device: required,
    issue,
    save: () => save({ tokens: issued, counts }),
  };
}
