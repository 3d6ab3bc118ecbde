/** The member `data`: what the device says of itself now, and what it measures now. */
import { putExtra, putValue, show } from "../frames/reading.ts";
import type { RowSink } from "../frames/reading.ts";
import { findStandingName, putStanding } from "../frames/standing.ts";
import type { StandingDraft } from "../frames/standing.ts";
import { findPlainTarget } from "../frames/variables.ts";
import type { DataFormat } from "./data-format.ts";
import type { VariableList } from "./envelope.ts";
import { longVariableName } from "./names.ts";
import { isPosition } from "./rows.ts";

/** Where the values of `data` go: the standing, or the row of this moment. */
export interface DataSinks {
  readonly row: RowSink;
  readonly draft: StandingDraft;
}

/** Reads `data` into its sinks. Answers what is wrong with it, or nothing. */
export function putData(sinks: DataSinks, data: VariableList, format: DataFormat | undefined): string | undefined {
  if (Array.isArray(data)) {
    const order = format?.dataOrder;
    if (order === undefined) {
      // An empty list says nothing, so nothing need say what it means.
      return data.length === 0
        ? undefined
        : "it is a list, and no data format with a data_order says what its positions mean";
    }
    if (data.length > order.length) {
      return `it has ${data.length} values, but the data format's data_order names ${order.length}`;
    }
    for (let at = 0; at < data.length; at++) {
      const wrong = putVariable(sinks, { name: order[at] ?? "", value: data[at] as unknown, format });
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  const named = data as Readonly<Record<string, unknown>>;
  for (const key in named) {
    const name = isPosition(key) ? format?.dataOrder?.[Number(key)] : longVariableName(key);
    if (name === undefined) return `it has a value at position ${show(key)}, which no data_order names`;
    const wrong = putVariable(sinks, { name, value: named[key], format });
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function putVariable(
  { row, draft }: DataSinks,
  { name, value, format }: { name: string; value: unknown; format: DataFormat | undefined },
): string | undefined {
  const standing = findStandingName(name);
  if (standing !== undefined) return putStanding(draft, standing, value);
  const target = format?.targets.get(name) ?? findPlainTarget(name);
  if (target?.kind === "place") return putStanding(draft, "place", value);
  return target === undefined ? putExtra(row, name, value) : putValue(row, target, value);
}
