import { makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import {
  NoAnswer,
  NotSent,
  type OutboundHttp,
  type OutboundRequest,
  type OutboundResponse,
} from "../../../src/platform/outbound.ts";
import type { Adapter, Channel, Delivery, EnquirySubject, Rail } from "../../../src/payments/rails/rail.ts";
import type { FaceReply, MakeFace, OutgoingDelivery } from "../../../simulators/rail/face.ts";
import { noFaults } from "../../../simulators/rail/faults.ts";
import type { Postman } from "../../../simulators/rail/postman.ts";
import { makeProvider, type Provider } from "../../../simulators/rail/provider.ts";
import { makeTimetable } from "../../../simulators/rail/timetable.ts";

const BASE_URL = "https://provider.example.org/api";
const DOORS = "https://pay.example.org/rails/one/secret";

export const doorUrl = (door: string, parameter?: string): string =>
  parameter === undefined ? `${DOORS}/${door}` : `${DOORS}/${door}/${parameter}`;

/** What the next request meets instead of, or after, the provider. */
export type Trouble =
  | { readonly kind: "not_sent" }
  /** The provider acts, and nobody hears of it. */
  | { readonly kind: "no_answer" }
  | { readonly kind: "answer"; readonly reply: FaceReply };

/** A provider that answers what it is told to, and remembers what it was asked. */
export function makeScriptedHttp(answer: (request: OutboundRequest) => FaceReply | Error): OutboundHttp & {
  readonly asked: OutboundRequest[];
} {
  const asked: OutboundRequest[] = [];
  return {
    asked,
    async send(request) {
      asked.push(request);
      const reply = answer(request);
      if (reply instanceof Error) throw reply;
      return Promise.resolve(responseOf(reply));
    },
  };
}

/** An adapter and the simulated provider it talks to, in one process, with prompts that wait for the test to decide. */
export function connect<Settings>(adapter: Adapter<Settings>, makeFace: MakeFace, channel: Channel) {
  const clock = makeManualClock(new Date("2026-11-20T12:34:00Z"));
  const news: OutgoingDelivery[] = [];
  const troubles: Trouble[] = [];
  const asked: OutboundRequest[] = [];
  const timetable = makeTimetable({
    clock,
    onTrouble: (trouble) => {
      throw trouble;
    },
  });
  const provider: Provider = makeProvider({
    channel,
    makeFace,
    shares: noFaults,
    baseUrl: BASE_URL,
    doorUrl,
    seed: 7,
    payers: "wait",
    timetable,
    postman: collecting(news),
  });
  const http: OutboundHttp = {
    async send(request) {
      asked.push(request);
      const trouble = troubles.shift();
      if (trouble?.kind === "not_sent") throw new NotSent("refused connection");
      const reply = trouble?.kind === "answer" ? trouble.reply : provider.face.handle(faceRequestOf(request));
      if (trouble?.kind === "no_answer") throw new NoAnswer("no answer within ten seconds");
      return Promise.resolve(responseOf(reply));
    },
  };
  const rail: Rail = adapter.open(adapter.parseSettings(provider.face.settings()), {
    channel,
    http,
    clock,
    callbackUrl: doorUrl,
  });
  return {
    rail,
    provider,
    clock,
    news,
    asked,
    meet: (...next: readonly Trouble[]) => void troubles.push(...next),
    pass: (millis: number) => timetable.advanceTo(new Date(clock.now().getTime() + millis)),
    /** The payer types the PIN, or does not. */
    decide: (failure?: "cancelled" | "timed_out" | "insufficient_funds") => {
      const prompt = provider.books.transactions.findLast(({ kind }) => kind === "payment");
      provider.decide(prompt?.id ?? "", { failure });
    },
  };
}

export function deliveryOf({ method, url, headers, body }: Omit<OutgoingDelivery, "retriesMax">): Delivery {
  const [door = "", parameter] = url.slice(DOORS.length + 1).split("/");
  return {
    door,
    parameter,
    method,
    url,
    headers,
    raw: new TextEncoder().encode(body),
    receivedAt: new Date("2026-11-20T12:40:00Z"),
  };
}

export function subjectOf(given: Partial<EnquirySubject> & { readonly correlation: string }): EnquirySubject {
  return {
    kind: "payment",
    providerCorrelation: undefined,
    transactionReference: undefined,
    amount: undefined,
    reference: "PG-10234",
    memory: {},
    requestedAt: new Date("2026-11-20T12:30:00Z"),
    ...given,
  };
}

export const PAYER_TIME_MS = 5 * MINUTE_MS;

function collecting(news: OutgoingDelivery[]): Postman {
  const record = (delivery: OutgoingDelivery) => ({
    channel: "",
    kind: "genuine" as const,
    transactionId: undefined,
    delivery,
    result: "accepted" as const,
    attempts: 1,
    status: 200,
    answer: undefined,
    lastAt: undefined,
  });
  return {
    send({ delivery }) {
      news.push(delivery);
      return record(delivery);
    },
    drop: record,
    records: [],
    stop: () => Promise.resolve(),
  };
}

function faceRequestOf({ method, url, headers = {}, body = "" }: OutboundRequest) {
  const target = new URL(url);
  return {
    method,
    path: target.pathname.slice(new URL(BASE_URL).pathname.length),
    query: target.searchParams,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: typeof body === "string" ? body : new TextDecoder().decode(body),
  };
}

function responseOf({ status, body, headers = {} }: FaceReply): OutboundResponse {
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  return { status, headers, text, raw: new TextEncoder().encode(text) };
}
