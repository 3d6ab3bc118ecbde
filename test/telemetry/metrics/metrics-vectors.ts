/**
 * The promises of a published OpenPAYGO Metrics vector file, as named checks of this project's own code. The file beside
 * this one is a copy (see openpaygo_metrics.md); `bench/accept-vectors.ts` is told where another is.
 */
import { isDeepStrictEqual } from "node:util";
import { prepareSipKey, sipHash24 } from "../../../src/devices/tokens/siphash.ts";
import type { DeviceFrame, FrameContext, FrameOutcome, Freshness } from "../../../src/telemetry/frames/frame.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import { buildAnswer, signAnswer } from "../../../src/telemetry/metrics/answer.ts";
import { parseDataFormat } from "../../../src/telemetry/metrics/data-format.ts";
import type { DataFormat } from "../../../src/telemetry/metrics/data-format.ts";
import { judgeFreshness, type FreshnessVerdict } from "../../../src/telemetry/metrics/freshness.ts";
import { expandRequest } from "../../../src/telemetry/metrics/simple-form.ts";
import type { VectorCheck, VectorSuite } from "../../devices/tokens/openpaygo-vectors.ts";

type Named = Record<string, unknown>;
type Row = { timestamp: number } & Record<string, number | null>;
type RequestVector = {
  id: string;
  shape: string;
  secret_key: string;
  payload: string;
  auth: string;
  auth_zero_padded: string;
  reference_is_auth_valid: boolean;
  expanded?: Named & { historical_data: Row[] };
};
type ReplayVector = {
  description: string;
  secret_key: string;
  payload: string;
  last_request_count: number | null;
  last_request_timestamp: number | null;
  expect: boolean;
};
type ResponseVector = {
  id: string;
  description: string;
  serial_number: string;
  secret_key: string;
  request_timestamp: number | null;
  request_count: number | null;
  hash_input: string;
  auth: string;
  payload: string;
};
type ExpansionVector = { description: string; data_format: Named | null; request: Named; expanded: Named };
type MetricsVectors = {
  data_format_used_for_requests: Named;
  official_readme_example: { secret_key: string; payload: string };
  java_cross_vectors: { secret_key: string; request: Named; expected: Record<string, string> };
  requests: RequestVector[];
  replay_and_tamper: ReplayVector[];
  responses: ResponseVector[];
  expansion: ExpansionVector[];
};

/** When frames without a time are taken to have come. */
const RECEIVED_AT = 1_700_000_000;

export const openpaygoMetrics: VectorSuite = {
  file: "openpaygo_metrics.json",
  checks(content) {
    const vectors = content as MetricsVectors;
    const format = vectors.data_format_used_for_requests;
    return [
      check("official example", "README", () => {
        const { secret_key: key, payload } = vectors.official_readme_example;
        return mustRead(read({ key, payload, format })) ?? tamperFault({ key, payload, format });
      }),
      ...Object.entries(vectors.java_cross_vectors.expected).map(([method, auth]) =>
        check("java cross vectors", method, () => runJava(vectors.java_cross_vectors, auth)),
      ),
      ...vectors.requests.flatMap((vector) => requestChecks(vector, format)),
      ...vectors.replay_and_tamper.map((vector) =>
        check("replay and tamper", vector.description, () => runReplay(vector, format)),
      ),
      ...vectors.responses.flatMap(responseChecks),
      ...vectors.expansion.map((vector) => check("expansion", vector.description, () => runExpansion(vector))),
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

function hashUnder(keyHex: string): (bytes: Uint8Array) => bigint {
  const key = prepareSipKey(Buffer.from(keyHex, "hex"));
  return (bytes) => {
    const { high, low } = sipHash24(key, bytes);
    return (BigInt(high) << 32n) | BigInt(low);
  };
}

type Reading = { key: string; payload: string | Uint8Array; format: Named | undefined; allowSimpleAuth?: boolean };

/** Reads a payload as a caller without a connection of its own: nothing but the signature vouches for it. */
function read({ key, payload, format, allowSimpleAuth = true }: Reading): FrameOutcome {
  const hash = hashUnder(key);
  const context: FrameContext = { hash: (_serial, bytes) => hash(bytes), dataFormat: () => format };
  return makeFrameReader({ allowSimpleAuth, signatureOnConnection: "required" }).read(
    {
      payload: Buffer.from(payload),
      topic: "/dd",
      serial: undefined,
      contentType: "json",
      receivedAtMs: RECEIVED_AT * 1_000,
    },
    context,
  );
}

function mustRead(outcome: FrameOutcome): string | undefined {
  return outcome.ok ? undefined : `expected the request to be taken, got ${JSON.stringify(outcome.refusal)}`;
}

function mustRefuse(outcome: FrameOutcome, reasons: readonly string[]): string | undefined {
  if (!outcome.ok && reasons.includes(outcome.refusal.reason)) return undefined;
  return `expected ${reasons.join(" or ")}, got ${outcome.ok ? "a frame" : JSON.stringify(outcome.refusal)}`;
}

/** The signature of the last digit turned: whatever else holds, this must not. */
function tamperFault({ key, payload, format }: { key: string; payload: string; format: Named }): string | undefined {
  const tampered = payload.replace(/([0-9a-f])"\}$/, (_all, digit: string) => `${digit === "0" ? "1" : "0"}"}`);
  return mustRefuse(read({ key, payload: tampered, format }), ["signature_invalid"]);
}

function requestChecks(vector: RequestVector, format: Named): readonly VectorCheck[] {
  const { id, shape, secret_key: key, payload } = vector;
  const named = (name: string, run: VectorCheck["run"]): VectorCheck =>
    check(`requests: ${name}`, `${id} ${shape}`, run);
  const taken = vector.reference_is_auth_valid
    ? mustRead
    : (outcome: FrameOutcome) => mustRefuse(outcome, ["signature_invalid"]);
  const padded = payload.replace(`"${vector.auth}"`, `"${vector.auth_zero_padded}"`);
  const checks = [
    named("signature", () => taken(read({ key, payload, format }))),
    named("signature padded", () => taken(read({ key, payload: padded, format }))),
    named("signature tampered", () => tamperFault({ key, payload, format })),
    named("data tampered", () => runDataTampered(vector, format)),
  ];
  if (vector.auth.startsWith("sa")) {
    checks.push(
      named("simple auth refused by default", () =>
        mustRefuse(read({ key, payload, format, allowSimpleAuth: false }), ["not_signed"]),
      ),
    );
  }
  const { expanded } = vector;
  if (expanded !== undefined) {
    checks.push(
      named("expanded", () => differs(expanded, expandWith(JSON.parse(payload) as Named, format))),
      named("readings", () => differs(readingsOf(expanded), readingsGot(read({ key, payload, format })))),
    );
  }
  return checks;
}

/** What methods sign, they protect; the others do not promise it, and their data are taken as the reference takes them. */
function runDataTampered({ secret_key: key, payload, auth }: RequestVector, format: Named): string | undefined {
  const tampered = payload
    .replace(/("(?:d|data)":[[{])/, (all) => (all.endsWith("{") ? `${all}"spare":1,` : `${all}7,`))
    .replace(",}", "}")
    .replace(",]", "]");
  if (tampered === payload) return "expected data to tamper with, found none";
  const outcome = read({ key, payload: tampered, format });
  return /^(?:da|ra)/.test(auth) ? mustRefuse(outcome, ["signature_invalid"]) : mustNotBe(outcome, "signature_invalid");
}

function mustNotBe(outcome: FrameOutcome, reason: string): string | undefined {
  return outcome.ok || outcome.refusal.reason !== reason ? undefined : `expected anything but ${reason}`;
}

function runJava({ secret_key: key, request }: MetricsVectors["java_cross_vectors"], auth: string): string | undefined {
  const payload = JSON.stringify({ ...request, auth });
  // One row without a time stands at the time of the request, so no format is needed.
  return mustRead(read({ key, payload, format: undefined }));
}

function runReplay(vector: ReplayVector, format: Named): string | undefined {
  const outcome = read({ key: vector.secret_key, payload: vector.payload, format, allowSimpleAuth: false });
  const last: Freshness = {
    requestTimestamp: vector.last_request_timestamp ?? undefined,
    requestCount: vector.last_request_count ?? undefined,
  };
  const [frame] = outcome.ok ? outcome.frames : [];
  const fault = outcome.ok
    ? frame === undefined
      ? "no frame"
      : replayOf(judgeFreshness(frame.freshness, last))
    : outcome.refusal.detail;
  return (fault === undefined) === vector.expect
    ? undefined
    : `expected ${vector.expect}, got ${fault ?? "a fresh frame"}`;
}

/** A server of the reference refuses a repetition like any other replay; ours answers it again and stores nothing twice. */
function replayOf(judged: FreshnessVerdict): string | undefined {
  return judged.verdict === "newer" ? undefined : judged.detail;
}

function responseChecks(vector: ResponseVector): readonly VectorCheck[] {
  const hash = hashUnder(vector.secret_key);
  const to = {
    requestTimestamp: vector.request_timestamp ?? undefined,
    requestCount: vector.request_count ?? undefined,
    form: "condensed" as const,
  };
  const sent = JSON.parse(vector.payload) as {
    tkl?: (string | number)[];
    auts?: number;
    asl?: number;
    st?: Named;
    ed?: Named;
  };
  const text = (value: unknown): string | undefined => (value === undefined ? undefined : JSON.stringify(value));
  const id = `${vector.id} ${vector.description}`;
  const checks = [
    check("responses: signature", id, () =>
      differs(
        vector.auth,
        signAnswer(
          {
            serial: vector.serial_number,
            to,
            texts: {
              activeUntil: text(sent.auts),
              activeSecondsLeft: text(sent.asl),
              tokens: text(sent.tkl),
              settings: text(sent.st),
              extraData: text(sent.ed),
            },
          },
          (bytes) => (Buffer.from(bytes).toString("utf8") === vector.hash_input ? hash(bytes) : 0n),
        ),
      ),
    ),
  ];
  const tokens = sent.tkl ?? [];
  // The specification's examples write tokens as numbers, which would lose a leading zero: ours are always texts.
  if (!tokens.every((token) => typeof token === "string")) return checks;
  const order = {
    serial: vector.serial_number,
    to,
    content: {
      tokens,
      activeUntil: sent.auts,
      activeSecondsLeft: sent.asl,
      ...(sent.st === undefined ? {} : { settings: sent.st }),
      ...(sent.ed === undefined ? {} : { extraData: sent.ed }),
    },
  };
  return [...checks, check("responses: answer", id, () => differs(vector.payload, buildAnswer(order, hash)))];
}

function runExpansion({ data_format, request, expanded }: ExpansionVector): string | undefined {
  const document = (data_format ?? request.dfo) as Named;
  return differs(expanded, expandWith(request, document)) ?? runExpansionReadings(request, { document, expanded });
}

/** The same rows through the door: signed with a key of ours, they become readings at the expanded times. */
function runExpansionReadings(
  request: Named,
  { document, expanded }: { document: Named; expanded: Named },
): string | undefined {
  const key = "00112233445566778899aabbccddeeff";
  const auth = `ta${hashUnder(key)(Buffer.from(`${String(request.sn)}${String(request.ts)}`)).toString(16)}`;
  const got = readingsGot(read({ key, payload: JSON.stringify({ ...request, a: auth }), format: document }));
  return differs(readingsOf(expanded as RequestVector["expanded"] & object), got);
}

function expandWith(request: Named, document: Named): Named {
  return expandRequest(request, { format: formatOf(document), receivedAt: RECEIVED_AT });
}

function formatOf(document: Named): DataFormat {
  const parsed = parseDataFormat(document);
  if (!parsed.ok) throw new Error(parsed.detail);
  return parsed.format;
}

type Brief = readonly [
  atMs: number,
  panelVolts: unknown,
  batteryVolts: unknown,
  panelAmperes: unknown,
  batteryAmperes: unknown,
];

/** The rows of an expansion as we keep them: oldest first, a charging battery's current above zero. */
function readingsOf({ historical_data: rows }: { historical_data: Row[] }): readonly Brief[] {
  return rows
    .map((row): Brief => {
      const { battery_current: out } = row;
      return [
        row.timestamp * 1_000,
        row.panel_voltage ?? undefined,
        row.battery_voltage ?? undefined,
        row.panel_current ?? undefined,
        out === undefined || out === null ? undefined : 0 - out,
      ];
    })
    .toSorted((one, other) => one[0] - other[0]);
}

function readingsGot(outcome: FrameOutcome): readonly Brief[] | string {
  if (!outcome.ok) return outcome.refusal.detail;
  const [frame]: readonly (DeviceFrame | undefined)[] = outcome.frames;
  return (frame?.readings ?? []).map((reading) => [
    reading.atMs,
    reading.panelVoltageV,
    reading.batteryVoltageV,
    reading.panelCurrentA,
    reading.batteryCurrentA,
  ]);
}
