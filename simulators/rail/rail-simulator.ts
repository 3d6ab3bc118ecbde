import { makeStream } from "./chance.ts";
import type { Failure, HeldPayment } from "./books.ts";
import type { Face, MakeFace, SimulatedChannel, SimulatedTransaction } from "./face.ts";
import { faultKinds, type FaultKind, type Faults } from "./faults.ts";
import { startHttpFront } from "./http-front.ts";
import type { SendingKind } from "./news.ts";
import { makePostman, type DeliveryRecord, type DeliveryResult } from "./postman.ts";
import { makeProvider, type PayerPayment, type Provider } from "./provider.ts";
import { makeTimetable, type SimulatorClock } from "./timetable.ts";

/** A channel and the face that stands for its provider. `faults` differ from the simulator's for this channel alone. */
export interface ChannelSetup extends SimulatedChannel {
  readonly makeFace: MakeFace;
  readonly faults?: Partial<Faults> | undefined;
}

export interface RailSimulatorOptions {
  readonly channels: readonly ChannelSetup[];
  /** Where our program's doors are. */
  readonly doorUrlOf: (channel: string, door: string, parameter: string | undefined) => string;
  readonly seed: number;
  readonly faults: Faults;
  readonly clock: SimulatorClock;
  /** Of the HTTP server, on the loopback interface. 0, the default, takes a free one. */
  readonly port?: number;
  /** `decide` (default): payers decide by the seed. `wait`: prompts wait for `decide(…)`. */
  readonly payers?: "decide" | "wait";
  /** What is due within it happens at the same moment (virtual clock). Default one millisecond. */
  readonly grainMs?: number;
  /** Real time that our program has to answer a delivery. Default ten seconds. */
  readonly deliveryTimeoutMs?: number;
  /** Real time by which a slow access token is late. Default three seconds. */
  readonly slowLoginMs?: number;
  /** Hears of each transaction that begins or ends. */
  readonly onTransaction?: (transaction: SimulatedTransaction) => void;
  /** Hears of each attempt at a delivery when it is over. */
  readonly onDelivery?: (record: DeliveryRecord) => void;
  /** Hears of each bug of a face as it happens; they are in `troubles` too. */
  readonly onTrouble?: (trouble: unknown) => void;
}

export interface Counts {
  /** How often each fault has struck. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** How many deliveries of each kind ended how, such as `forged refused`. */
  readonly deliveries: Readonly<Partial<Record<`${SendingKind} ${DeliveryResult}`, number>>>;
  /** How many times something was posted, attempts counted singly. */
  readonly attempts: number;
}

/** Every provider from the other side: their HTTP, their books, their payers, and what goes wrong. */
export interface RailSimulator {
  readonly url: string;
  readonly channels: readonly SimulatedChannel[];
  /** What the program is given as the provider's base URL. */
  baseUrl(channel: string): string;
  face(channel: string): Face;
  now(): Date;
  /** Virtual clock: runs all that is due up to then, in order of time. Throws the first bug of a face that it met. */
  advanceTo(at: Date): Promise<void>;
  /** When the next thing is due; undefined when nothing waits. */
  readonly nextAt: Date | undefined;
  /** A payer pays unasked: completed at once, its news on the way. */
  pay(payment: { channel: string } & PayerPayment): SimulatedTransaction;
  /** The same at an instant to come. */
  payAt(at: Date, payment: { channel: string } & PayerPayment): void;
  /** Prompts that wait for their payers, oldest first. */
  prompts(channel?: string): readonly SimulatedTransaction[];
  /** A person decides a prompt. False when it is over already. */
  decide(
    prompt: { channel: string; id: string },
    decision: { failure?: Failure | undefined; amountMinor?: bigint | undefined },
  ): boolean;
  /** A completed transaction goes back, now, in whole unless told otherwise. Undefined when it cannot. */
  reverse(transaction: { channel: string; id: string }, amountMinor?: bigint): SimulatedTransaction | undefined;
  setFault(kind: FaultKind, share: number, channel?: string): void;
  /** The next occasions on this channel meet this fault for certain, whatever its share. */
  failNext(channel: string, kind: FaultKind, times?: number): void;
  /** The truth: every completed payment, also those that went back. */
  held(channel?: string): readonly HeldPayment[];
  transactions(channel: string): readonly SimulatedTransaction[];
  /** The provider's file of a period's transactions; undefined where it gives none. */
  statement(channel: string, period: { from: Date; to: Date }): ReturnType<NonNullable<Face["statement"]>> | undefined;
  /** Every delivery, in order of planning, and what became of it. */
  readonly deliveries: readonly DeliveryRecord[];
  counts(channel?: string): Counts;
  /** Requests that the caller gave up while the simulator kept silent. */
  readonly givenUp: number;
  /** Connections to the simulator that are open. */
  readonly openSockets: number;
  /** What faces threw: bugs of the simulator. */
  readonly troubles: readonly unknown[];
  /** Ends everything that waits; afterwards no socket and no timer is left. */
  stop(): Promise<void>;
}

const DELIVERY_TIMEOUT_MS = 10_000;
const SLOW_LOGIN_MS = 3_000;

/** One HTTP server for all channels: each provider answers below `/{channel name}`. */
export async function startRailSimulator(options: RailSimulatorOptions): Promise<RailSimulator> {
  const { seed, clock, port = 0, grainMs = 1, payers = "decide" } = options;
  const troubles: unknown[] = [];
  const onTrouble = (trouble: unknown): void => {
    troubles.push(trouble);
    options.onTrouble?.(trouble);
  };
  const timetable = makeTimetable({ clock, grainMs, onTrouble });
  const timeoutMs = options.deliveryTimeoutMs ?? DELIVERY_TIMEOUT_MS;
  const postman = makePostman({ timetable, timeoutMs, onAttempt: options.onDelivery });
  const front = await startHttpFront({ port, slowLoginMs: options.slowLoginMs ?? SLOW_LOGIN_MS, onTrouble });
  const baseUrl = (channel: string): string => `${front.url}/${channel}`;
  const providers = new Map<string, Provider>();
  for (const { makeFace, faults = {}, ...channel } of options.channels) {
    const doorUrl = (door: string, parameter?: string) => options.doorUrlOf(channel.name, door, parameter);
    const shares = { ...options.faults, ...faults };
    const deps = { seed, timetable, postman, payers, baseUrl: baseUrl(channel.name), doorUrl, shares };
    const provider = makeProvider({ ...deps, channel, makeFace, onChange: options.onTransaction });
    providers.set(channel.name, provider);
    front.open(channel.name, { ...provider, chance: makeStream(seed, channel.name, "requests") });
  }

  function of(name: string): Provider {
    const provider = providers.get(name);
    if (provider === undefined) {
      throw new RangeError(`There is no channel "${name}". There are: ${[...providers.keys()].join(", ")}.`);
    }
    return provider;
  }
  const some = (channel: string | undefined): Provider[] =>
    channel === undefined ? [...providers.values()] : [of(channel)];

  function count(channel: string | undefined): Counts {
    const faults = Object.fromEntries(
      faultKinds.map((kind) => [kind, some(channel).reduce((sum, provider) => sum + provider.faults.counts[kind], 0)]),
    ) as Record<FaultKind, number>;
    const deliveries: Partial<Record<`${SendingKind} ${DeliveryResult}`, number>> = {};
    let attempts = 0;
    for (const record of postman.records) {
      if (channel !== undefined && record.channel !== channel) continue;
      const key = `${record.kind} ${record.result}` as const;
      deliveries[key] = (deliveries[key] ?? 0) + 1;
      attempts += record.attempts;
    }
    return { faults, deliveries, attempts };
  }

  return {
    url: front.url,
    channels: [...providers.values()].map(({ channel }) => channel),
    baseUrl: (channel) => baseUrl(of(channel).channel.name),
    face: (channel) => of(channel).face,
    now: () => timetable.now(),
    async advanceTo(at) {
      await timetable.advanceTo(at);
      if (troubles.length > 0) throw troubles[0];
    },
    get nextAt() {
      return timetable.nextAt;
    },
    pay: ({ channel, ...payment }) => of(channel).pay(payment),
    payAt(at, { channel, ...payment }) {
      const provider = of(channel);
      timetable.at(at, () => void provider.pay(payment));
    },
    prompts: (channel) =>
      some(channel)
        .flatMap(({ books }) =>
          books.transactions.filter(({ kind, status }) => kind === "payment" && status === "pending"),
        )
        .sort((left, right) => left.beganAt.getTime() - right.beganAt.getTime()),
    decide: ({ channel, id }, { failure, amountMinor }) => of(channel).decide(id, { failure, amountMinor }),
    reverse: ({ channel, id }, amountMinor) => of(channel).reverse(id, amountMinor),
    setFault: (kind, share, channel) => some(channel).forEach(({ faults }) => faults.set(kind, share)),
    failNext: (channel, kind, times = 1) => of(channel).faults.plan(kind, times),
    held: (channel) => some(channel).flatMap(({ books }) => books.held()),
    transactions: (channel) => of(channel).books.transactions,
    statement: (channel, period) => of(channel).face.statement?.(period),
    deliveries: postman.records,
    counts: count,
    get givenUp() {
      return front.givenUp;
    },
    get openSockets() {
      return front.openSockets;
    },
    troubles,
    async stop() {
      timetable.stop();
      await front.stop();
      await postman.stop();
    },
  };
}
