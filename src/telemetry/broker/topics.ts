/** What a device tells, by the last level of its topic. Its commands come on `cmd`. */
export const TOLD = ["status", "data", "event", "ack"] as const;

/**
 * What a broker outside is asked for: everything that devices tell, and nothing that we say. A serial may hold a slash, and
 * a filter's plus stands for one level; a serial with more than one slash can come through our own gateway only.
 */
export const DEVICE_FILTERS: readonly string[] = ["+", "+/+"].flatMap((serial) =>
  TOLD.map((kind) => `paygo/v1/${serial}/${kind}`),
);

/**
 * Whose topic it is and what is told on it, where it is one of a device's own. The broker has checked that the serial is
 * the device's that signed in; a foreign topic (a vendor's, a bridge's) names nobody.
 */
export function readTopic(topic: string): { serial: string | undefined; topic: string } {
  const [, serial, kind] = /^paygo\/v1\/(.+)\/([^/]+)$/.exec(topic) ?? [];
  return serial === undefined || kind === undefined ? { serial: undefined, topic } : { serial, topic: kind };
}

export function commandTopic(serial: string): string {
  return `paygo/v1/${serial}/cmd`;
}

/** The payload's kind by MQTT 5's content type; undefined where it is not told, which is the rule. */
export function readContentType(contentType: string | undefined): "json" | "cbor" | undefined {
  const name = contentType?.split(";")[0]?.trim().toLowerCase().replace("application/", "");
  return name === "json" || name === "cbor" ? name : undefined;
}
