/** What birth certificates said: names, types and units of metrics, and the short numbers that stand for the names after. */
import { nameFault } from "./reading.ts";
import type { SparkplugMetric } from "./sparkplug-payload.ts";
import { findStandingName } from "./standing.ts";
import type { StandingName } from "./standing.ts";
import { targetOf } from "./variables.ts";
import type { Target } from "./variables.ts";

/** What one metric is, as its birth certificate describes it. */
export interface MetricDefinition {
  readonly standing: StandingName | undefined;
  readonly target: Target;
  readonly datatype: number | undefined;
}

/** What is known of an edge node. Never changed: a birth makes a new one. */
export interface EdgeBirth {
  readonly byAlias: ReadonlyMap<number, MetricDefinition>;
  /** Device ids whose birth was seen since the node's own. */
  readonly devices: ReadonlySet<string>;
  /** Which of the node's sessions it was born in: its death certificate names the same. Undefined where the birth did not say. */
  readonly session: number | undefined;
}

/**
 * Where births are kept between frames. The adapter reads and writes nothing else, so what a frame means follows from its
 * bytes and from this alone; after a restart it is empty, and nodes are asked for a rebirth.
 */
export interface Births {
  /** `edge` is "group/node". */
  find(edge: string): EdgeBirth | undefined;
  put(edge: string, birth: EdgeBirth): void;
}

/** Births in memory. Past `edgesMax` the one that was told longest ago is forgotten, and asked for again. */
export function makeBirths({ edgesMax }: { edgesMax: number }): Births {
  const byEdge = new Map<string, EdgeBirth>();
  return {
    find: (edge) => byEdge.get(edge),
    put(edge, birth) {
      byEdge.delete(edge);
      byEdge.set(edge, birth);
      const [oldest] = byEdge.keys();
      if (byEdge.size > edgesMax && oldest !== undefined) byEdge.delete(oldest);
    },
  };
}

const EMPTY: EdgeBirth = { byAlias: new Map(), devices: new Set(), session: undefined };
/** Aliases of one edge node with all its devices. */
const ALIASES_MAX = 50_000;

export type BirthAnswer =
  { readonly ok: true; readonly birth: EdgeBirth } | { readonly ok: false; readonly detail: string };

/**
 * The edge's births after one more certificate. `before` is what was known: undefined for a node's own certificate, with
 * which everything begins anew. `device` is undefined for the node itself.
 */
export function bear(
  metrics: readonly SparkplugMetric[],
  { before = EMPTY, device }: { before: EdgeBirth | undefined; device: string | undefined },
): BirthAnswer {
  const byAlias = new Map(before.byAlias);
  for (const { name, alias, datatype, unit } of metrics) {
    if (name === undefined) return { ok: false, detail: "A metric of the birth certificate has no name." };
    const answer = defineMetric(name, { datatype, unit });
    if (!answer.ok) return answer;
    if (alias !== undefined) byAlias.set(alias, answer.definition);
  }
  if (byAlias.size > ALIASES_MAX) return { ok: false, detail: `The node has more than ${ALIASES_MAX} aliases.` };
  const devices = device === undefined ? before.devices : new Set(before.devices).add(device);
  const session = device === undefined ? sessionOf(metrics) : before.session;
  return { ok: true, birth: { byAlias, devices, session } };
}

/** Sparkplug's `bdSeq`: a node's births and the death that it left with the broker at the same connection have the same. */
export function sessionOf(metrics: readonly SparkplugMetric[]): number | undefined {
  const value = metrics.find(({ name }) => name === "bdSeq")?.value;
  return typeof value === "number" ? value : undefined;
}

export type DefinitionAnswer =
  { readonly ok: true; readonly definition: MetricDefinition } | { readonly ok: false; readonly detail: string };

/** What a metric is by its name: "Battery/Voltage" is battery_voltage. */
export function defineMetric(
  name: string,
  { datatype, unit }: { datatype: number | undefined; unit: string | undefined },
): DefinitionAnswer {
  const variable = name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "_")
    .replace(/^_|_$/g, "");
  const wrong = nameFault(variable);
  if (wrong !== undefined) return { ok: false, detail: `A metric ${wrong}.` };
  const answer = targetOf(variable, { unit, scaleFactor: undefined, type: undefined, isSummed: false });
  if (!answer.ok) return answer;
  return { ok: true, definition: { standing: findStandingName(variable), target: answer.target, datatype } };
}
