import { parseTopic } from "../frames/sparkplug-adapter.ts";

/** What a device tells, by the last level of its topic. Its commands come on `cmd`. */
export const TOLD = ["status", "data", "event", "ack"] as const;

/**
 * What a broker outside is asked for: everything that devices tell, and nothing that we say. A serial may hold a slash, and
 * a filter's plus stands for one level; a serial with more than one slash can come through our own gateway only.
 */
export const DEVICE_FILTERS: readonly string[] = ["+", "+/+"].flatMap((serial) =>
  TOLD.map((kind) => `paygo/v1/${serial}/${kind}`),
);

/** The name under which our processes share a subscription. */
export const GROUP = "washa";

/**
 * Whose topic it is and what is told on it, where it is one of a device's own. The broker has checked that the serial is
 * the device's that signed in; a foreign topic (a vendor's, a bridge's) names nobody.
 */
export function readTopic(topic: string): { serial: string | undefined; topic: string } {
  const [, serial, kind] = /^paygo\/v1\/(.+)\/([^/]+)$/.exec(topic) ?? [];
  return serial === undefined || kind === undefined ? { serial: undefined, topic } : { serial, topic: kind };
}

/** Whose messages must keep their order: a device's, an edge node's with all behind it, or those of one foreign topic. */
export function senderOf(topic: string): string {
  const edge = parseTopic(topic);
  return edge === undefined ? (readTopic(topic).serial ?? topic) : `${edge.group}/${edge.node}`;
}

export function commandTopic(serial: string): string {
  return `paygo/v1/${serial}/cmd`;
}

/** The payload's kind by MQTT 5's content type; undefined where it is not told, which is the rule. */
export function readContentType(contentType: string | undefined): "json" | "cbor" | undefined {
  const name = contentType?.split(";")[0]?.trim().toLowerCase().replace("application/", "");
  return name === "json" || name === "cbor" ? name : undefined;
}

/** A filter of topics that are not devices' own. Throws with what would do. */
export function parseTopicFilter(text: string): string {
  const isWhole = text
    .split("/")
    .every((level, at, all) => /^([^+#]*|[+])$/.test(level) || (level === "#" && at === all.length - 1));
  // What begins with a dollar is the broker's own; sharing is added by the program itself.
  if (!isWhole || text.startsWith("$"))
    throw new Error(`"${text}" is not a topic filter such as spBv1.0/# or N/+/system/0/Serial.`);
  return text;
}

/** The name of a process at the broker. Throws with what would do. */
export function parseClientName(text: string): string {
  if (!/^[\w.-]{1,60}$/.test(text)) throw new Error("1 to 60 letters, digits, dots, _ or - are needed.");
  return text;
}
