/** Whose the topics of bridges are: Victron portals and Sparkplug groups that the operator named, and nobody else's. */
import { isSerial } from "../../kernel/serial.ts";
import { parseTopic } from "./sparkplug-adapter.ts";

/** The bridges that the operator named. Empty ones are not there. */
export interface Bridges {
  /** Portal ids and the serials that they have here. */
  readonly portals: ReadonlyMap<string, string>;
  readonly groups: ReadonlySet<string>;
}

const PORTALS_MAX = 100_000;
/** Each costs six subscriptions. */
const GROUPS_MAX = 50;
/** One level of a topic, without wildcards. */
const LEVEL = /^[^/+#\s]{1,64}$/;

/** Pairs by commas or lines; what follows a # is a comment. */
function pairsOf(text: string): readonly { readonly pair: string; readonly name: string; readonly value: string }[] {
  return text
    .split("\n")
    .flatMap((line) => line.replace(/#.*/, "").split(","))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      return { pair, name: pair.slice(0, Math.max(0, at)).trim(), value: pair.slice(at + 1).trim() };
    });
}

/** Pairs such as `c0619ab1cd23=LAMP-0001`. Those of `parseInstances` may stand among them. Throws with what would do. */
export function parsePortals(text: string): ReadonlyMap<string, string> {
  const portals = new Map<string, string>();
  for (const { pair, name: portal, value: serial } of pairsOf(text)) {
    if (portal.includes("/")) continue;
    if (!LEVEL.test(portal) || !isSerial(serial))
      throw new Error(`"${pair}" is not a portal id and a serial such as c0619ab1cd23=LAMP-0001.`);
    if (portals.has(portal)) throw new Error(`portal "${portal}" is there twice; name one serial for it.`);
    portals.set(portal, serial);
  }
  if (portals.size === 0 || portals.size > PORTALS_MAX)
    throw new Error(`1 to ${PORTALS_MAX} pairs such as c0619ab1cd23=LAMP-0001 are needed.`);
  return portals;
}

/**
 * Which of several like services counts, as `c0619ab1cd23/solarcharger=279` among the portals: instances by "portal/service". Throws
 * with what would do.
 */
export function parseInstances(text: string): ReadonlyMap<string, string> {
  const instances = new Map<string, string>();
  for (const { pair, name, value } of pairsOf(text)) {
    if (!name.includes("/")) continue;
    if (!/^[^/+#\s]{1,64}\/[a-z]{1,32}$/.test(name) || !/^[0-9]{1,5}$/.test(value))
      throw new Error(`"${pair}" is not a service and its instance such as c0619ab1cd23/solarcharger=279.`);
    if (instances.has(name)) throw new Error(`"${name}" is there twice; name one instance for it.`);
    instances.set(name, value);
  }
  return instances;
}

/** Names of Sparkplug groups by commas. Throws with what would do. */
export function parseGroups(text: string): ReadonlySet<string> {
  const groups = new Set(
    text
      .split(",")
      .map((group) => group.trim())
      .filter((group) => group !== ""),
  );
  for (const group of groups)
    if (!LEVEL.test(group))
      throw new Error(`"${group}" is no group: 1 to 64 characters without spaces, /, + and # are needed.`);
  if (groups.size === 0 || groups.size > GROUPS_MAX) throw new Error(`1 to ${GROUPS_MAX} groups are needed.`);
  return groups;
}

/** What a broker outside is asked for. Steering messages and the state of hosts are none of ours and are left there. */
export function bridgeFilters({ portals, groups }: Bridges): readonly string[] {
  const sparkplug = [...groups].flatMap((group) => [
    ...["NBIRTH", "NDATA", "NDEATH"].map((kind) => `spBv1.0/${group}/${kind}/+`),
    ...["DBIRTH", "DDATA", "DDEATH"].map((kind) => `spBv1.0/${group}/${kind}/+/+`),
  ]);
  return portals.size === 0 ? sparkplug : ["N/#", ...sparkplug];
}

/**
 * The device that alone may tell on a bridge's topic over a connection of its own; undefined for topics that belong to no
 * device. An edge node speaks for itself there, and not for devices behind it: any device could say that it stands before another.
 */
export function bridgeOwner(topic: string, { portals, groups }: Bridges): string | undefined {
  if (topic.startsWith("N/")) return portals.get(topic.slice(2).split("/", 1)[0] ?? "");
  const said = parseTopic(topic);
  return said !== undefined && said.device === undefined && groups.has(said.group) ? said.node : undefined;
}

/** Where an edge node is asked to be born again, after data that nobody can read; undefined where the topic is none of data of a named group. */
export function rebirthTopic(topic: string, { groups }: Bridges): string | undefined {
  const said = parseTopic(topic);
  if (said?.kind === undefined || said.kind === "DEATH" || !groups.has(said.group)) return undefined;
  return `spBv1.0/${said.group}/NCMD/${said.node}`;
}

/** Where the program publishes to edge nodes, as filters. */
export function bridgeCommandFilters({ groups }: Bridges): readonly string[] {
  return [...groups].map((group) => `spBv1.0/${group}/NCMD/+`);
}
