import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from "express";
import { Histogram, Registry } from "prom-client";
import { NotFound, Refusal, TooMany } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import { sourceAddressOf } from "./source-address.ts";

export { sourceAddressOf } from "./source-address.ts";

/** What is told about a fault to whoever reads the log. The route is its pattern: a real path may hold a secret. */
export interface FaultReport {
  readonly error: unknown;
  readonly requestId: string;
  readonly method: string;
  readonly route: string;
}

export interface Http {
  readonly app: Express;
  /** Where doors are mounted; what they do not answer gets a 404 and what they throw the one error handler. */
  readonly routes: Router;
  /** Where the request comes from, the configured number of trusted proxies taken into account. */
  sourceAddress(request: Request): string;
  /** The id that the answer carries in X-Request-Id. */
  requestId(response: Response): string;
  /** Gives this request longer than the usual half minute to come in, at most an hour; for who may send large files. */
  allowSlow(request: Request, timeoutMs: number): void;
  /** Resolves with the port when connections are taken; rejects with Node's own error, such as EADDRINUSE. */
  listen(place: { port: number; host: string }): Promise<{ port: number }>;
  /** Takes no new connection, waits for running requests at most `graceMs`, then cuts them. */
  close(): Promise<void>;
}

const RECEIVING_TIMEOUT_MS = 30_000;
/** Node has one limit for all requests; ours above is for each, and this only bounds what a door may ask for. */
const RECEIVING_TIMEOUT_MAX_MS = 3_600_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the idle time of common balancers (60 s), so that they and not we end a kept connection. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const CHECK_TIMEOUT_MS = 2_000;

/**
 * Builds the HTTP side: request id, security headers, health, metrics and one error handler. Doors bring their own body
 * parsers with their own limits. `checks` are what `/readyz` asks; each must answer within two seconds.
 */
export function makeHttp({
  trustedProxyHops,
  clock,
  checks = {},
  registry = new Registry(),
  reportFault = () => undefined,
  graceMs = 10_000,
  receivingTimeoutMs = RECEIVING_TIMEOUT_MS,
}: {
  trustedProxyHops: number;
  clock: Clock;
  checks?: Readonly<Record<string, () => Promise<unknown>>>;
  registry?: Registry;
  reportFault?: (report: FaultReport) => void;
  graceMs?: number;
  /** A request that has not come in whole by then is answered 408 and its connection ended. */
  receivingTimeoutMs?: number;
}): Http {
  const app = express();
  const routes = express.Router();
  let server: Server | undefined;
  let closing = false;
  const receiving = makeReceivingLimit(receivingTimeoutMs);

  app.disable("x-powered-by");
  app.disable("etag");
  // Query strings are read as plain names and texts; the nested kind is a way to send objects where texts are expected.
  app.set("query parser", "simple");
  app.use(identify, secure, measure(registry), receiving.handler);
  // A connection that was busy when closing began is kept alive by its client; it ends with its answer.
  app.use((_request, response, next) => {
    response.once("close", () => {
      if (closing) setImmediate(() => server?.closeIdleConnections());
    });
    next();
  });
  app.get("/healthz", (_request, response) => {
    response.json({ status: "alive" });
  });
  app.get("/readyz", async (_request, response) => {
    const results = Object.fromEntries(
      await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await passes(check)])),
    );
    const ready = !closing && Object.values(results).every((result) => result === "ok");
    response
      .status(ready ? 200 : 503)
      .json({ status: closing ? "closing" : ready ? "ready" : "not ready", checks: results });
  });
  app.get("/metrics", async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });
  app.use(routes);
  app.use(() => {
    throw new NotFound("page");
  });
  app.use(answerErrors(clock, reportFault));

  return {
    app,
    routes,
    sourceAddress: (request) =>
      sourceAddressOf({
        remoteAddress: request.socket.remoteAddress,
        forwardedFor: request.get("x-forwarded-for"),
        trustedProxyHops,
      }),
    requestId: requestIdOf,
    allowSlow: receiving.allowSlow,
    async listen({ port, host }) {
      const starting = createServer(
        {
          requestTimeout: RECEIVING_TIMEOUT_MAX_MS,
          headersTimeout: HEADERS_TIMEOUT_MS,
          keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        },
        app,
      );
      await new Promise<void>((resolve, reject) => {
        starting.once("error", reject);
        starting.listen({ port, host }, () => {
          starting.off("error", reject);
          resolve();
        });
      });
      server = starting;
      const address = starting.address();
      return { port: typeof address === "object" && address !== null ? address.port : port };
    },
    async close() {
      closing = true;
      const running = server;
      if (running === undefined) return;
      const cut = setTimeout(() => running.closeAllConnections(), graceMs);
      await new Promise<void>((resolve) => {
        running.close(() => resolve());
        running.closeIdleConnections();
      });
      clearTimeout(cut);
    },
  };
}

function requestIdOf(response: Response): string {
  return String(response.locals["requestId"]);
}

/** The id is always ours: one taken from the sender could forge lines of a log. */
const identify: RequestHandler = (_request, response, next) => {
  const requestId = randomUUID();
  response.locals["requestId"] = requestId;
  response.setHeader("X-Request-Id", requestId);
  next();
};

/** Strict for JSON answers; a door that serves pages sets its own Content-Security-Policy and Cache-Control. */
const secure: RequestHandler = (_request, response, next) => {
  response.setHeader("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("X-Frame-Options", "DENY");
  response.setHeader("Referrer-Policy", "no-referrer");
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  response.setHeader("Cache-Control", "no-store");
  next();
};

/** Ends requests whose body does not come in time, so that slow senders cannot use up connections. */
function makeReceivingLimit(timeoutMs: number): { handler: RequestHandler; allowSlow: Http["allowSlow"] } {
  const timers = new WeakMap<Request, NodeJS.Timeout>();
  const arm = (request: Request, response: Response, millis: number): void => {
    const timer = setTimeout(() => {
      if (request.complete) return;
      if (response.headersSent) request.socket.destroy();
      else
        response
          .status(408)
          .set("Connection", "close")
          .json({
            error: {
              code: "REQUEST_TIMEOUT",
              message: "The request took too long to come in.",
              requestId: requestIdOf(response),
            },
          });
    }, millis);
    timers.set(request, timer);
  };
  return {
    handler: (request, response, next) => {
      const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
      if (encoding !== undefined || length !== "0") {
        arm(request, response, timeoutMs);
        // Not when the answer is out: what a door did not read still comes in, and must end too.
        request.once("close", () => clearTimeout(timers.get(request)));
      }
      next();
    },
    allowSlow: (request, millis) => {
      if (request.res === undefined || !timers.has(request)) return;
      clearTimeout(timers.get(request));
      arm(request, request.res, Math.min(millis, RECEIVING_TIMEOUT_MAX_MS));
    },
  };
}

function measure(registry: Registry): RequestHandler {
  const seconds = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from the first byte of a request's head to the last of its answer.",
    labelNames: ["method", "route", "status"] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return (request, response, next) => {
    const end = seconds.startTimer();
    response.once("close", () => {
      end({ method: request.method, route: routeOf(request), status: String(response.statusCode) });
    });
    next();
  };
}

/** The pattern that answered, such as "/webhooks/:secret/confirmation": few values, and no secret among them. */
function routeOf(request: Request): string {
  const route: unknown = request.route;
  if (typeof route !== "object" || route === null || !("path" in route) || typeof route.path !== "string")
    return "unmatched";
  return route.path;
}

async function passes(check: () => Promise<unknown>): Promise<"ok" | "failed" | "timed out"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"timed out">((resolve) => {
    timer = setTimeout(() => resolve("timed out"), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([
      check().then(
        () => "ok" as const,
        () => "failed" as const,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function answerErrors(clock: Clock, reportFault: (report: FaultReport) => void): ErrorRequestHandler {
  // Express tells an error handler from others by its four parameters.
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const requestId = requestIdOf(response);
    if (error instanceof Refusal) {
      if (error instanceof TooMany) {
        const seconds = Math.ceil((error.retryAt.getTime() - clock.now().getTime()) / 1000);
        response.setHeader("Retry-After", String(Math.max(1, seconds)));
      }
      const { code, message, field } = error;
      response
        .status(statusOf(error))
        .json({ error: { code, message, ...(field === undefined ? {} : { field }), requestId } });
      return;
    }
    const parsing = parsingFailure(error);
    if (parsing !== undefined) {
      response.status(parsing.status).json({ error: { code: parsing.code, message: parsing.message, requestId } });
      return;
    }
    reportFault({ error, requestId, method: request.method, route: routeOf(request) });
    response.status(500).json({
      error: {
        code: "INTERNAL",
        message: "Something went wrong on our side. The request id names it in our log.",
        requestId,
      },
    });
  };
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  NOT_FOUND: 404,
  NOT_SIGNED_IN: 401,
  WRONG_CREDENTIALS: 401,
  FORBIDDEN: 403,
  CLAIM_REFUSED: 403,
  NOT_ALLOWED_NOW: 409,
  IDEMPOTENCY_CONFLICT: 409,
  TOO_MANY_REQUESTS: 429,
};

function statusOf(refusal: Refusal): number {
  return STATUS_BY_CODE[refusal.code] ?? 400;
}

/** What a body parser or the router refuses: too large, malformed, wrong encoding. Their texts may quote the body, ours do not. */
function parsingFailure(error: unknown): { status: number; code: string; message: string } | undefined {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return undefined;
  if (error.status < 400 || error.status > 499) return undefined;
  switch (error.status) {
    case 413:
      return { status: 413, code: "BODY_TOO_LARGE", message: "The body is larger than this address takes." };
    case 415:
      return { status: 415, code: "UNSUPPORTED_ENCODING", message: "The body's encoding is not supported." };
    default:
      return { status: error.status, code: "MALFORMED_REQUEST", message: "The request could not be read." };
  }
}
