import { makeManualClock } from "../../../src/kernel/time.ts";
import { NoAnswer, type OutboundHttp, type OutboundRequest } from "../../../src/platform/outbound.ts";
import type { Channel, Delivery, RailTools } from "../../../src/payments/rails/rail.ts";
import { makeStream } from "../../../simulators/rail/chance.ts";
import type {
  Face,
  FaceReply,
  MakeFace,
  NewTransaction,
  OutgoingDelivery,
  SimulatedTransaction,
  World,
} from "../../../simulators/rail/face.ts";

const DOORS = "https://pay.example.org/rails/channel/secret";

/** One simulated provider in memory: no server, no waiting. What happens, the test says. */
export interface SmallWorld {
  readonly face: Face;
  readonly clock: ReturnType<typeof makeManualClock>;
  readonly tools: RailTools;
  readonly transactions: SimulatedTransaction[];
  /** What the adapter sent, in order. */
  readonly sent: OutboundRequest[];
  /** The provider acts on the next request, and its answer is lost. */
  loseNextAnswer(): void;
  /** Ends a transaction and hands over what the provider then posts to us. */
  end(transaction: SimulatedTransaction | undefined, how?: Partial<SimulatedTransaction>): readonly Delivery[];
  arrive(outgoing: OutgoingDelivery): Delivery;
}

export function makeSmallWorld(makeFace: MakeFace, channel: Channel): SmallWorld {
  const clock = makeManualClock(new Date("2026-11-20T10:10:00Z"));
  const transactions: SimulatedTransaction[] = [];
  const sent: OutboundRequest[] = [];
  let isAnswerLost = false;
  const chance = makeStream(7, channel.name);

  function begin(kind: SimulatedTransaction["kind"], asked: NewTransaction): SimulatedTransaction {
    const { id, correlation, providerCorrelation, amountMinor, reference, phone, callbackUrl } = asked;
    const names = { id, correlation, providerCorrelation, reference, phone, callbackUrl, kind, channel: channel.name };
    const amounts = { requestedMinor: amountMinor, amountMinor, currency: channel.currency };
    const rest = { status: "pending" as const, payerName: "Achieng", endedAt: undefined, failure: undefined };
    const begun: SimulatedTransaction = {
      ...names,
      ...amounts,
      ...rest,
      beganAt: clock.now(),
      original: asked.original,
      memory: { ...asked.memory },
    };
    transactions.push(begun);
    return begun;
  }

  const world: World = {
    channel,
    baseUrl: "http://provider.test/base",
    now: () => clock.now(),
    chance,
    transactions,
    find: (by) =>
      transactions.find(
        ({ id, correlation, providerCorrelation }) =>
          (by.id !== undefined || by.correlation !== undefined || by.providerCorrelation !== undefined) &&
          (by.id === undefined || by.id === id) &&
          (by.correlation === undefined || by.correlation === correlation) &&
          (by.providerCorrelation === undefined || by.providerCorrelation === providerCorrelation),
      ),
    requestPayment: (asked) => begin("payment", asked),
    disburse: (asked) => begin("disbursement", asked),
    reverse(original, amountMinor = original.amountMinor) {
      if (transactions.some((other) => other.kind === "reversal" && other.original === original.id)) return undefined;
      const names = { id: face.makeId(), correlation: undefined, providerCorrelation: undefined };
      const reversal = begin("reversal", { ...original, ...names, amountMinor, original: original.id, memory: {} });
      reversal.status = "completed";
      reversal.endedAt = clock.now();
      face.deliveries(reversal);
      return reversal;
    },
    deliver: () => undefined,
    doorUrl: (door, parameter) => [DOORS, door, ...(parameter === undefined ? [] : [parameter])].join("/"),
  };
  const face = makeFace(world);

  const http: OutboundHttp = {
    async send(request) {
      sent.push(request);
      const url = new URL(request.url);
      const reply: FaceReply = face.handle({
        method: request.method,
        path: url.pathname.replace(/^\/base/, ""),
        query: url.searchParams,
        headers: Object.fromEntries(
          Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
        ),
        body: typeof request.body === "string" ? request.body : "",
      });
      if (isAnswerLost) {
        isAnswerLost = false;
        throw new NoAnswer("the answer was lost");
      }
      return Promise.resolve(answerOf(reply));
    },
  };

  function arrive(outgoing: OutgoingDelivery): Delivery {
    const [door = "", parameter] = outgoing.url.slice(DOORS.length + 1).split("/");
    const headers = Object.fromEntries(
      Object.entries(outgoing.headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const { method, url } = outgoing;
    return { door, parameter, method, url, headers, raw: Buffer.from(outgoing.body), receivedAt: clock.now() };
  }

  return {
    face,
    clock,
    transactions,
    sent,
    tools: { channel, http, clock, callbackUrl: world.doorUrl },
    loseNextAnswer: () => {
      isAnswerLost = true;
    },
    end(transaction, how = { status: "completed" }) {
      if (transaction === undefined) throw new Error("The provider knows of no such transaction.");
      Object.assign(transaction, { endedAt: clock.now(), ...how });
      return face.deliveries(transaction).map(arrive);
    },
    arrive,
  };
}

/** What a provider's reply looks like on our side of the wire. */
export function answerOf({ status, body = "", headers = {} }: FaceReply) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status, headers, text, raw: Buffer.from(text) };
}
