import {
  getArgumentValues,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type DocumentNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";
import { PAGE_MAX, POINTS_MAX, ROWS_MAX } from "./connections.ts";

/** Objects that one request may make the server fetch: about four full pages of rows with two neighbours each. */
export const COST_MAX = 5_000;
/** What a plain list without a page argument is taken to hold. */
const LIST_ESTIMATE = 10;

/** Arguments that say how many objects come at most. */
const MOST = { first: PAGE_MAX, limit: ROWS_MAX, points: POINTS_MAX } as const;

interface Reading {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly variables: Readonly<Record<string, unknown>>;
  /** What a fragment costs does not depend on where it is spread; without this, nested spreads double the work. */
  readonly fragments: Map<string, number>;
}

/**
 * The number of objects that an operation may fetch: each object counts one, a page multiplies what is in it by its
 * `first`, `limit` or `points` (also when that comes by a variable or by default), any other list by ten. Leaves cost nothing. The document
 * must be valid for the schema; `variables` are as the client sent them.
 */
export function costOf(operation: OperationDefinitionNode, reading: Omit<Reading, "fragments">): number {
  const root = reading.schema.getRootType(operation.operation);
  if (root === undefined || root === null) return 0;
  return costOfSelections(operation.selectionSet, root, { ...reading, fragments: new Map() });
}

function costOfSelections(selections: SelectionSetNode, parent: GraphQLNamedType, reading: Reading): number {
  let total = 0;
  for (const selection of selections.selections) {
    switch (selection.kind) {
      case Kind.FIELD: {
        if (!(isObjectType(parent) || isInterfaceType(parent))) break;
        const field = parent.getFields()[selection.name.value];
        // Introspection is bounded by depth and tokens, and answered from memory.
        if (field === undefined || selection.selectionSet === undefined) break;
        const type = getNamedType(field.type);
        if (!isCompositeType(type)) break;
        const inner = costOfSelections(selection.selectionSet, type, reading);
        total += 1 + sizeOf(field, parent, () => getArgumentValues(field, selection, { ...reading.variables })) * inner;
        break;
      }
      case Kind.INLINE_FRAGMENT: {
        const condition = selection.typeCondition?.name.value;
        const type = condition === undefined ? parent : reading.schema.getType(condition);
        if (type !== undefined) total += costOfSelections(selection.selectionSet, type, reading);
        break;
      }
      case Kind.FRAGMENT_SPREAD:
        total += costOfFragment(selection.name.value, reading);
        break;
    }
  }
  return total;
}

function costOfFragment(name: string, reading: Reading): number {
  const known = reading.fragments.get(name);
  if (known !== undefined) return known;
  const definition = reading.document.definitions.find(
    (candidate) => candidate.kind === Kind.FRAGMENT_DEFINITION && candidate.name.value === name,
  );
  if (definition?.kind !== Kind.FRAGMENT_DEFINITION) return 0;
  const type = reading.schema.getType(definition.typeCondition.name.value);
  const cost = type === undefined ? 0 : costOfSelections(definition.selectionSet, type, reading);
  reading.fragments.set(name, cost);
  return cost;
}

function sizeOf(
  field: GraphQLField<unknown, unknown>,
  parent: GraphQLNamedType,
  readArguments: () => Record<string, unknown>,
): number {
  // A connection's page size is called `first`, that of a plain list `limit`, that of a line `points`.
  const bound = field.args.find(({ name }) => name in MOST);
  if (bound !== undefined) {
    const most = MOST[bound.name as keyof typeof MOST];
    return Math.min(Math.max(readBound(readArguments, bound.name, most), 1), most);
  }
  // The page was counted at the connection's own field, the points at the line's.
  if (field.name === "edges" && parent.name.endsWith("Connection")) return 1;
  if (field.name === "points" && parent.name === "Series") return 1;
  return isList(field.type) ? LIST_ESTIMATE : 1;
}

/** Arguments that do not fit the schema are refused at execution; until then they count as the largest page. */
function readBound(
  readArguments: () => Record<string, unknown>,
  ...[name, most]: [name: string, most: number]
): number {
  try {
    const value = readArguments()[name];
    return typeof value === "number" ? value : most;
  } catch {
    return most;
  }
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}
