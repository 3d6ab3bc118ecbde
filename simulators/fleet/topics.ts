/** The messages of a device besides its measurements, and the topics of all of them. See docs/asyncapi.yaml. */
import type { Message } from "./mqtt-wire.ts";
import type { Answer } from "./obey.ts";

type Channel = "status" | "data" | "event" | "ack";

const onChannel = (serial: string, channel: Channel, payload: Uint8Array): Message => ({
  topic: `paygo/v1/${serial}/${channel}`,
  payload,
  isRetained: channel === "status",
});

const json = (content: unknown): Buffer => Buffer.from(JSON.stringify(content));

export const dataMessage = (serial: string, payload: Uint8Array): Message => onChannel(serial, "data", payload);

/** Retained; the same with "offline" is the last will. */
export const statusMessage = (serial: string, presence: "online" | "offline"): Message =>
  onChannel(serial, "status", json({ status: presence }));

export const eventMessage = (
  serial: string,
  event: { kind: string; seconds: number; detail: Readonly<Record<string, string | number | boolean>> },
): Message => onChannel(serial, "event", json({ kind: event.kind, timestamp: event.seconds, detail: event.detail }));

export const answerMessage = (serial: string, answer: Answer): Message => onChannel(serial, "ack", json(answer));
