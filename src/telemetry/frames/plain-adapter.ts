/**
 * The plain topics of a device besides its data: `status` (retained, and the last will), `event` and `ack`. Small JSON
 * without a signature: the connection vouches for it, and none of it gives light.
 */
import type { CommandAnswer, DeviceEvent, DeviceFrame, FrameAdapter, FrameOutcome, RawFrame } from "./frame.ts";
import { parseMessageJson } from "./json.ts";
import { nameFault, scalarFault, show, UNIX_SECONDS_MAX } from "./reading.ts";
import { refuse } from "./refusal.ts";
import type { RefusedFrame } from "./refusal.ts";
import { findStandingName, finishStanding, makeStandingDraft, NO_WISHES, putStanding } from "./standing.ts";

type Named = Readonly<Record<string, unknown>>;
type Facts = Partial<Pick<DeviceFrame, "sentAtMs" | "standing" | "events" | "answers" | "presence">>;
type FactsAnswer = { readonly ok: true; readonly facts: Facts } | { readonly ok: false; readonly detail: string };

const EVENTS_MAX = 100;
const EVENT_DETAILS_MAX = 32;
const ANSWER_CHARACTERS_MAX = 200;
const KIND = /^[a-z][a-z0-9_]{0,63}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const READERS: ReadonlyMap<string, (message: Named, receivedAtMs: number) => FactsAnswer> = new Map([
  ["status", readStatus],
  ["event", readEvents],
  ["ack", readAnswer],
]);

/** Reads what a device says besides its data. */
export const plainAdapter: FrameAdapter = {
  name: "plain",
  claims: (topic) => READERS.has(topic),
  read: readPlain,
};

function readPlain(raw: RawFrame): FrameOutcome {
  const { serial, topic, payload, receivedAtMs } = raw;
  const reader = READERS.get(topic);
  if (reader === undefined)
    return refuse("unknown_topic", `The topic ${show(topic)} is none of status, event and ack.`, serial);
  if (serial === undefined) {
    return refuse(
      "not_signed",
      `Frames on ${topic} carry no signature; only the device's own connection may send them.`,
    );
  }
  // Who deletes a retained status publishes nothing in its place; that is no news of the device.
  if (topic === "status" && payload.length === 0) return { ok: true, frames: [] };
  const bare = topic === "status" ? bareStatus(payload) : undefined;
  const parsed = bare === undefined ? parseMessage(raw) : { ok: true as const, message: bare };
  if (!parsed.ok) return parsed;
  const { message } = parsed;
  const named = message.serial_number ?? message.sn;
  if (named !== undefined && named !== serial) {
    return refuse(
      "foreign_serial",
      `The connection belongs to device ${serial}, but the message names ${show(named)}.`,
      serial,
    );
  }
  const answer = reader(message, receivedAtMs);
  if (!answer.ok) return refuse("wrong_schema", answer.detail, serial);
  return { ok: true, frames: [frameOf(serial, answer.facts)] };
}

function frameOf(serial: string, facts: Facts): DeviceFrame {
  return {
    serial,
    sentAtMs: facts.sentAtMs,
    readings: [],
    standing: facts.standing,
    events: facts.events ?? [],
    answers: facts.answers ?? [],
    presence: facts.presence,
    wishes: NO_WISHES,
    freshness: { requestTimestamp: undefined, requestCount: undefined },
  };
}

const LONGEST_BARE_STATUS = "offline".length;

/** Many firmwares say `online` and `offline` as bare texts. */
function bareStatus(payload: Uint8Array): Named | undefined {
  if (payload.length > LONGEST_BARE_STATUS) return undefined;
  const text = Buffer.from(payload).toString("latin1");
  return text === "online" || text === "offline" ? { status: text } : undefined;
}

function parseMessage({
  payload,
  topic,
  serial,
}: RawFrame): { readonly ok: true; readonly message: Named } | RefusedFrame {
  const parsed = parseMessageJson(payload);
  if (!parsed.ok) return refuse("not_readable", parsed.detail, serial);
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse("wrong_schema", `A frame on ${topic} is a JSON object, but this is ${show(value)}.`, serial);
  }
  return { ok: true, message: value as Named };
}

/** `{"status": "online"}` or "offline", and what of its standing the device adds: firmware_version, reporting_interval … */
function readStatus(message: Named, receivedAtMs: number): FactsAnswer {
  const { status } = message;
  if (status !== "online" && status !== "offline") {
    return { ok: false, detail: `status is ${show(status)}; it must be "online" or "offline".` };
  }
  const sent = readTime(message.timestamp);
  if (!sent.ok) return sent;
  const draft = makeStandingDraft();
  for (const [name, value] of Object.entries(message)) {
    const standing = findStandingName(name);
    const wrong = standing === undefined ? undefined : putStanding(draft, standing, value);
    if (wrong !== undefined) return { ok: false, detail: `${wrong}.` };
  }
  const standing = finishStanding(draft, sent.atMs ?? receivedAtMs);
  return { ok: true, facts: { presence: status, standing, sentAtMs: sent.atMs } };
}

/** `{"kind": "lid_opened", "timestamp": 1611583070, "detail": {…}}`, or several of these as `{"events": […]}`. */
function readEvents(message: Named, receivedAtMs: number): FactsAnswer {
  const list: unknown = message.events ?? [message];
  if (!Array.isArray(list) || list.length === 0 || list.length > EVENTS_MAX) {
    return { ok: false, detail: `events is ${show(list)}; it must be a list of 1 to ${EVENTS_MAX}.` };
  }
  const events: DeviceEvent[] = [];
  for (const [at, item] of (list as readonly unknown[]).entries()) {
    const read = readEvent(item, receivedAtMs);
    if (typeof read === "string") return { ok: false, detail: `event ${at}: ${read}.` };
    events.push(read);
  }
  return { ok: true, facts: { events } };
}

function readEvent(item: unknown, receivedAtMs: number): DeviceEvent | string {
  if (typeof item !== "object" || item === null || Array.isArray(item))
    return `it is ${show(item)}; it must be an object`;
  const { kind, timestamp, detail = {} } = item as Named;
  if (typeof kind !== "string" || !KIND.test(kind)) {
    return `kind is ${show(kind)}; it must be lower case letters, digits and underscores, such as "lid_opened"`;
  }
  const time = readTime(timestamp);
  if (!time.ok) return time.detail.slice(0, -1);
  if (typeof detail !== "object" || detail === null || Array.isArray(detail)) {
    return `detail is ${show(detail)}; it must be an object of numbers, texts, true and false`;
  }
  const kept: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(detail as Named)) {
    if (value === null) continue;
    const wrong = nameFault(name) ?? scalarFault(name, value);
    if (wrong !== undefined) return `detail: ${wrong}`;
    kept[name] = value as string | number | boolean;
  }
  if (Object.keys(kept).length > EVENT_DETAILS_MAX) return `detail has more than ${EVENT_DETAILS_MAX} members`;
  return { atMs: time.atMs ?? receivedAtMs, kind, detail: kept };
}

/** `{"id": "…", "outcome": "done", "detail": "…"}`, with the id of the command it answers. */
function readAnswer({ id, outcome, detail }: Named): FactsAnswer {
  if (typeof id !== "string" || !UUID.test(id)) {
    return { ok: false, detail: `id is ${show(id)}; it must be the id of the command, as it came.` };
  }
  if (outcome !== "done" && outcome !== "refused" && outcome !== "failed") {
    return { ok: false, detail: `outcome is ${show(outcome)}; it must be "done", "refused" or "failed".` };
  }
  if (detail !== undefined && detail !== null) {
    const wrong =
      typeof detail !== "string" || detail.length > ANSWER_CHARACTERS_MAX
        ? `detail is ${show(detail)}; it must be a text of at most ${ANSWER_CHARACTERS_MAX} characters`
        : scalarFault("detail", detail);
    if (wrong !== undefined) return { ok: false, detail: `${wrong}.` };
  }
  const answer: CommandAnswer = {
    commandId: id.toLowerCase(),
    outcome,
    detail: typeof detail === "string" ? detail : undefined,
  };
  return { ok: true, facts: { answers: [answer] } };
}

type TimeAnswer =
  { readonly ok: true; readonly atMs: number | undefined } | { readonly ok: false; readonly detail: string };

/** Unix seconds as milliseconds; nothing and 0 are a device without a clock. */
function readTime(timestamp: unknown): TimeAnswer {
  if (timestamp === undefined || timestamp === null || timestamp === 0) return { ok: true, atMs: undefined };
  if (typeof timestamp !== "number" || !(timestamp > 0 && timestamp <= UNIX_SECONDS_MAX)) {
    return { ok: false, detail: `timestamp is ${show(timestamp)}; it must be Unix seconds, not milliseconds.` };
  }
  return { ok: true, atMs: Math.round(timestamp * 1_000) };
}
