import type { DeviceId, MakeId } from "../kernel/ids.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { DAY_MS } from "../kernel/time.ts";
import { TOKENS_MAX } from "./command-payload.ts";
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
  /**
   * How it reaches the device besides the keypad. air: also sent to it by itself, where it is within reach (left out: so).
   * command: a command of its own carries it.
   */
  readonly carriedBy?: "air" | "command";
  /** Whether the customer's SMS may wait until the air has failed; only where that is the policy. */
  readonly smsMayWait?: boolean;
}

/** Issues tokens in memory to devices that are locked; nothing is stored before `save`. */
export interface TokenIssuer {
  device(id: DeviceId): Device;
  issue(request: TokenRequest): readonly Token[];
  /** Whether these tokens, just issued, come to the device by themselves and the SMS with them waits. */
  smsWaits(tokens: readonly Token[]): boolean;
  /** Stores all tokens and counters in two statements, and a third where some go by air. Call it once, before the transaction commits. */
  save(): Promise<void>;
}

const TYPES = { add: "ADD_TIME", set: "SET_TIME", disable: "DISABLE_PAYG", sync: "COUNTER_SYNC" } as const;

/** Tokens that go to a device by air as one command. */
export interface AirDelivery {
  readonly device: DeviceWithKey;
  readonly cause: string;
  readonly tokens: readonly Token[];
  readonly smsWaits: boolean;
}

/** Whether tokens are sent to devices that can be reached, and what the customer is written meanwhile. */
export type AirPolicy = "off" | "both" | "first";

/** A lamp that no gateway has seen for longer is not waited for. */
const REACH_MS = DAY_MS;

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

/** Several SET_TIME tokens would each undo the one before, so a setting is one token, of zero for a lock. */
function partsOf({ kind, units = 0 }: TokenRequest): readonly number[] {
  switch (kind) {
    case "add":
      return splitUnits(units);
    case "set":
      if (units > VALUE_MAX.standard)
        throw new InvalidInput(`One token sets at most ${VALUE_MAX.standard} units of this device.`, "days");
      return [units];
    case "disable":
    case "sync":
      return [0];
  }
}

export function makeTokenIssuer({
  locked,
  keySeal,
  chains,
  makeId,
  now,
  airPolicy,
  save,
}: {
  locked: ReadonlyMap<DeviceId, DeviceWithKey>;
  keySeal: KeySeal;
  chains: TokenChains;
  makeId: MakeId;
  now: Date;
  airPolicy: AirPolicy;
  save: (issued: {
    tokens: readonly Token[];
    counts: ReadonlyMap<DeviceId, number>;
    deliveries: readonly AirDelivery[];
  }) => Promise<void>;
}): TokenIssuer {
  const counts = new Map<DeviceId, number>();
  const prepared = new Map<DeviceId, TokenDevice>();
  const issued: Token[] = [];
  const deliveries: AirDelivery[] = [];

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
    const parts = partsOf(request);
    const tokens = parts.map((units, part) => {
      const count = counts.get(device.id) ?? device.count;
      const type = TYPES[request.kind];
      const order: TokenOrder = type === "ADD_TIME" || type === "SET_TIME" ? { type, count, units } : { type, count };
      return issueOne(device, order, { ...request, part, units });
    });
    issued.push(...tokens);
    if (mayFly(device, request, tokens)) {
      const { cause, smsMayWait = false } = request;
      deliveries.push({ device, cause, tokens, smsWaits: smsMayWait && airPolicy === "first" });
    }
    return tokens;
  }

  function mayFly(device: DeviceWithKey, { carriedBy = "air" }: TokenRequest, tokens: readonly Token[]): boolean {
    if (airPolicy === "off" || carriedBy === "command" || tokens.length === 0 || tokens.length > TOKENS_MAX)
      return false;
    return device.reachableAt !== undefined && now.getTime() - device.reachableAt.getTime() <= REACH_MS;
  }

  return {
    device: required,
    issue,
    smsWaits: (tokens) =>
      deliveries.some((delivery) => delivery.smsWaits && delivery.tokens.some(({ id }) => id === tokens[0]?.id)),
    save: () => save({ tokens: issued, counts, deliveries }),
  };
}
