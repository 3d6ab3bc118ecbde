/**
 * A Victron-like bridge: `N/{portal}/{service}/{instance}/{path}` with `{"value": 12.8}`, one value a message, as Venus OS
 * publishes them (github.com/victronenergy/dbus-flashmq). The portal is the device; which serial it has is told by the
 * operator, and its bridge is trusted by the broker, since Venus signs nothing.
 *
 * A message has no time, so a value stands at the second in which it came. Each quantity has a millisecond of its own in
 * that second: values that come together are readings of their own and never the same row, and a quantity that changes
 * faster than once a second is kept once a second.
 *
 * A system may have several solar chargers or thermometers. One of each counts as the quantity; what the others say is kept under its
 * own name, in Venus' unit: two counters in one column would jump up and down.
 */
import type { FrameAdapter, FrameContext, FrameOutcome, Quantity, RawFrame } from "./frame.ts";
import { QUANTITIES } from "./frame.ts";
import { parseMessageJson } from "./json.ts";
import { makeReading, makeRowSink, putValue, show } from "./reading.ts";
import { refuse } from "./refusal.ts";
import type { RefusedFrame } from "./refusal.ts";
import { NO_WISHES } from "./standing.ts";
import { quantityOf } from "./variables.ts";
import type { Target } from "./variables.ts";
import { makeInstances } from "./victron-instances.ts";
import type { Instances } from "./victron-instances.ts";

export interface VictronSettings {
  /** Portal ids (the last part of a GX device's MAC address, or its VRM id) and the serials they have here. */
  readonly portals: ReadonlyMap<string, string>;
  /** Remembered in the adapter alone where it is not given. */
  readonly instances?: Instances;
}

/** Services and paths that are quantities of ours, and the factor to our unit. Venus' battery current is above zero while charging. */
const PATHS: Readonly<Record<string, readonly [quantity: Quantity, factor: number]>> = {
  "system/Dc/Battery/Voltage": ["batteryVoltageV", 1],
  "system/Dc/Battery/Current": ["batteryCurrentA", 1],
  "system/Dc/Battery/Soc": ["batteryChargePercent", 1],
  "system/Dc/Battery/Temperature": ["batteryTemperatureC", 1],
  "system/Dc/Pv/Power": ["panelPowerW", 1],
  "system/Dc/System/Power": ["loadPowerW", 1],
  "solarcharger/Pv/V": ["panelVoltageV", 1],
  "solarcharger/Pv/I": ["panelCurrentA", 1],
  "solarcharger/Load/I": ["loadCurrentA", 1],
  // Kilowatt-hours since the charger was made; nobody can reset this one.
  "solarcharger/Yield/System": ["energyInWh", 1_000],
  "temperature/Temperature": ["ambientTemperatureC", 1],
};

const TARGETS: ReadonlyMap<string, Target> = new Map(
  Object.entries(PATHS).map(([path, [quantity, factor]]): [string, Target] => [
    path,
    quantityOf(path, quantity, factor),
  ]),
);

/** Further values stand behind the quantities in their second. */
const FIRST_FURTHER_MS = QUANTITIES.length;

const TOPIC = /^N\/([^/]{1,64})\/([a-z]{1,32})\/([0-9]{1,5})\/(.{1,128})$/;

export function makeVictronAdapter({
  portals,
  instances = makeInstances({ named: new Map() }),
}: VictronSettings): FrameAdapter {
  function read(raw: RawFrame, context: FrameContext): FrameOutcome {
    const parts = TOPIC.exec(raw.topic);
    if (parts === null) {
      return refuse(
        "unknown_topic",
        `${show(raw.topic)} is not N/portal/service/instance/path, which Venus publishes on.`,
        raw.serial,
      );
    }
    const [, portal = "", service = "", instance = "", path = ""] = parts;
    const serial = portals.get(portal);
    if (serial === undefined) {
      return refuse("unknown_device", `Portal ${show(portal)} is not among the portals in the settings.`, raw.serial);
    }
    if (raw.serial !== undefined && raw.serial !== serial) {
      return refuse(
        "foreign_serial",
        `The connection belongs to device ${raw.serial}, but portal ${portal} is ${serial}.`,
        raw.serial,
      );
    }
    if (context.hash(serial, NOTHING) === undefined) {
      return refuse(
        "unknown_device",
        `Portal ${portal} is set to serial ${serial}, which is no device of ours.`,
        serial,
      );
    }
    const target = TARGETS.get(`${service}/${path}`);
    // Venus publishes hundreds of paths; those that measure nothing of ours are nobody's fault.
    if (target === undefined) return NOTHING_TOLD;
    // A service that goes away clears its topics.
    if (raw.payload.length === 0) {
      instances.left(portal, service, instance);
      return NOTHING_TOLD;
    }
    const value = readValue(raw.payload, serial);
    if (!value.ok) return value;
    if (value.got === null || value.got === undefined) return NOTHING_TOLD;
    if (instances.counts(portal, service, instance))
      return readingOf(raw, serial, { target, value: value.got, atMs: target.slot });
    const name = `${service}_${instance}_${path.toLowerCase().replaceAll("/", "_")}`;
    const atMs = FIRST_FURTHER_MS + instances.placeOf(portal, name);
    return readingOf(raw, serial, { target: furtherTarget(name), value: value.got, atMs });
  }

  return { name: "victron", claims: (topic) => topic.startsWith("N/"), read };
}

const NOTHING = new Uint8Array(0);
const NOTHING_TOLD: FrameOutcome = { ok: true, frames: [] };

/** A value under its own name. */
function furtherTarget(name: string): Target {
  const anything = { slot: -1, factor: 1, offset: 0, low: -Infinity, high: Infinity, unit: "", whole: false };
  return { name, kind: "extra", ...anything };
}

function readValue(payload: Uint8Array, serial: string): { readonly ok: true; readonly got: unknown } | RefusedFrame {
  const parsed = parseMessageJson(payload);
  if (!parsed.ok) return refuse("not_readable", parsed.detail, serial);
  const message = parsed.value;
  if (typeof message === "object" && message !== null && "value" in message) return { ok: true, got: message.value };
  return refuse("wrong_schema", `The message is ${show(message)}; it must be an object like {"value": 12.8}.`, serial);
}

/** One value at its millisecond of the second in which it came. */
function readingOf(
  { receivedAtMs }: RawFrame,
  serial: string,
  { target, value, atMs }: { target: Target; value: unknown; atMs: number },
): FrameOutcome {
  const sink = makeRowSink();
  const wrong = putValue(sink, target, value);
  if (wrong !== undefined) return refuse("wrong_schema", `${wrong}.`, serial);
  if (!sink.told) return NOTHING_TOLD;
  return {
    ok: true,
    frames: [
      {
        serial,
        sentAtMs: undefined,
        readings: [makeReading(Math.floor(receivedAtMs / 1_000) * 1_000 + atMs, sink)],
        standing: undefined,
        events: [],
        answers: [],
        presence: undefined,
        wishes: NO_WISHES,
        freshness: { requestTimestamp: undefined, requestCount: undefined },
      },
    ],
  };
}
