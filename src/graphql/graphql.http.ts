import { ApolloServer } from "@apollo/server";
import { ApolloServerPluginLandingPageDisabled } from "@apollo/server/plugin/disabled";
import { expressMiddleware } from "@as-integrations/express5";
import { ApolloArmor } from "@escape.tech/graphql-armor";
import express, { type Request, type Response, type Router } from "express";
import type { ValidationRule } from "graphql";
import type { Clock } from "../kernel/time.ts";
import type { Db } from "../platform/database.ts";
import { bearerToken, type GraphqlContext, type Services } from "./context.ts";
import { makeExplorer } from "./explorer.http.ts";
import { makeFeeds, type Feeds } from "./feeds.ts";
import { guardingIntrospection, limitingCost, maskError, namingFaults, refusingSubscriptions } from "./plugins.ts";
import { buildSchema } from "./schema.ts";
import { makeStreamDoor } from "./stream.http.ts";

/** An import of ten thousand devices fits; everything else is a few kilobytes. */
const BODY_BYTES_MAX = 1_048_576;
/** A subscription is one short document. */
const SUBSCRIPTION_BYTES_MAX = 65_536;
/** A page's largest query has a few hundred words, the explorer's own question about the schema too. */
const TOKENS_MAX = 1_500;
const DEPTH_MAX = 14;
const ALIASES_MAX = 8;
const DIRECTIVES_MAX = 10;

export interface GraphqlDoor {
  /** Mount at `/graphql`: POST is the endpoint, POST `/stream` serves subscriptions, GET `/explorer` is the page. */
  readonly router: Router;
  readonly feeds: Feeds;
  stop(): Promise<void>;
}

/**
 * Builds and starts the GraphQL server. `sourceAddress` and `requestId` come from the HTTP side. Introspection is open
 * outside production; in production it needs a session. Faults go to `reportFault`, never to the client.
 */
export async function makeGraphql({
  services,
  db,
  clock,
  isProduction,
  sourceAddress,
  requestId,
  reportFault,
}: {
  services: Services;
  db: Db;
  clock: Clock;
  isProduction: boolean;
  sourceAddress: (request: Request) => string;
  requestId: (response: Response) => string;
  reportFault: (report: { error: unknown; requestId: string }) => void;
}): Promise<GraphqlDoor> {
  const armor = new ApolloArmor({
    maxDepth: { enabled: true, n: DEPTH_MAX, ignoreIntrospection: true },
    maxAliases: { enabled: true, n: ALIASES_MAX },
    maxDirectives: { enabled: true, n: DIRECTIVES_MAX },
    blockFieldSuggestion: { enabled: true },
    // Both are ours: cost by real page sizes (see `limitingCost`), tokens by the parser itself.
    costLimit: { enabled: false },
    maxTokens: { enabled: false },
  }).protect();
  const schema = buildSchema();
  const feeds = makeFeeds({
    subscribe: services.alerts.subscribe,
    db,
    clock,
    onFault: (error) => reportFault({ error, requestId: "feeds" }),
  });
  const server = new ApolloServer<GraphqlContext>({
    schema,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    includeStacktraceInErrorResponses: false,
    introspection: true,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    nodeEnv: isProduction ? "production" : "development",
    parseOptions: { maxTokens: TOKENS_MAX },
    validationRules: armor.validationRules,
    plugins: [
      ...(armor.plugins as []),
      ApolloServerPluginLandingPageDisabled(),
      guardingIntrospection(isProduction),
      refusingSubscriptions,
      limitingCost,
      namingFaults(reportFault),
    ],
    formatError: maskError,
  });
  await server.start();

  async function contextOf(request: Request, response: Response): Promise<GraphqlContext> {
    const sessionToken = bearerToken(request.get("authorization"));
    const id = requestId(response);
    const actor = sessionToken === null ? undefined : await services.access.findActor(sessionToken);
    const source = sourceAddress(request);
    return { actor: actor ?? null, sessionToken, sourceAddress: source, requestId: id, services, feeds, db, clock };
  }

  const streams = makeStreamDoor({
    schema,
    validationRules: armor.validationRules as readonly ValidationRule[],
    tokensMax: TOKENS_MAX,
    contextOf,
    isSessionAlive: async ({ sessionToken }) =>
      sessionToken !== null && (await services.access.findActor(sessionToken)) !== undefined,
    reportFault,
  });
  const router = express.Router();
  router.use("/explorer", makeExplorer({ endpoint: "/graphql", place: "/graphql/explorer" }));
  router.post("/stream", express.json({ limit: SUBSCRIPTION_BYTES_MAX, strict: true }), streams.handler);
  router.post(
    "/",
    express.json({ limit: BODY_BYTES_MAX, strict: true }),
    expressMiddleware(server, {
      context: async ({ req, res }) => {
        try {
          return await contextOf(req, res);
        } catch (error) {
          // No plugin hears of this one: without a context no request begins.
          reportFault({ error, requestId: requestId(res) });
          throw error;
        }
      },
    }),
  );
  return {
    router,
    feeds,
    async stop() {
      streams.stop();
      await feeds.stop();
      await server.stop();
    },
  };
}
