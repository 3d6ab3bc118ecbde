import { isSerial } from "../kernel/serial.ts";

/** What a device may do at a broker, ours or another's: the one place that decides it. */
export interface TopicRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export const TOPIC_ROOT = "paygo/v1";
/** What a device tells. */
export const UPLINK_CHANNELS = ["status", "data", "event", "ack"] as const;
/** What it is told. */
export const DOWNLINK_CHANNELS = ["cmd"] as const;

export type UplinkChannel = (typeof UPLINK_CHANNELS)[number];

/** The topics of a serial, each whole and without wildcards; none for a text that is no serial. A slash may be in one, so topics are compared whole. */
export function topicRights(serial: string): TopicRights {
  if (!isSerial(serial)) return { publish: [], subscribe: [] };
  const topic = (channel: string): string => `${TOPIC_ROOT}/${serial}/${channel}`;
  return { publish: UPLINK_CHANNELS.map(topic), subscribe: DOWNLINK_CHANNELS.map(topic) };
}

export function mayPublish(serial: string, topic: string): boolean {
  return topicRights(serial).publish.includes(topic);
}

/** A filter with a wildcard is refused even where all that it matches today would be the device's own. */
export function maySubscribe(serial: string, filter: string): boolean {
  return topicRights(serial).subscribe.includes(filter);
}
