/** Data formats of OpenPAYGO Metrics: what the positions of lists mean, and how variables are measured. */
import { z } from "zod";
import { isStorable, nameFault } from "../frames/reading.ts";
import { findPlainTarget, targetOf } from "../frames/variables.ts";
import type { Target, VariableFacts } from "../frames/variables.ts";
import { longVariableName } from "./names.ts";

/** A data format, checked and made ready for reading rows. */
export interface DataFormat {
  /** Names of `data` by position, in their long spelling. */
  readonly dataOrder: readonly string[] | undefined;
  readonly rowOrder: readonly string[] | undefined;
  /** Seconds from one row to the next; below zero when the newest comes first. */
  readonly intervalSeconds: number | undefined;
  /** Where each position of a row goes. */
  readonly rowTargets: readonly Target[];
  /** Where each described variable goes. */
  readonly targets: ReadonlyMap<string, Target>;
}

export type DataFormatAnswer =
  | {
      readonly ok: true;
      readonly format: DataFormat;
      /** What was understood of it, and nothing else: this is what is kept. */
      readonly document: Readonly<Record<string, unknown>>;
    }
  | { readonly ok: false; readonly detail: string };

/** Far more than any device has variables. */
const ORDER_MAX = 256;
const VARIABLES_MAX = 512;
const TEXT_MAX = 1_000;
const INTERVAL_SECONDS_MAX = 31 * 86_400;

const variableName = z.string().superRefine((name, context) => {
  const wrong =
    nameFault(name) ??
    (/^\d+$/.test(name) ? "has a variable named by a number, which would read as a position" : undefined);
  if (wrong !== undefined) context.addIssue({ code: "custom", message: wrong });
});

/** The specification's table says object, `{"1": "token_count"}`, its examples and programs use lists. Both are read. */
const order = z.preprocess(listOf, z.array(variableName).max(ORDER_MAX));

/** What describes a variable is kept, so it must be what PostgreSQL can keep. */
const text = (charactersMax: number): z.ZodType<string> =>
  z.string().max(charactersMax).refine(isStorable, "holds a NUL or half a character pair, which cannot be kept");

const variable = z.object({
  name: text(TEXT_MAX).optional(),
  type: z.enum(["text", "integer", "float", "bool", "gps"]).optional(),
  unit: text(64).optional(),
  description: text(TEXT_MAX).optional(),
  scale_factor: z
    .number()
    .refine((factor) => factor !== 0, "is 0, which would make every value 0")
    .optional(),
  aggregation_method: z.enum(["average", "latest", "sum", "min", "max"]).optional(),
});

const document = z.object({
  data_order: order.nullish(),
  historical_data_order: order.nullish(),
  historical_data_interval: z.int().min(-INTERVAL_SECONDS_MAX).max(INTERVAL_SECONDS_MAX).nullish(),
  variables: z
    .record(variableName, variable)
    .refine((variables) => Object.keys(variables).length <= VARIABLES_MAX, `names more than ${VARIABLES_MAX} variables`)
    .nullish(),
});

/** Checks a data format and makes it ready. The detail names the member that is wrong and what would be right. */
export function parseDataFormat(given: unknown): DataFormatAnswer {
  const parsed = document.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? "the document" : issue.path.join(".");
    return { ok: false, detail: `The data format is not valid: ${where}: ${issue?.message ?? "unreadable"}.` };
  }
  const { data_order, historical_data_order, historical_data_interval, variables } = parsed.data;
  const targets = new Map<string, Target>();
  for (const [name, said] of Object.entries(variables ?? {})) {
    const answer = targetOf(longVariableName(name), factsOf(said));
    if (!answer.ok) return { ok: false, detail: answer.detail };
    targets.set(longVariableName(name), answer.target);
  }
  const dataOrder = data_order?.map(longVariableName);
  const rowOrder = historical_data_order?.map(longVariableName);
  for (const names of [dataOrder, rowOrder]) {
    const twice = names?.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined)
      return { ok: false, detail: `The data format is not valid: ${twice} stands twice in an order.` };
  }
  return {
    ok: true,
    document: parsed.data,
    format: {
      dataOrder,
      rowOrder,
      intervalSeconds: historical_data_interval ?? undefined,
      rowTargets: (rowOrder ?? []).map((name) => targets.get(name) ?? findPlainTarget(name) ?? extraTarget(name)),
      targets,
    },
  };
}

/** Where a variable goes that no format describes and that is no quantity: it is kept by its name. */
export function extraTarget(name: string): Target {
  return {
    name,
    kind: "extra",
    slot: -1,
    factor: 1,
    offset: 0,
    low: -Infinity,
    high: Infinity,
    unit: "",
    whole: false,
  };
}

function factsOf(said: z.infer<typeof variable>): VariableFacts {
  return {
    unit: said.unit,
    scaleFactor: said.scale_factor,
    type: said.type,
    isSummed: said.aggregation_method === "sum",
  };
}

/** The names of an order by position as a list. Positions count from 0, or from 1 where no 0 is there. */
function listOf(given: unknown, context: z.RefinementCtx): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const named = given as Readonly<Record<string, unknown>>;
  const first = Object.hasOwn(named, "0") ? 0 : 1;
  const size = Math.min(Object.keys(named).length, ORDER_MAX + 1);
  const list: unknown[] = [];
  for (let at = first; at < first + size; at++) {
    if (!Object.hasOwn(named, String(at))) {
      context.addIssue({ code: "custom", message: `has ${size} names, but none at position ${at}` });
      return z.NEVER;
    }
    list.push(named[String(at)]);
  }
  return list;
}
