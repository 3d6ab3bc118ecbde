/** One fuzz case: a valid frame of some form, spoiled in some way, and who says it on which topic. */
import { encode } from "cborg";
import type { FrameContext, RawFrame } from "../../src/telemetry/frames/frame.ts";
import { makeChance } from "../../test/crash/chance.ts";
import type { Chance } from "../../test/crash/chance.ts";
import { houseOf, signedRequest } from "../../test/telemetry/metrics/device-signer.ts";
import { DEVICES, drawPlain, drawRequest, drawVictron, FORMATS, NOW_SECONDS } from "./corpus.ts";
import type { Draft } from "./corpus.ts";
import { spoilBytes, spoilMembers, writeSpoiled } from "./mutate.ts";
import { birthOf, drawSparkplug } from "./sparkplug.ts";

export const HOUSE: FrameContext = houseOf(DEVICES, FORMATS);

type Way = "as it is" | "bytes" | "members" | "signed anew" | "large";
const REQUEST_WAYS: readonly [Way, ...Way[]] = [
  "as it is",
  "bytes",
  "bytes",
  "members",
  "members",
  "signed anew",
  "signed anew",
];
const MESSAGE_WAYS: readonly [Way, ...Way[]] = ["as it is", "bytes", "members"];
const BRIDGE_WAYS: readonly [Way, ...Way[]] = ["as it is", "bytes"];

export interface FuzzCase {
  readonly form: string;
  readonly how: Way;
  readonly raw: RawFrame;
  /** Messages that must be read before, such as a birth. */
  readonly before: readonly RawFrame[];
  /** Requests as their devices signed them; what is accepted must be one of these wherever it is signed. */
  readonly signed: readonly Record<string, unknown>[];
}

/** The case of a seed and an index: always the same. */
export function drawCase(seed: number, index: number): FuzzCase {
  // Two rounds of the generator keep neighbours apart.
  const chance = makeChance(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  chance.next();
  const share = chance.next();
  if (share < 0.0003) return drawLarge(chance);
  if (share < 0.45) return drawMetrics(chance, "json");
  if (share < 0.65) return drawMetrics(chance, "cbor");
  if (share < 0.78) return drawSmall(chance, "plain", drawPlain(chance));
  if (share < 0.86) return drawSmall(chance, "victron", drawVictron(chance));
  return drawBridge(chance);
}

function rawFrame(chance: Chance, own: Pick<RawFrame, "payload" | "topic" | "serial" | "contentType">): RawFrame {
  const frame = { ...own, receivedAtMs: NOW_SECONDS * 1_000 + chance.below(1_000) };
  if (chance.happens(0.01)) return { ...frame, topic: chance.pick(STRANGE_TOPICS) };
  if (chance.happens(0.02)) return { ...frame, serial: chance.pick(["TV-1", "nobody", undefined]) };
  if (chance.happens(0.02)) return { ...frame, contentType: chance.pick(["json", "cbor", undefined]) };
  return frame;
}

const STRANGE_TOPICS = [
  "",
  "/",
  "data/",
  "cmd",
  "#",
  "+/data",
  "$SYS/broker",
  "__proto__",
  "N/",
  "N/a/b/c",
  "spBv1.0/",
  "spBv1.0/village/NCMD/edge1",
  "spBv1.0/STATE/host",
  "spBv1.0/other/DDATA/e/TV-1",
  "x".repeat(70_000),
] as const;

function drawMetrics(chance: Chance, encoding: "json" | "cbor"): FuzzCase {
  const draft = drawRequest(chance);
  const how = chance.pick(REQUEST_WAYS);
  const { members, signed } = spoilRequest(chance, draft, how);
  const written = encoding === "json" ? Buffer.from(writeSpoiled(members)) : writeCborLoosely(members);
  const payload = how === "bytes" ? spoilBytes(chance, written) : written;
  const isConnected = draft.method === undefined || chance.happens(0.5);
  return {
    form: `metrics ${encoding} ${draft.method ?? "unsigned"}`,
    how,
    raw: rawFrame(chance, {
      payload,
      topic: isConnected ? "data" : chance.pick(["/dd", "/device_data"]),
      serial: isConnected ? draft.device.serial : undefined,
      contentType: chance.pick([encoding, undefined]),
    }),
    before: [],
    signed,
  };
}

function spoilRequest(
  chance: Chance,
  draft: Draft,
  how: Way,
): { readonly members: unknown; readonly signed: readonly Record<string, unknown>[] } {
  const signed = [draft.members, ...accessoriesOf(draft.members)];
  if (how === "members") return { members: spoilMembers(chance, draft.members), signed };
  if (how !== "signed anew") return { members: draft.members, signed };
  // A device gone mad, with its own key: everything is signed, nothing makes sense.
  const { members } = draft;
  const form = "sn" in members ? "condensed" : "simple";
  const part = (...names: readonly string[]): unknown =>
    names.map((name) => members[name]).find((value) => value !== undefined);
  const mad = signedRequest(
    draft.device,
    {
      timestamp: part("ts", "timestamp") as number | undefined,
      requestCount: part("rc", "request_count") as number | undefined,
      data: withoutRaw(spoilMembers(chance, part("d", "data") ?? {})),
      history: withoutRaw(spoilMembers(chance, part("hd", "historical_data") ?? [])) as unknown[],
      unsigned: { df: part("df", "data_format_id"), dfo: part("dfo", "data_format") },
    },
    { method: draft.method, form },
  );
  return { members: mad, signed: [mad] };
}

/** Signed texts cannot hold what JSON cannot say. */
function withoutRaw(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replace(/"\\u0001raw:[^"]*"/g, "null")) as unknown;
}

function accessoriesOf(members: Record<string, unknown>): readonly Record<string, unknown>[] {
  const list = members.acc ?? members.accessories;
  return Array.isArray(list) ? (list as Record<string, unknown>[]) : [];
}

/** CBOR of what JSON would hold; what CBOR's writer refuses (half a character pair) goes out as nothing. */
function writeCborLoosely(members: unknown): Uint8Array {
  return encode(withoutRaw(members), { mapSorter: () => 0 });
}

function drawSmall(chance: Chance, form: string, { topic, content }: { topic: string; content: unknown }): FuzzCase {
  const how = chance.pick(MESSAGE_WAYS);
  const written = Buffer.from(writeSpoiled(how === "members" ? spoilMembers(chance, content) : content));
  const payload = how === "bytes" ? spoilBytes(chance, written) : written;
  const serial = form === "victron" ? undefined : chance.pick(DEVICES).serial;
  return {
    form,
    how,
    raw: rawFrame(chance, { payload, topic, serial, contentType: undefined }),
    before: [],
    signed: [],
  };
}

function drawBridge(chance: Chance): FuzzCase {
  const { serial } = chance.pick([DEVICES[0], DEVICES[0]]);
  const how = chance.pick(BRIDGE_WAYS);
  const message = drawSparkplug(chance, serial);
  const payload = how === "bytes" ? spoilBytes(chance, message.payload) : message.payload;
  const birth = { ...birthOf(serial), serial: undefined, contentType: undefined, receivedAtMs: NOW_SECONDS * 1_000 };
  return {
    form: "sparkplug",
    how,
    raw: rawFrame(chance, { payload, topic: message.topic, serial: undefined, contentType: undefined }),
    before: chance.happens(0.9) ? [birth] : [],
    signed: [],
  };
}

/** Frames up to past the largest allowed: many rows, much space, deep nests, or noise. */
function drawLarge(chance: Chance): FuzzCase {
  const bytes = Math.floor(2 ** (16 + chance.next() * 6.1));
  const payload = chance.pick([manyRows, muchSpace, deepNest, noise])(chance, bytes);
  const raw = { payload, topic: "data", serial: "TV-1", contentType: undefined, receivedAtMs: NOW_SECONDS * 1_000 };
  return { form: "large", how: "large", raw, before: [], signed: [] };
}

type Filler = (chance: Chance, bytes: number) => Uint8Array;
const manyRows: Filler = (_chance, bytes) =>
  Buffer.from(`{"sn":"TV-1","df":2,"ts":${NOW_SECONDS},"hd":[${"[12.5],".repeat(Math.floor(bytes / 7))}[12.5]]}`);
const muchSpace: Filler = (_chance, bytes) => Buffer.from(`{"sn":"TV-1",${" ".repeat(bytes)}"d":{"tc":1}}`);
const deepNest: Filler = (chance, bytes) =>
  Buffer.alloc(bytes, chance.pick(["[", '{"a":', "\x81", "\xa1\x61a", "\x9f"]), "latin1");
const noise: Filler = (chance, bytes) => Buffer.from(Uint8Array.from({ length: bytes }, () => chance.below(256)));
