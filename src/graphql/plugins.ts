import type { ApolloServerPlugin } from "@apollo/server";
import { unwrapResolverError } from "@apollo/server/errors";
import {
  getVariableValues,
  GraphQLError,
  Kind,
  OperationTypeNode,
  visit,
  BREAK,
  type DocumentNode,
  type GraphQLFormattedError,
} from "graphql";
import { Refusal } from "../kernel/refusal.ts";
import { sqlStateOf } from "../platform/database.ts";
import { COST_MAX, costOf } from "./cost.ts";
import type { GraphqlContext } from "./context.ts";

type Plugin = ApolloServerPlugin<GraphqlContext>;

/** Codes of errors that are about the request itself; their texts say what the client wrote, and nothing of ours. */
const REQUEST_CODES: readonly unknown[] = [
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "BAD_USER_INPUT",
  "BAD_REQUEST",
  "OPERATION_RESOLUTION_FAILURE",
  "PERSISTED_QUERY_NOT_FOUND",
  "PERSISTED_QUERY_NOT_SUPPORTED",
  "INTROSPECTION_NOT_ALLOWED",
  "COST_LIMIT",
];

/** What PostgreSQL answers to a text with U+0000, which it cannot keep: in a text column, and in JSON. */
const UNSTORABLE_TEXT: readonly unknown[] = ["22021", "22P05"];

/** Refusals outside a union and mistakes of the request keep their words; everything else becomes one generic message. */
export function maskError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  const { path, locations } = formatted;
  const place = { ...(path === undefined ? {} : { path }), ...(locations === undefined ? {} : { locations }) };
  const original = unwrapResolverError(error);
  if (original instanceof Refusal) {
    const { code, message, field } = original;
    return { message, ...place, extensions: { code, ...(field === undefined ? {} : { field }) } };
  }
  if (UNSTORABLE_TEXT.includes(sqlStateOf(original)))
    return {
      message: "A text of this request holds the character U+0000, which cannot be kept. Take it out.",
      ...place,
      extensions: { code: "BAD_USER_INPUT" },
    };
  const code = formatted.extensions?.["code"];
  if (REQUEST_CODES.includes(code)) return { message: formatted.message, ...place, extensions: { code } };
  return {
    message: "Something went wrong on our side. The request id names it in our log.",
    ...place,
    extensions: { code: "INTERNAL" },
  };
}

/** Reports faults with the request they belong to, and puts the request's id beside every error of the answer. */
export function namingFaults(reportFault: (report: { error: unknown; requestId: string }) => void): Plugin {
  return {
    requestDidStart: ({ contextValue: { requestId } }) =>
      Promise.resolve({
        didEncounterErrors: ({ errors }) => {
          for (const error of errors) {
            const masked = maskError({ message: error.message, extensions: { code: error.extensions["code"] } }, error);
            if (masked.extensions?.["code"] === "INTERNAL")
              reportFault({ error: error.originalError ?? error, requestId });
          }
          return Promise.resolve();
        },
        willSendResponse: ({ response: { body } }) => {
          if (body.kind === "single" && body.singleResult.errors !== undefined) {
            body.singleResult.errors = body.singleResult.errors.map((error) => ({
              ...error,
              extensions: { ...error.extensions, requestId },
            }));
          }
          return Promise.resolve();
        },
      }),
  };
}

/** Refuses operations that could fetch more objects than `COST_MAX`. Armor's own rule cannot see `first` in a variable. */
export const limitingCost: Plugin = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ operation, document, schema, request }) => {
        if (operation === undefined) return Promise.resolve();
        const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], { ...request.variables });
        const cost = costOf(operation, { schema, document, variables: coerced.coerced ?? {} });
        if (cost > COST_MAX) {
          throw new GraphQLError(
            `This operation may fetch ${cost} objects; the limit is ${COST_MAX}. Ask for smaller pages.`,
            {
              extensions: { code: "COST_LIMIT", http: { status: 400 } },
            },
          );
        }
        return Promise.resolve();
      },
    }),
};

/** Apollo would execute a subscription as if it were a query, without its stream. */
export const refusingSubscriptions: Plugin = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ operation }) => {
        if (operation?.operation === OperationTypeNode.SUBSCRIPTION)
          throw new GraphQLError("Subscriptions are served as server-sent events at POST /graphql/stream.", {
            extensions: { code: "BAD_REQUEST", http: { status: 400 } },
          });
        return Promise.resolve();
      },
    }),
};

/** In production only signed-in staff may read the schema through the endpoint; anywhere else everybody may. */
export function guardingIntrospection(isProduction: boolean): Plugin {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveOperation: ({ document, contextValue }) => {
          if (isProduction && contextValue.actor === null && asksForSchema(document)) {
            throw new GraphQLError("Sign in to read the schema.", {
              extensions: { code: "INTROSPECTION_NOT_ALLOWED", http: { status: 400 } },
            });
          }
          return Promise.resolve();
        },
      }),
  };
}

function asksForSchema(document: DocumentNode): boolean {
  let asks = false;
  visit(document, {
    [Kind.FIELD]: {
      enter: (field) => {
        if (field.name.value !== "__schema" && field.name.value !== "__type") return undefined;
        asks = true;
        return BREAK;
      },
    },
  });
  return asks;
}
