import { makeManualClock } from "../../../src/kernel/time.ts";
import { NoAnswer, NotSent, type OutboundHttp, type OutboundRequest } from "../../../src/platform/outbound.ts";
import type {
  Adapter,
  Channel,
  Delivery,
  EnquirySubject,
  ListPage,
  Rail,
  Recall,
} from "../../../src/payments/rails/rail.ts";
import { isAble } from "../../../src/payments/rails/rail.ts";
import type {
  Face,
  MakeFace,
  NewTransaction,
  OutgoingDelivery,
  SimulatedTransaction,
  World,
} from "../../../simulators/rail/face.ts";

export const START = new Date("2026-11-20T10:00:00Z");
export const CORRELATION = "6f0d1c1e-3c7a-4f2e-9b0a-5f6a7b8c9d0e";
export const BASE_URL = "http://provider.example";
export const DOOR_URL = "https://seller.example/rails/channel/secret/callback";

/** A provider's books in memory, with hands on every transaction; the same numbers every time. */
export function makeSmallWorld(makeFace: MakeFace, channel: Channel) {
  const clock = makeManualClock(START);
  const transactions: SimulatedTransaction[] = [];
  let drawn = 0;
  const begin = (kind: SimulatedTransaction["kind"], asked: NewTransaction): SimulatedTransaction => {
    const { original, memory, ...rest } = asked;
    const transaction: SimulatedTransaction = {
      ...rest,
      channel: channel.name,
      kind,
      status: "pending",
      requestedMinor: asked.amountMinor,
      currency: channel.currency,
      payerName: "Awa Diop",
      beganAt: clock.now(),
      endedAt: undefined,
      original,
      failure: undefined,
      memory: memory ?? {},
    };
    transactions.push(transaction);
    return transaction;
  };
  const world: World = {
    channel,
    baseUrl: BASE_URL,
    now: () => clock.now(),
    chance: () => {
      drawn = (drawn * 1_103_515_245 + 12_345) % 2_147_483_648;
      return drawn / 2_147_483_648;
    },
    transactions,
    find: (by) =>
      transactions.find((each) =>
        Object.entries(by).every(
          ([name, value]) => each[name as "id" | "correlation" | "providerCorrelation"] === value,
        ),
      ),
    requestPayment: (asked) => begin("payment", asked),
    disburse: (asked) => begin("disbursement", asked),
    reverse: (original, amountMinor = original.amountMinor) => {
      const reversal = begin("reversal", {
        id: face.makeId(),
        correlation: undefined,
        providerCorrelation: undefined,
        amountMinor,
        reference: original.reference,
        phone: original.phone,
        callbackUrl: undefined,
        original: original.id,
      });
      end(reversal);
      return reversal;
    },
    deliver: () => {},
    doorUrl: () => DOOR_URL,
  };
  const face: Face = makeFace(world);
  function end(transaction: SimulatedTransaction, failure?: SimulatedTransaction["failure"]): void {
    transaction.status = failure === undefined ? "completed" : "failed";
    transaction.failure = failure;
    transaction.endedAt = clock.now();
  }
  return { world, face, clock, end, begin };
}

/** Our program's requests, answered by the face at once; `fault` is thrown instead once it is set. */
export function makeFaceHttp(face: Face): OutboundHttp & {
  readonly sent: OutboundRequest[];
  fault: "not_sent" | "no_answer" | "acted_without_answer" | number | undefined;
} {
  const http = {
    sent: [] as OutboundRequest[],
    fault: undefined as "not_sent" | "no_answer" | "acted_without_answer" | number | undefined,
    send: async (request: OutboundRequest) => {
      http.sent.push(request);
      if (http.fault === "not_sent") throw new NotSent("refused");
      if (http.fault === "no_answer") throw new NoAnswer("timed out");
      const url = new URL(request.url, BASE_URL);
      const reply =
        typeof http.fault === "number"
          ? { status: http.fault, body: {} }
          : face.handle({
              method: request.method,
              path: url.pathname,
              query: url.searchParams,
              headers: { ...request.headers },
              body: String(request.body ?? ""),
            });
      if (http.fault === "acted_without_answer") throw new NoAnswer("timed out");
      const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {});
      return Promise.resolve({ status: reply.status, headers: {}, raw: Buffer.from(text), text });
    },
  };
  return http;
}

export function openRail<Settings>(
  adapter: Adapter<Settings>,
  given: { settings: unknown; channel: Channel; http: OutboundHttp; clock: { now(): Date } },
): Rail {
  const { settings, channel, http, clock } = given;
  return adapter.open(adapter.parseSettings(settings), { channel, http, clock, callbackUrl: () => DOOR_URL });
}

export const delivered = (
  { headers, body }: Pick<OutgoingDelivery, "headers" | "body">,
  receivedAt: Date = START,
): Delivery => ({
  door: "callback",
  parameter: undefined,
  method: "POST",
  url: DOOR_URL,
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  raw: Buffer.from(body),
  receivedAt,
});

export const nobody: Recall = async () => Promise.resolve(undefined);

export const subject = (changes: Partial<EnquirySubject>): EnquirySubject => ({
  kind: "payment",
  correlation: CORRELATION,
  providerCorrelation: undefined,
  transactionReference: undefined,
  amount: undefined,
  reference: "PG-10234",
  memory: {},
  requestedAt: START,
  ...changes,
});

/** What a rail can do, for rails that surely can. */
export function able<Act extends object>(ability: Act | { readonly cannot: string }): Act {
  if (!isAble<Act>(ability as never)) throw new Error("The rail cannot do this.");
  return ability as Act;
}

export async function listAll(rail: Rail, window: { from: Date; to: Date }): Promise<Omit<ListPage, "next">> {
  const items: ListPage["items"][number][] = [];
  const unreadable: ListPage["unreadable"][number][] = [];
  let cursor: string | undefined;
  do {
    const page: ListPage = await able(rail.list).page({ ...window, cursor });
    items.push(...page.items);
    unreadable.push(...page.unreadable);
    cursor = page.next;
  } while (cursor !== undefined);
  return { items, unreadable };
}
