import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody, startLocalServer } from "../local-server.ts";
import { makeReporter, type ReportPlan } from "./delivery-reports.ts";

/** An SMS that the simulated network has taken. */
export interface SimulatedSms {
  readonly id: string;
  readonly to: string;
  readonly from: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
}

/**
 * What can go wrong with one request: the recipient is refused (with the provider's code 403), the service fails before
 * doing anything (HTTP 500), or it takes the message and its answer never comes.
 */
export type SmsFault = "refuse_recipient" | "http_500" | "silent_after_accepting";

export interface SmsGatewaySimulator {
  readonly url: string;
  /** Oldest first; of one phone where a number is given. */
  messages(number?: string): readonly SimulatedSms[];
  /** How many sending requests came, whatever became of them. */
  readonly requests: number;
  /** How many requests were given up by the caller while the simulator kept silent. */
  readonly givenUp: number;
  /** The next requests meet these, in this order, before any chance is asked. */
  failNext(...faults: SmsFault[]): void;
  /** Where delivery reports go from now on; undefined sends none. */
  reportTo(url: string | undefined): void;
  /** Resolves when every report due so far was delivered or given up. */
  reportsSettled(): Promise<void>;
  stop(): Promise<void>;
}

const BODY_BYTES_MAX = 65_536;
const COST = "KES 0.8000";

/** Small, fast and repeatable: the same seed gives the same faults (mulberry32, public domain). */
export function makeChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * The provider's side of Africa's Talking's SMS endpoint (`POST /version1/messaging`: form in, JSON out, key in the
 * `apiKey` header), with a memory that a simulated phone reads under `GET /simulator/messages?number=…`. Faults come by
 * `failNext`, or by chance with the given shares (0 to 1) and seed.
 */
export async function startSmsGateway({
  port = 0,
  apiKey = "simulator",
  reportUrl,
  reportPlan = ["Sent", "Success"],
  seed = 1,
  shares = {},
}: {
  port?: number;
  apiKey?: string;
  reportUrl?: string;
  reportPlan?: ReportPlan;
  seed?: number;
  shares?: Partial<Record<SmsFault, number>>;
} = {}): Promise<SmsGatewaySimulator> {
  const chance = makeChance(seed);
  const sent: SimulatedSms[] = [];
  const planned: SmsFault[] = [];
  const reporter = makeReporter({ url: reportUrl, plan: reportPlan, chance });
  let requests = 0;
  let givenUp = 0;

  function nextFault(): SmsFault | undefined {
    const known = planned.shift();
    if (known !== undefined) return known;
    let drawn = chance();
    for (const fault of ["refuse_recipient", "http_500", "silent_after_accepting"] as const) {
      drawn -= shares[fault] ?? 0;
      if (drawn < 0) return fault;
    }
    return undefined;
  }

  function accept(to: string, form: URLSearchParams): object {
    const id = `ATXid_${(sent.length + 1).toString(16).padStart(8, "0")}${Math.floor(chance() * 2 ** 32).toString(16)}`;
    const message = { id, to, from: form.get("from") ?? "AFRICASTKNG", text: form.get("message") ?? "" };
    sent.push({ ...message, at: new Date().toISOString() });
    reporter.report(id, to);
    return { statusCode: 101, number: to, status: "Success", cost: COST, messageId: id };
  }

  async function takeMessages(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests++;
    const form = new URLSearchParams(await readBody(request, BODY_BYTES_MAX));
    if (request.headers["apikey"] !== apiKey) return answer(response, 401, "The supplied authentication is invalid");
    const numbers = (form.get("to") ?? "").split(",").filter((number) => number !== "");
    if (!form.has("username") || !form.get("message") || numbers.length === 0) {
      return answer(response, 400, "Request is missing required form field");
    }
    const fault = nextFault();
    if (fault === "http_500") return answer(response, 500, "Internal Server Error");
    const recipients = numbers.map((number) =>
      fault === "refuse_recipient" || !/^\+[1-9]\d{6,14}$/.test(number)
        ? { statusCode: 403, number, status: "InvalidPhoneNumber", cost: "0", messageId: "None" }
        : accept(number, form),
    );
    if (fault === "silent_after_accepting") {
      response.once("close", () => givenUp++);
      return;
    }
    const taken = recipients.filter((recipient) => "messageId" in recipient && recipient.messageId !== "None").length;
    const remark = `Sent to ${String(taken)}/${String(numbers.length)} Total Cost: ${taken === 0 ? "0" : COST}`;
    answer(response, 201, JSON.stringify({ SMSMessageData: { Message: remark, Recipients: recipients } }));
  }

  const messages = (number?: string): readonly SimulatedSms[] =>
    number === undefined ? [...sent] : sent.filter(({ to }) => to === number);

  const server = await startLocalServer({
    port,
    serve: (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://simulator");
      if (request.method === "POST" && pathname === "/version1/messaging") {
        takeMessages(request, response).catch((error: unknown) => answer(response, 400, String(error)));
      } else if (request.method === "GET" && pathname === "/simulator/messages") {
        answer(response, 200, JSON.stringify(messages(searchParams.get("number") ?? undefined)));
      } else answer(response, 404, "Not found");
    },
  });

  return {
    url: server.url,
    messages,
    get requests() {
      return requests;
    },
    get givenUp() {
      return givenUp;
    },
    failNext: (...faults) => void planned.push(...faults),
    reportTo: reporter.reportTo,
    reportsSettled: reporter.settled,
    async stop() {
      await server.stop();
      await reporter.stop();
    },
  };
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    "content-type": body.startsWith("{") || body.startsWith("[") ? "application/json" : "text/plain",
  });
  response.end(body);
}
