/**
 * A Sparkplug B 3.0 bridge: `spBv1.0/{group}/{NBIRTH|NDATA|NDEATH|DBIRTH|DDATA|DDEATH}/{node}[/{device}]`. A device's id is
 * its serial, and so is a node's where the node is a device of ours. Sparkplug signs nothing: the broker must see to it
 * that only the bridge publishes in its group, and only groups named in the settings are read.
 *
 * Metrics may be named by aliases that only the birth certificate explains. `readSparkplug` is handed what is known of the
 * edge node and hands back what is known after; the adapter around it does nothing but keep that.
 */
import { isSerial } from "../../kernel/serial.ts";
import type { DeviceFrame, FrameAdapter, FrameContext, FrameOutcome, RawFrame, Reading } from "./frame.ts";
import { READINGS_MAX } from "./frame.ts";
import { makeReading, makeRowSink, putValue, show, UNIX_SECONDS_MAX } from "./reading.ts";
import { refuse } from "./refusal.ts";
import type { RefusedFrame } from "./refusal.ts";
import { bear, defineMetric, sessionOf } from "./sparkplug-births.ts";
import type { Births, EdgeBirth, MetricDefinition } from "./sparkplug-births.ts";
import { readSparkplugPayload, signedValue } from "./sparkplug-payload.ts";
import type { SparkplugMetric, SparkplugPayload } from "./sparkplug-payload.ts";
import { finishStanding, makeStandingDraft, NO_WISHES, putStanding } from "./standing.ts";

export interface SparkplugSettings {
  /** Groups whose bridges the broker keeps apart. */
  readonly groups: ReadonlySet<string>;
  readonly births: Births;
}

const PREFIX = "spBv1.0/";
const TOPIC = /^spBv1\.0\/([^/]{1,64})\/([ND])(BIRTH|DATA|DEATH)\/([^/]{1,64})(?:\/([^/]{1,64}))?$/;

export function makeSparkplugAdapter({ groups, births }: SparkplugSettings): FrameAdapter {
  function read(raw: RawFrame, context: FrameContext): FrameOutcome {
    const topic = parseTopic(raw.topic);
    if (topic === undefined) {
      const detail = `${show(raw.topic)} is no topic of a node's or device's birth, data or death.`;
      return refuse("unknown_topic", detail, raw.serial);
    }
    if (!groups.has(topic.group)) {
      const detail = `Sparkplug group ${show(topic.group)} is not among the groups in the settings, so nobody vouches for it.`;
      return refuse("not_signed", detail, raw.serial);
    }
    const edge = `${topic.group}/${topic.node}`;
    const { outcome, birth } = readSparkplug(raw, { topic, context, known: births.find(edge) });
    if (birth !== undefined) births.put(edge, birth);
    return outcome;
  }

  return { name: "sparkplug-b", claims: (topic) => topic.startsWith(PREFIX), read };
}

export interface SparkplugTopic {
  readonly group: string;
  readonly kind: "BIRTH" | "DATA" | "DEATH";
  readonly node: string;
  /** Undefined for what the node says of itself. */
  readonly device: string | undefined;
}

/** The parts of a topic; undefined for commands, host states, and whatever else is not said by a node or device. */
export function parseTopic(topic: string): SparkplugTopic | undefined {
  const [, group, whose, kind, node, device] = TOPIC.exec(topic) ?? [];
  if (group === undefined || node === undefined || (whose === "D") !== (device !== undefined)) return undefined;
  if (kind !== "BIRTH" && kind !== "DATA" && kind !== "DEATH") return undefined;
  return { group, kind, node, device };
}

interface Surroundings {
  readonly topic: SparkplugTopic;
  readonly context: FrameContext;
  /** What is known of the edge node from its births. */
  readonly known: EdgeBirth | undefined;
}

interface Result {
  readonly outcome: FrameOutcome;
  /** What is known of the edge node from now on; undefined when nothing changes. */
  readonly birth?: EdgeBirth;
}

/** Reads one message. The same bytes with the same `known` always give the same. */
export function readSparkplug(raw: RawFrame, { topic, context, known }: Surroundings): Result {
  const serial = topic.device ?? topic.node;
  const isOurs = isSerial(serial) && context.hash(serial, NOTHING) !== undefined;
  if (raw.serial !== undefined && raw.serial !== serial) {
    const detail = `The connection belongs to device ${raw.serial}, but the topic speaks for ${serial}.`;
    return { outcome: refuse("foreign_serial", detail, raw.serial) };
  }
  // A gateway need not be a device of ours; its births and deaths still concern the devices behind it.
  if (!isOurs && (topic.device !== undefined || topic.kind === "DATA")) {
    return {
      outcome: refuse("unknown_device", `${show(serial)} of edge node ${show(topic.node)} is no device of ours.`),
    };
  }
  if (topic.kind === "DEATH")
    return {
      outcome: isLateDeath(raw, topic, known) ? NOTHING_TOLD : readDeath(topic, { serial, isOurs, context, known }),
    };
  const parsed = readSparkplugPayload(raw.payload);
  if (!parsed.ok) return { outcome: refuse("not_readable", parsed.detail, serial) };
  const { metrics } = parsed.payload;
  if (topic.kind === "DATA")
    return { outcome: readMetrics(raw, { payload: parsed.payload, serial, known, isBirth: false }) };
  const born = bear(metrics, { before: topic.device === undefined ? undefined : known, device: topic.device });
  if (!born.ok) return { outcome: refuse("wrong_schema", born.detail, serial) };
  if (!isOurs) return { outcome: { ok: true, frames: [] }, birth: born.birth };
  const outcome = readMetrics(raw, { payload: parsed.payload, serial, known: born.birth, isBirth: true });
  return outcome.ok ? { outcome, birth: born.birth } : { outcome };
}

const NOTHING = new Uint8Array(0);

const NOTHING_TOLD: FrameOutcome = { ok: true, frames: [] };

/**
 * Whether a node's death is that of an earlier session: the broker tells a broken connection's will when its keep-alive has run out,
 * long after the node may have been born again. One that names no session is believed.
 */
function isLateDeath(raw: RawFrame, topic: SparkplugTopic, known: EdgeBirth | undefined): boolean {
  if (topic.device !== undefined || known?.session === undefined) return false;
  const parsed = readSparkplugPayload(raw.payload);
  const session = parsed.ok ? sessionOf(parsed.payload.metrics) : undefined;
  return session !== undefined && session !== known.session;
}

/** A node takes its devices with it: their deaths are not told one by one. */
function readDeath(
  topic: SparkplugTopic,
  { serial, isOurs, context, known }: { serial: string; isOurs: boolean } & Pick<Surroundings, "context" | "known">,
): FrameOutcome {
  const behind = topic.device === undefined ? [...(known?.devices ?? [])] : [];
  const gone = (isOurs ? [serial] : []).concat(
    behind.filter((id) => id !== serial && context.hash(id, NOTHING) !== undefined),
  );
  return { ok: true, frames: gone.map((id) => frameOf(id, { presence: "offline" })) };
}

function frameOf(serial: string, told: Partial<DeviceFrame>): DeviceFrame {
  return {
    serial,
    sentAtMs: told.sentAtMs,
    readings: told.readings ?? [],
    standing: told.standing,
    events: [],
    answers: [],
    presence: told.presence,
    wishes: NO_WISHES,
    freshness: { requestTimestamp: undefined, requestCount: undefined },
  };
}

interface Said {
  readonly atMs: number;
  readonly target: Target;
  readonly value: unknown;
}
type Target = MetricDefinition["target"];

function readMetrics(
  raw: RawFrame,
  {
    payload,
    serial,
    known,
    isBirth,
  }: { payload: SparkplugPayload; serial: string; known: EdgeBirth | undefined; isBirth: boolean },
): FrameOutcome {
  const sentAtMs = payload.timestamp;
  if (sentAtMs !== undefined && !isTime(sentAtMs)) return badTime(sentAtMs, serial);
  const draft = makeStandingDraft();
  const said: Said[] = [];
  for (const metric of payload.metrics) {
    if (metric.value === undefined || isControl(metric.name)) continue;
    const definition = definitionOf(metric, known);
    if (typeof definition === "string") return refuse("wrong_schema", definition, serial);
    if (definition === undefined) return unknownAlias(metric, serial);
    const value = signedValue(metric.value, metric.datatype ?? definition.datatype);
    const atMs = metric.timestamp ?? sentAtMs ?? raw.receivedAtMs;
    if (!isTime(atMs)) return badTime(atMs, serial);
    if (definition.standing === undefined) said.push({ atMs, target: definition.target, value });
    else if (!metric.isHistorical) {
      const wrong = putStanding(draft, definition.standing, value);
      if (wrong !== undefined) return refuse("wrong_schema", `${wrong}.`, serial);
    }
  }
  const readings = gatherReadings(said);
  if (typeof readings === "string") return refuse("wrong_schema", `${readings}.`, serial);
  if (readings.length > READINGS_MAX)
    return refuse(
      "too_many_rows",
      `The payload holds ${readings.length} moments; at most ${READINGS_MAX} fit.`,
      serial,
    );
  const standing = finishStanding(draft, sentAtMs ?? raw.receivedAtMs);
  return {
    ok: true,
    frames: [frameOf(serial, { sentAtMs, readings, standing, presence: isBirth ? "online" : undefined })],
  };
}

/** Metrics by which nodes are steered, or that only number births. */
function isControl(name: string | undefined): boolean {
  return name !== undefined && (name === "bdSeq" || /^(?:Node|Device) Control\//.test(name));
}

function definitionOf(metric: SparkplugMetric, known: EdgeBirth | undefined): MetricDefinition | string | undefined {
  if (metric.alias !== undefined) {
    const found = known?.byAlias.get(metric.alias);
    if (found !== undefined || metric.name === undefined) return found;
  }
  if (metric.name === undefined) return "A metric has neither name nor alias.";
  const answer = defineMetric(metric.name, metric);
  return answer.ok ? answer.definition : answer.detail;
}

function unknownAlias({ alias }: SparkplugMetric, serial: string): RefusedFrame {
  const detail = `Alias ${alias} stands for a name in a birth certificate that was not seen. Ask the node for a rebirth (NCMD, "Node Control/Rebirth").`;
  return refuse("unknown_format", detail, serial);
}

function isTime(atMs: number): boolean {
  return atMs >= 0 && atMs <= UNIX_SECONDS_MAX * 1_000;
}

function badTime(atMs: number, serial: string): RefusedFrame {
  return refuse("wrong_schema", `A timestamp is ${show(atMs)}; it must be Unix milliseconds.`, serial);
}

/** Metrics of one moment are one reading; oldest first. Answers what is wrong instead, when something is. */
function gatherReadings(said: Said[]): Reading[] | string {
  said.sort((one, other) => one.atMs - other.atMs);
  const readings: Reading[] = [];
  let sink = makeRowSink();
  for (const [at, { atMs, target, value }] of said.entries()) {
    const wrong = putValue(sink, target, value);
    if (wrong !== undefined) return wrong;
    if (said[at + 1]?.atMs === atMs) continue;
    if (sink.told) readings.push(makeReading(atMs, sink));
    sink = makeRowSink();
  }
  return readings;
}
