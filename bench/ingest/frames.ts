/** What the bench's devices send: the same bytes every time but for the time in them, so that making them costs the publishers little. */
export interface FrameTemplate {
  /** An MQTT PUBLISH with QoS 1, packet number 0. */
  readonly packet: Buffer;
  /** Where the packet number stands. */
  readonly idAt: number;
  /** Where the ten digits of the time stand. */
  readonly timeAt: number;
  readonly payloadBytes: number;
  /** Seconds from one frame's time to the next, so that no reading is told twice. */
  readonly stepSeconds: number;
}

export type FrameKind = "single" | "history";

export const HISTORY_ROWS = 30;
export const SINGLE_BYTES = 200;
const TIME = "0000000000";

/** What the numbers of a history row mean; registered once, as makers do. */
export const HISTORY_FORMAT = {
  data_order: ["token_count"],
  historical_data_order: ["panel_power", "battery_voltage", "battery_current", "battery_charge_percent", "load_power"],
  historical_data_interval: -1,
};

export function makeTemplate(serial: string, { kind, formatId }: { kind: FrameKind; formatId: number }): FrameTemplate {
  const payload = Buffer.from(kind === "single" ? singleFrame(serial) : historyFrame(serial, formatId));
  const topic = Buffer.from(`paygo/v1/${serial}/data`);
  const body = 2 + topic.length + 2 + payload.length;
  const head = Buffer.from([0x32, ...lengthBytes(body), topic.length >> 8, topic.length & 0xff]);
  return {
    packet: Buffer.concat([head, topic, Buffer.alloc(2), payload]),
    idAt: head.length + topic.length,
    timeAt: head.length + topic.length + 2 + payload.indexOf(TIME),
    payloadBytes: payload.length,
    stepSeconds: kind === "single" ? 1 : HISTORY_ROWS,
  };
}

/** A copy of the template with this number and time. */
export function stampFrame(
  template: FrameTemplate,
  { packetId, seconds }: { packetId: number; seconds: number },
): Buffer {
  const packet = Buffer.from(template.packet);
  packet.writeUInt16BE(packetId, template.idAt);
  packet.write(String(seconds).padStart(TIME.length, "0"), template.timeAt, "latin1");
  return packet;
}

function singleFrame(serial: string): string {
  const text = (note: string): string =>
    `{"sn":"${serial}","ts":${TIME},"d":{"tc":3,"panel_power":41.5,"battery_voltage":12.63,"battery_current":2.125,"battery_charge_percent":84,"load_power":12.5,"note":"${note}"}}`;
  return text("x".repeat(Math.max(0, SINGLE_BYTES - text("").length)));
}

function historyFrame(serial: string, formatId: number): string {
  const rows = Array.from({ length: HISTORY_ROWS }, (_, row) => [
    round(40 + Math.sin(row) * 20),
    round(12.4 + row / 100),
    round(2 + Math.cos(row)),
    80 - row,
    round(10 + (row % 7)),
  ]);
  return `{"sn":"${serial}","df":${String(formatId)},"ts":${TIME},"d":[3],"hd":${JSON.stringify(rows)}}`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

function lengthBytes(length: number): number[] {
  const bytes: number[] = [];
  for (let left = length; ;) {
    const low = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? low | 128 : low);
    if (left === 0) return bytes;
  }
}

export function connectPacket(serial: string, password: string): Buffer {
  const strings = [serial, serial, password].map((text) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
  });
  // MQTT 3.1.1, clean session, user name and password, no keep-alive.
  const head = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0xc2, 0, 0]);
  const body = Buffer.concat([head, ...strings]);
  return Buffer.concat([Buffer.from([0x10, ...lengthBytes(body.length)]), body]);
}

export const serialOf = (place: number): string => `B${String(place).padStart(6, "0")}`;
