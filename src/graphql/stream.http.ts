import type { Request, RequestHandler, Response } from "express";
import {
  createSourceEventStream,
  execute,
  getOperationAST,
  GraphQLError,
  OperationTypeNode,
  parse,
  specifiedRules,
  validate,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  type ValidationRule,
} from "graphql";
import type { Response as StreamResponse } from "graphql-sse";
import { createHandler } from "graphql-sse/lib/use/express";
import { TooMany } from "../kernel/refusal.ts";
import { MINUTE_MS } from "../kernel/time.ts";
import { requireActor, type GraphqlContext } from "./context.ts";
import { COST_MAX, costOf } from "./cost.ts";
import { maskError } from "./plugins.ts";

/** Streams that one person may hold open: a few screens side by side. */
const STREAMS_MAX = 8;
/** Who was signed out learns nothing more after so long. */
const SESSION_CHECK_MS = MINUTE_MS;

interface Streams {
  /** Counts one stream more, or throws `TooMany`; what it answers ends it. */
  open(personId: string, now: Date): () => void;
}

export function makeStreams(most = STREAMS_MAX): Streams {
  const open = new Map<string, number>();
  return {
    open(personId, now) {
      const count = open.get(personId) ?? 0;
      if (count >= most)
        throw new TooMany("Too many streams are open. Close one of them first.", new Date(now.getTime() + MINUTE_MS));
      open.set(personId, count + 1);
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        const left = (open.get(personId) ?? 1) - 1;
        if (left === 0) open.delete(personId);
        else open.set(personId, left);
      };
    },
  };
}

export interface StreamDoor {
  readonly handler: RequestHandler;
  /** Ends the streams whose sessions have ended; runs every minute until `stop`, whether or not anything happens on them. */
  checkSessions(): Promise<void>;
  stop(): void;
}

/**
 * Subscriptions over server-sent events, each on a connection of its own (the protocol's "distinct connections" mode). The
 * rules of depth, aliases and cost are those of the endpoint; queries and mutations belong there and are refused here. A
 * session that ends closes its streams within a minute. Expects a parsed JSON body.
 */
export function makeStreamDoor({
  schema,
  validationRules,
  tokensMax,
  contextOf,
  isSessionAlive,
  reportFault,
  streams = makeStreams(),
}: {
  schema: GraphQLSchema;
  validationRules: readonly ValidationRule[];
  tokensMax: number;
  contextOf(request: Request, response: Response): Promise<GraphqlContext>;
  isSessionAlive(context: GraphqlContext): Promise<boolean>;
  reportFault(report: { error: unknown; requestId: string }): void;
  streams?: Streams;
}): StreamDoor {
  const contexts = new Map<Request, OpenStream>();

  async function isOver(stream: OpenStream): Promise<boolean> {
    stream.checkedAt = stream.context.clock.now().getTime();
    if (await isSessionAlive(stream.context)) return false;
    stream.response.destroy();
    return true;
  }

  async function checkSessions(): Promise<void> {
    for (const stream of contexts.values())
      await isOver(stream).catch((error: unknown) => reportFault({ error, requestId: stream.context.requestId }));
  }

  const prepare = ({ query, operationName, variables }: Asked): Omit<ExecutionArgs, "contextValue"> => {
    const document = parse(query, { maxTokens: tokensMax });
    const errors = validate(schema, document, [...specifiedRules, ...validationRules]);
    if (errors.length > 0) throw new Refused(errors);
    const operation = getOperationAST(document, operationName);
    if (operation?.operation !== OperationTypeNode.SUBSCRIPTION)
      throw new GraphQLError("Only subscriptions are served here; ask queries and mutations at the endpoint itself.");
    const cost = costOf(operation, { schema, document, variables: variables ?? {} });
    if (cost > COST_MAX)
      throw new GraphQLError(`Each event may fetch ${cost} objects; the limit is ${COST_MAX}. Ask for less.`);
    return { schema, document, operationName: operationName ?? null, variableValues: variables ?? null };
  };

  const handler = createHandler<Record<PropertyKey, unknown>>({
    schema,
    // No token, no "single connection" mode: a stream belongs to the request that opened it.
    authenticate: () => null,
    subscribe: subscribeAfresh,
    async onSubscribe({ raw, context: { res } }, { query, operationName, variables }) {
      try {
        const context = await contextOf(raw, res);
        const person = requireActor(context);
        const asked = prepare({ query, operationName: operationName ?? undefined, variables });
        const now = context.clock.now();
        const end = streams.open(person.id, now);
        const leave = (): void => {
          contexts.delete(raw);
          end();
        };
        contexts.set(raw, { context, response: res, leave, checkedAt: now.getTime() });
        res.once("close", leave);
        // Who left while we looked who it is has said so already.
        if (res.closed) leave();
        return { ...asked, contextValue: { ...context } };
      } catch (error) {
        return refusal(error, (fault) => reportFault({ error: fault, requestId: "stream" }));
      }
    },
    async onNext(_context, { raw }, result) {
      const known = contexts.get(raw);
      if (known === undefined) return result;
      const now = known.context.clock.now().getTime();
      if (now - known.checkedAt >= SESSION_CHECK_MS && (await isOver(known))) return { data: null };
      return masked(result as ExecutionResult, (error) => reportFault({ error, requestId: known.context.requestId }));
    },
    onComplete(_context, { raw }) {
      contexts.get(raw)?.leave();
    },
  });
  const timer = setInterval(() => void checkSessions(), SESSION_CHECK_MS);
  timer.unref();
  return {
    handler: async (request, response) => {
      await handler(request, response);
    },
    checkSessions,
    stop: () => clearInterval(timer),
  };
}

interface OpenStream {
  readonly context: GraphqlContext;
  readonly response: Response;
  leave(): void;
  checkedAt: number;
}

/**
 * What `subscribe` of graphql-js does, but each event is executed with a context of its own: what resolvers and loaders remember
 * of a request would otherwise be remembered for as long as the stream lasts, and who may see is asked anew for each event.
 */
async function subscribeAfresh(args: ExecutionArgs): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const events = source[Symbol.asyncIterator]();
  const end = async (): Promise<{ value: undefined; done: true }> => {
    await events.return?.();
    return { value: undefined, done: true };
  };
  // All of a generator's methods: graphql-sse ends nothing else when a client leaves.
  const results: AsyncGenerator<ExecutionResult> = {
    [Symbol.asyncIterator]: () => results,
    [Symbol.asyncDispose]: async () => void (await end()),
    async next() {
      const { value, done } = await events.next();
      if (done === true) return { value: undefined, done };
      const contextValue: unknown = { ...(args.contextValue as object) };
      return { value: await execute({ ...args, rootValue: value, contextValue }), done: false };
    },
    return: end,
    async throw(error) {
      await end();
      throw error;
    },
  };
  return results;
}

interface Asked {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Record<string, unknown> | undefined;
}

/** Several mistakes of one document. */
class Refused extends Error {
  readonly errors: readonly GraphQLError[];
  constructor(errors: readonly GraphQLError[]) {
    super("The document is not valid.");
    this.errors = errors;
  }
}

function refusal(error: unknown, onFault: (error: unknown) => void): StreamResponse {
  const errors = error instanceof Refused ? error.errors : [error];
  const shown = errors.map((one) =>
    one instanceof GraphQLError && one.originalError === undefined
      ? { message: one.message, extensions: { code: "BAD_REQUEST" } }
      : maskError({ message: "" }, one),
  );
  const isFault = shown.some(({ extensions }) => extensions?.["code"] === "INTERNAL");
  if (isFault) onFault(error);
  const status = isFault ? 500 : shown[0]?.extensions?.["code"] === "NOT_SIGNED_IN" ? 401 : 400;
  return [
    JSON.stringify({ errors: shown }),
    { status, statusText: "", headers: { "content-type": "application/json; charset=utf-8" } },
  ];
}

function masked(result: ExecutionResult, onFault: (error: unknown) => void): ExecutionResult {
  if (result.errors === undefined) return result;
  return {
    ...result,
    errors: result.errors.map((error) => {
      const shown = maskError({ message: error.message, extensions: { code: error.extensions["code"] } }, error);
      if (shown.extensions?.["code"] === "INTERNAL") onFault(error.originalError ?? error);
      return new GraphQLError(shown.message, { extensions: shown.extensions });
    }),
  };
}
