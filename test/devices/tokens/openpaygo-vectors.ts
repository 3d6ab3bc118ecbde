/**
 * The promises of a published OpenPAYGO Token vector file, as named checks of this project's own code.
 * The file itself is not part of the project: `bench/accept-vectors.ts` is told where it is.
 */
import { isDeepStrictEqual } from "node:util";
import { nextOutput } from "../../../src/devices/tokens/openpaygo-chain.ts";
import type { TokenForm } from "../../../src/devices/tokens/openpaygo-chain.ts";
import {
  acceptToken,
  defaultStartingCode,
  issueToken,
  LOCKOUT_POLICIES,
  lockoutAfter,
  lockoutMinutes,
  makeTokenChains,
  newDeviceState,
  NO_LOCKOUT,
  parseKey,
  parseRestrictedDigits,
  prepareDevice,
  remainingMs,
  toRestrictedDigits,
  unitsFromDays,
} from "../../../src/devices/tokens/openpaygo.ts";
import type { DeviceState, TokenDevice, TokenOrder, TokenType } from "../../../src/devices/tokens/openpaygo.ts";
import { hashHex, prepareSipKey, sipHash24, sipHashWord } from "../../../src/devices/tokens/siphash.ts";

/** One promise of a vector file. `run` answers `undefined` when it holds, and what is wrong otherwise. */
export type VectorCheck = { readonly group: string; readonly id: string; readonly run: () => string | undefined };

/** What one vector file promises. `checks` throws TypeError on another shape. */
export type VectorSuite = { readonly file: string; readonly checks: (content: unknown) => readonly VectorCheck[] };

const DAY_MS = 86_400_000;
/** Any instant will do: vectors speak of days remaining, never of dates. */
const NOW_AT = 1_700_000_000_000;

type SipVector = { key: string; msg_hex: string; hash_hex: string };
type StepVector = { key: string; input: number; output: number };
type RestrictedVector = { token: number; restricted: string };
type EncodeVector = {
  id: string;
  group: string;
  key: string;
  starting_code: number | null;
  effective_starting_code: number;
  count: number;
  new_count: number;
  token_type: TokenType;
  value: number | null;
  value_divider: number;
  encoded_value: number;
  restricted: boolean;
  extended: boolean;
  token: string;
};
type ErrorVector = {
  key: string;
  starting_code: number;
  count: number;
  token_type: TokenType;
  value: number | null;
  value_divider?: number;
  extended?: boolean;
  reason: string;
};
type SequenceStep = {
  token: string;
  label: string;
  expect: { outcome: string; type?: string; value?: number; token_count?: number };
  state_after: { count: number; used_counts: number[]; payg_enabled: boolean; days_remaining: number | "infinite" };
};
type SequenceVector = {
  name: string;
  device: {
    key: string;
    starting_code: number | null;
    restricted_digit_set: boolean;
    time_divider: number;
    initial_count: number;
  };
  steps: SequenceStep[];
};
type TokenVectors = {
  primitives: {
    siphash_2_4: SipVector[];
    next_token: StepVector[];
    next_token_extended: StepVector[];
    restricted9: RestrictedVector[];
    restricted12: RestrictedVector[];
  };
  starting_codes: { key: string; starting_code: number }[];
  encode: EncodeVector[];
  encode_errors: ErrorVector[];
  decode_sequences: { sequences: SequenceVector[] };
  lockout_policies: Record<string, string>;
};

export const openpaygoToken: VectorSuite = {
  file: "openpaygo_token.json",
  checks(content) {
    // The file is a developer's own argument, not a customer's input: a wrong shape fails loudly in the first check.
    const vectors = content as TokenVectors;
    const { primitives } = vectors;
    return [
      ...primitives.siphash_2_4.map((vector, at) => check("siphash_2_4", `sip-${at + 1}`, () => runSip(vector))),
      ...primitives.next_token.map((vector, at) =>
        check("next_token", `next-${at + 1}`, () => runStep("standard", vector)),
      ),
      ...primitives.next_token_extended.map((vector, at) =>
        check("next_token_extended", `next-extended-${at + 1}`, () => runStep("extended", vector)),
      ),
      ...primitives.restricted9.map((vector) =>
        check("restricted9", String(vector.token), () => runRestricted("standard", vector)),
      ),
      ...primitives.restricted12.map((vector) =>
        check("restricted12", String(vector.token), () => runRestricted("extended", vector)),
      ),
      ...vectors.starting_codes.map((vector) =>
        check("starting_codes", vector.key, () =>
          differs(vector.starting_code, defaultStartingCode(keyOf(vector.key))),
        ),
      ),
      ...vectors.encode.map((vector) => check(`encode: ${vector.group}`, vector.id, () => runEncode(vector))),
      ...vectors.encode_errors.map((vector, at) =>
        check("encode_errors", `error-${at + 1} (${vector.reason})`, () => runEncodeError(vector)),
      ),
      ...vectors.decode_sequences.sequences.flatMap(decodeChecks),
      ...Object.entries(vectors.lockout_policies).map(([name, text]) =>
        check("lockout_policies", name, () => runLockout(name, text)),
      ),
    ];
  },
};

function check(group: string, id: string, run: VectorCheck["run"]): VectorCheck {
  return { group, id, run };
}

function differs(expected: unknown, got: unknown): string | undefined {
  if (isDeepStrictEqual(expected, got)) return undefined;
  return `expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`;
}

function keyOf(hex: string): Uint8Array {
  const parsed = parseKey(hex);
  if (!parsed.ok) throw new Error(parsed.refusal.message);
  return parsed.key;
}

function deviceOf(parameters: Parameters<typeof prepareDevice>[0]): TokenDevice {
  const prepared = prepareDevice(parameters);
  if (!prepared.ok) throw new Error(prepared.refusal.message);
  return prepared.device;
}

function runSip({ key, msg_hex, hash_hex }: SipVector): string | undefined {
  const sip = prepareSipKey(keyOf(key));
  const message = Buffer.from(msg_hex, "hex");
  const wrong = differs(hash_hex, hashHex(sipHash24(sip, message)));
  if (wrong !== undefined || message.length !== 8) return wrong;
  const block = Uint32Array.of(message.readUInt32LE(0), message.readUInt32LE(4));
  sipHashWord(sip, block);
  return differs(hash_hex, hashHex({ low: block[0] ?? 0, high: block[1] ?? 0 }));
}

function runStep(form: TokenForm, { key, input, output }: StepVector): string | undefined {
  return differs(output, nextOutput(prepareSipKey(keyOf(key)), form, input));
}

function runRestricted(form: TokenForm, { token, restricted }: RestrictedVector): string | undefined {
  return (
    differs(restricted, toRestrictedDigits(token, form)) ??
    differs({ form, number: token }, parseRestrictedDigits(restricted))
  );
}

function orderOf(vector: EncodeVector | ErrorVector, units: number): TokenOrder {
  const { token_type: type, count, extended } = vector;
  if (type === "DISABLE_PAYG" || type === "COUNTER_SYNC") return { type, count, extended };
  return { type, count, units, extended };
}

function runEncode(vector: EncodeVector): string | undefined {
  const device = deviceOf({
    key: keyOf(vector.key),
    startingCode: vector.starting_code ?? undefined,
    timeDivider: vector.value_divider,
    restrictedDigits: vector.restricted,
  });
  const wrong = differs(vector.effective_starting_code, device.startingCode) ?? runUnits(vector);
  if (wrong !== undefined) return wrong;
  let order = orderOf(vector, vector.encoded_value);
  if (vector.extended && !("units" in order)) {
    // The reference issues these; a device cannot tell them from plain values, so this project refuses. The digits
    // are still compared, by ordering the same number under the type that shares the odd counts.
    if (issueToken(device, order).ok) return "expected a refusal of this type in the extended form, got a token";
    order = { type: "SET_TIME", count: vector.count, units: vector.encoded_value, extended: true };
  }
  const expected = { token: vector.token, count: vector.new_count, value: vector.encoded_value };
  const chains = makeTokenChains({ chainsMax: 2 });
  for (const issued of [
    issueToken(device, order),
    issueToken(device, order, chains),
    issueToken(device, order, chains),
  ]) {
    const got = issued.ok ? { token: issued.token, count: issued.count, value: issued.value } : issued.refusal;
    const different = differs(expected, got);
    if (different !== undefined) return different;
  }
  return undefined;
}

/** Days of the vector, read as the exact decimal they are written as: they give the encoded value or are refused. */
function runUnits({ value, value_divider: divider, encoded_value }: EncodeVector): string | undefined {
  if (value === null) return undefined;
  const decimals = String(value).split(".")[1]?.length ?? 0;
  const denominator = 10 ** decimals;
  const numerator = Number(String(value).replace(".", ""));
  const units = unitsFromDays({ numerator, denominator }, divider);
  if (units.ok) return differs(encoded_value, units.units);
  const isExact = (BigInt(numerator) * BigInt(divider)) % BigInt(denominator) === 0n;
  return isExact ? `expected ${encoded_value} units, got ${units.refusal.code}` : undefined;
}

function runEncodeError(vector: ErrorVector): string | undefined {
  const timeDivider = vector.value_divider ?? 1;
  const device = deviceOf({ key: keyOf(vector.key), startingCode: vector.starting_code, timeDivider });
  const units = unitsFromDays(vector.value ?? 0, timeDivider);
  if (!units.ok && !(vector.value !== null && vector.value < 0)) return `expected units, got ${units.refusal.code}`;
  const issued = issueToken(device, orderOf(vector, (vector.value ?? 0) * timeDivider));
  return issued.ok ? `expected a refusal, got token ${issued.token}` : undefined;
}

/** The steps share one device state, so they run in order; each is a check of its own. */
function decodeChecks({ name, device: described, steps }: SequenceVector): readonly VectorCheck[] {
  const device = deviceOf({
    key: keyOf(described.key),
    startingCode: described.starting_code ?? undefined,
    timeDivider: described.time_divider,
    restrictedDigits: described.restricted_digit_set,
  });
  let state = newDeviceState(described.initial_count);
  return steps.map((step, at) =>
    check("decode_sequences", `${name} #${at + 1} ${step.label}`.trim(), () => {
      const decision = acceptToken(device, state, { token: step.token, nowAt: NOW_AT });
      state = decision.state;
      const { outcome } = decision;
      const { type, value, count: token_count } = decision.outcome === "VALID" ? decision : {};
      const got = outcome === "VALID" ? { outcome, type, value, token_count } : { outcome };
      return differs(step.expect, got) ?? differs(step.state_after, describe(state));
    }),
  );
}

function describe(state: DeviceState): SequenceStep["state_after"] {
  return {
    count: state.count,
    used_counts: [...state.usedCounts],
    payg_enabled: state.paygEnabled,
    days_remaining: state.paygEnabled ? remainingMs(state, NOW_AT) / DAY_MS : "infinite",
  };
}

/** Minutes after the 1st, 2nd, ... wrong token. The file describes them in words; these are the words as numbers. */
const LOCKOUT_MINUTES: Readonly<Record<string, readonly number[]>> = {
  docs: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512],
  python_simulator: [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
  c_firmware: [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512],
};

function runLockout(name: string, text: string): string | undefined {
  if (name === "reset") return runLockoutReset();
  const policy = LOCKOUT_POLICIES.find((known) => known === name);
  const minutes = LOCKOUT_MINUTES[name];
  if (policy === undefined || minutes === undefined) return `no policy of this name; the file says: ${text}`;
  const got = minutes.map((_, at) => lockoutMinutes(policy, at + 1));
  const lockedAfter = minutes.map((_, at) => {
    const before = { invalidStreak: at, lockedUntil: null };
    const decision = { outcome: "INVALID", reason: "NO_MATCH" } as const;
    const { lockedUntil } = lockoutAfter(policy, before, { decision, nowAt: NOW_AT });
    return ((lockedUntil ?? NOW_AT) - NOW_AT) / 60_000;
  });
  return differs(minutes, got) ?? differs(minutes, lockedAfter);
}

function runLockoutReset(): string | undefined {
  const locked = { invalidStreak: 5, lockedUntil: NOW_AT - 1 };
  for (const policy of LOCKOUT_POLICIES) {
    const used = lockoutAfter(policy, locked, { decision: { outcome: "ALREADY_USED" }, nowAt: NOW_AT });
    const valid = lockoutAfter(policy, locked, { decision: { outcome: "VALID" }, nowAt: NOW_AT });
    const wrong = differs(locked, used) ?? differs(NO_LOCKOUT, valid);
    if (wrong !== undefined) return `${policy}: ${wrong}`;
  }
  return undefined;
}
