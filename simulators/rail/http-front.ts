import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody, startLocalServer } from "../local-server.ts";
import type { Chance } from "./chance.ts";
import type { Face, FaceReply, FaceRequest } from "./face.ts";
import type { FaultBox } from "./faults.ts";

/** The one server behind which all providers are, each under its channel's name. */
export interface HttpFront {
  readonly url: string;
  /** From now on this channel answers. */
  open(channel: string, behind: { face: Face; faults: FaultBox; chance: Chance }): void;
  /** Connections that are open, also those that nobody will ever answer. */
  readonly openSockets: number;
  /** Requests that the caller gave up while the simulator kept silent. */
  readonly givenUp: number;
  stop(): Promise<void>;
}

/** In this order; the first that strikes is the one that happens. */
const REQUEST_FAULTS = [
  "too_many_requests",
  "fail_before_acting",
  "half_open",
  "fail_after_acting",
  "silent_after_acting",
  "cut_off",
] as const;
type RequestFault = (typeof REQUEST_FAULTS)[number];

const BODY_BYTES_MAX = 1_048_576;
/** Every provider's token address has one of these words in it. */
const LOGIN_PATH = /oauth|token|authenticate/i;
const LOGIN_METHODS = ["GET", "POST"];

/**
 * Listens on the loopback interface alone. `slowLoginMs` is real time, whatever the clock: it must meet the caller's
 * own time limit. A face that throws is a bug of the simulator: it is told to `onTrouble` and answered 500.
 */
export async function startHttpFront({
  port,
  slowLoginMs,
  onTrouble,
}: {
  port: number;
  slowLoginMs: number;
  onTrouble: (trouble: unknown) => void;
}): Promise<HttpFront> {
  const channels = new Map<string, { face: Face; faults: FaultBox; chance: Chance }>();
  const timers = new Set<NodeJS.Timeout>();
  let givenUp = 0;

  function drawFault({ faults, chance }: { faults: FaultBox; chance: Chance }): RequestFault | undefined {
    // Drawn before anything is asked: the share of one fault does not change the luck of the others.
    const draws = REQUEST_FAULTS.map((kind) => ({ kind, draw: chance() }));
    return draws.find(({ kind, draw }) => faults.happens(kind, () => draw))?.kind;
  }

  function keepSilent(response: ServerResponse): void {
    response.once("close", () => givenUp++);
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", "http://simulator");
    const [, name = "", rest = "/"] = /^\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
    const body = await readBody(incoming, BODY_BYTES_MAX);
    const channel = channels.get(name);
    if (channel === undefined) return write(response, { status: 404, body: `There is no channel "${name}" here.` });
    const request = { method: incoming.method ?? "GET", path: rest, query: url.searchParams, body } as const;
    const whole: FaceRequest = { ...request, headers: plainHeaders(incoming) };
    const { face, faults, chance } = channel;
    if (isLogin(whole) && faults.happens("slow_login", chance)) await pause(slowLoginMs);
    const fault = drawFault(channel);
    switch (fault) {
      case "too_many_requests":
        return write(response, { status: 429, body: "Too many requests", headers: { "retry-after": "1" } });
      case "fail_before_acting":
        return write(response, { status: 500, body: "Internal Server Error" });
      case "half_open":
        return keepSilent(response);
      case "fail_after_acting":
        face.handle(whole);
        return write(response, chance() < 0.5 ? { status: 500, body: "Internal Server Error" } : GATEWAY_TIMEOUT);
      case "silent_after_acting":
        face.handle(whole);
        return keepSilent(response);
      case "cut_off":
        return writeHalf(response, face.handle(whole));
      case undefined:
        return write(response, face.handle(whole));
    }
  }

  function pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        resolve();
      }, waitMs);
      timers.add(timer);
    });
  }

  const server = await startLocalServer({
    port,
    serve: (incoming, response) => {
      serve(incoming, response).catch((trouble: unknown) => {
        // A caller who hangs up in the middle of a request is no trouble of ours.
        if (incoming.destroyed && !incoming.complete) return;
        onTrouble(trouble);
        if (!response.headersSent) write(response, { status: 500, body: "The simulator has a bug." });
      });
    },
  });

  return {
    url: server.url,
    open: (channel, behind) => void channels.set(channel, behind),
    get openSockets() {
      return server.openSockets;
    },
    get givenUp() {
      return givenUp;
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      await server.stop();
    },
  };
}

/** What stands before a provider's servers speaks for itself, in its own words. */
const GATEWAY_TIMEOUT: FaceReply = {
  status: 504,
  body: "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>",
  headers: { "content-type": "text/html" },
};

const isLogin = ({ method, path }: FaceRequest): boolean => LOGIN_METHODS.includes(method) && LOGIN_PATH.test(path);

function plainHeaders(incoming: IncomingMessage): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

function textOf({ body }: FaceReply): string {
  if (body === undefined) return "";
  return typeof body === "string" ? body : JSON.stringify(body);
}

function headersOf(reply: FaceReply, text: string): Record<string, string | number> {
  const type = typeof reply.body === "object" ? "application/json" : "text/plain";
  return { "content-type": type, "content-length": Buffer.byteLength(text), ...reply.headers };
}

function write(response: ServerResponse, reply: FaceReply): void {
  const text = textOf(reply);
  response.writeHead(reply.status, headersOf(reply, text));
  response.end(text);
}

/** Promises the whole answer, sends half of it and hangs up. */
function writeHalf(response: ServerResponse, reply: FaceReply): void {
  const text = textOf(reply).padEnd(2);
  response.writeHead(reply.status, headersOf(reply, text));
  const bytes = Buffer.from(text);
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
}
