import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SQL } from "drizzle-orm";
import { afterAll, beforeAll } from "vitest";
import { everyChannel } from "../../simulators/rail/channels.ts";
import type { OutgoingDelivery, SimulatedTransaction } from "../../simulators/rail/face.ts";
import { noFaults } from "../../simulators/rail/faults.ts";
import { doorUrlsBelow, railsFileOf } from "../../simulators/rail/rails-file.ts";
import { startRailSimulator, type RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import type { Terms } from "../../src/credit/terms.ts";
import type { IntentId } from "../../src/kernel/ids.ts";
import { parseCurrency } from "../../src/kernel/money.ts";
import { MINUTE_MS, SECOND_MS } from "../../src/kernel/time.ts";
import type { Intent, StoredReceipt } from "../../src/payments/payments.ts";
import { orderIdOf } from "../../src/payments/rails/orange-webpay/order-id.ts";
import { startTestApp, TEST_START, type TestApp } from "./app.ts";
import { c2bBody, makeHousehold, type C2bOptions, type Household } from "./village.ts";

const SEED = 7;
/** Beginnings of mobile numbers, by country; each is completed to its country's length. */
const NUMBERS: Readonly<Record<string, string>> = {
  KE: "+254711000000",
  UG: "+256772000000",
  ZM: "+260971000000",
  CI: "+2250701000000",
  SN: "+221771000000",
  GH: "+233241000000",
  RW: "+250788000000",
  TZ: "+255754000000",
};
let numbers = 0;

export interface RailsOptions {
  /** Names out of `everyChannel`. */
  readonly channels: readonly string[];
  /** Channels whose unsigned callbacks are asked about before they are booked. */
  readonly confirmByEnquiry?: readonly string[];
  /** Changes to a channel's settings in the rails file. */
  readonly settings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly env?: Readonly<Record<string, string>>;
  /** How long the program waits for a provider's answer, in real time; short where a provider keeps silent. */
  readonly timeoutMs?: number;
}

/** A program whose providers are simulated: both sides speak HTTP, and share a clock that only the test moves. */
export interface RailsWorld extends TestApp {
  readonly simulator: RailSimulator;
  /** A family that pays by this channel: in its currency, 5,000 minor units a day, with a phone of its country. */
  household(channel: string, options?: { terms?: Partial<Terms>; phone?: string }): Promise<Household>;
  /** The office asks a phone to pay, by GraphQL, and the request is sent; the prompt waits for the test to decide it. */
  ask(home: Household, order: { channel: string; amountMinor: bigint; phone?: string; key?: string }): Promise<Intent>;
  /** Asks the program's GraphQL door as a person of the office. Fails when it answers with errors. */
  graphql<Data>(query: string, variables?: Readonly<Record<string, unknown>>): Promise<Data>;
  intent(id: IntentId): Promise<Intent>;
  /** The provider's side of a request. Fails when there is none, or more than one. */
  promptOf(intent: Intent): SimulatedTransaction;
  /** Hands something to the program as a provider, or anybody, would. */
  post(delivery: OutgoingDelivery): Promise<{ status: number; text: string }>;
  /** A C2B confirmation at this channel's door, as M-Pesa sends it; acted upon. Fails when it is not answered with success. */
  confirm(channel: string, options: C2bOptions): Promise<void>;
  /** Where the program is told things by this channel's provider. */
  doorUrl(channel: string, door: string, parameter?: string): string;
  /** The office uploads the provider's file of a period. Answers the report, as the door tells it. */
  uploadStatement(channel: string, period: { from: Date; to: Date }): Promise<Record<string, unknown>>;
  /** What this provider never sent (fault `drop`), oldest first: a test may send it when it wants. */
  lost(channel: string): readonly OutgoingDelivery[];
  /** Lets time pass on both sides: deliveries come, requests and enquiries go out, payments are settled. */
  pass(millis: number): Promise<void>;
  /** Sends what is due now and settles; no time passes. */
  work(): Promise<void>;
  /** Payments that were booked for an account, newest first. */
  receiptsOf(home: Household): Promise<readonly StoredReceipt[]>;
  /** Of `/metrics`: how many deliveries at this door ended so. */
  counted(rail: string, door: string, outcome: string): Promise<number>;
  /** Rows of a query, for what no face shows. */
  rows<Row extends Record<string, unknown>>(query: SQL): Promise<readonly Row[]>;
}

export async function startRails(options: RailsOptions): Promise<RailsWorld & { drop(): Promise<void> }> {
  const begun: { place?: TestApp } = {};
  const simulator = await startRailSimulator({
    channels: everyChannel.filter(({ name }) => options.channels.includes(name)),
    // The program's port is known only when it listens; nothing is delivered before.
    doorUrlOf: (...door) => doorUrlsBelow(begun.place?.url ?? "http://127.0.0.1:9", SEED)(...door),
    seed: SEED,
    faults: noFaults,
    clock: { now: () => begun.place?.clock.now() ?? TEST_START, moveTo: (at) => begun.place?.clock.moveTo(at) },
    payers: "wait",
  });
  const folder = await mkdtemp(join(tmpdir(), "washa-rails-"));
  const file = join(folder, "rails.json");
  const { channels } = railsFileOf(simulator, SEED);
  const configured = channels.map((channel) => ({
    ...channel,
    confirmByEnquiry: options.confirmByEnquiry?.includes(channel.name) ?? false,
    settings: { ...channel.settings, ...options.settings?.[channel.name] },
  }));
  await writeFile(file, JSON.stringify({ channels: configured }));
  const app = await startTestApp({
    env: { WASHA_RAILS: file, ...options.env },
    outbound: {
      timeoutMs: options.timeoutMs ?? 5_000,
      retriesMax: 1,
      pauses: { firstMs: 1, longestMs: 5 },
      breaker: { failuresMax: 100 },
    },
  });
  begun.place = app;
  const world = makeWorld(app, { simulator, tokenNow: await hireOffice(app) });
  return {
    ...world,
    async drop() {
      await simulator.stop();
      await app.drop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Gives the test file such a program of its own. Read `.current` inside tests. */
export function useRails(options: RailsOptions): { readonly current: RailsWorld } {
  let started: Awaited<ReturnType<typeof startRails>> | undefined;
  beforeAll(async () => {
    started = await startRails(options);
  });
  afterAll(async () => {
    await started?.drop();
  });
  return {
    get current() {
      if (started === undefined) throw new Error("The program runs only while tests run.");
      return started;
    },
  };
}

/** A person of the office, who may ask every phone; signs in again when the session may be over. */
async function hireOffice({ app, clock }: TestApp): Promise<() => Promise<string>> {
  const [email, password] = ["office@washa.test", "seven quiet lamps"];
  const passwordHash = await app.access.hashPassword(password);
  const person = { email, name: "Office", role: "operations", area: null, language: "en", passwordHash } as const;
  await app.database.db.transaction((tx) => app.access.createStaff(tx, { ...person, actor: "system:test" }));
  let session = { token: "", until: 0 };
  return async () => {
    const now = clock.now().getTime();
    if (now >= session.until) {
      const { token } = await app.access.login({ email, password, sourceAddress: "192.0.2.1" });
      session = { token, until: now + 10 * MINUTE_MS };
    }
    return session.token;
  };
}

function makeWorld(
  place: TestApp,
  { simulator, tokenNow }: { simulator: RailSimulator; tokenNow: () => Promise<string> },
): RailsWorld {
  const { app, clock, url } = place;
  const { db } = app.database;
  const channelOf = (name: string) => {
    const found = simulator.channels.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${name} is not simulated here.`);
    return found;
  };

  async function work(): Promise<void> {
    for (let left = 10; left > 0; left--) {
      const settled = await place.settle();
      const asked = await app.requestLoop.runDue();
      if (settled + asked === 0) return;
    }
    throw new Error("Something is due without end.");
  }

  async function graphql<Data>(query: string, variables: Readonly<Record<string, unknown>> = {}): Promise<Data> {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${await tokenNow()}` },
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await response.json()) as { data?: Data; errors?: unknown };
    if (answer.data === undefined || answer.errors !== undefined)
      throw new Error(`GraphQL answered ${response.status}: ${JSON.stringify(answer.errors)}`);
    return answer.data;
  }

  async function intent(id: IntentId): Promise<Intent> {
    const found = (await app.intents.find(db, [id])).get(id);
    if (found === undefined) throw new Error("The request is gone.");
    return found;
  }

  return {
    ...place,
    simulator,
    work,
    graphql,
    intent,
    household(channel, { terms = {}, phone } = {}) {
      const { currency, country } = channelOf(channel);
      const start = NUMBERS[country] ?? "";
      numbers += 1;
      return makeHousehold(place, {
        terms: { currency: parseCurrency(currency), ...terms },
        phone: phone ?? `+${(BigInt(start.slice(1)) + BigInt(numbers)).toString()}`,
      });
    },
    async ask(home, { channel, amountMinor, phone = home.phone, key = randomUUID() }) {
      const variables = { contractId: home.contract.id, amount: String(amountMinor), phone, rail: channel, key };
      const { requestPayment } = await graphql<{ requestPayment: { intent?: { id: IntentId }; message?: string } }>(
        `
          mutation ($contractId: ID!, $amount: String!, $phone: String, $rail: String, $key: String!) {
            requestPayment(
              contractId: $contractId
              amountMinor: $amount
              phone: $phone
              rail: $rail
              idempotencyKey: $key
            ) {
              ... on RequestedPayment {
                intent {
                  id
                }
              }
              ... on Refusal {
                message
              }
            }
          }
        `,
        variables,
      );
      if (requestPayment.intent === undefined) throw new Error(requestPayment.message);
      await app.requestLoop.runDue();
      return await intent(requestPayment.intent.id);
    },
    promptOf({ rail, correlation }) {
      // Airtel wants names without dashes and Orange shorter ones.
      const names = [correlation, correlation.replaceAll("-", ""), orderIdOf(correlation)];
      const found = simulator
        .transactions(rail)
        .filter(({ kind, correlation: name }) => kind === "payment" && names.some((one) => name?.includes(one)));
      const [only, ...others] = found;
      if (only === undefined || others.length > 0)
        throw new Error(`The provider has ${found.length} prompts of this request.`);
      return only;
    },
    async post({ method, url: address, headers, headersNow, body }) {
      const response = await fetch(address, { method, headers: { ...headers, ...headersNow?.() }, body });
      return { status: response.status, text: await response.text() };
    },
    async confirm(channel, options) {
      const headers = { "content-type": "application/json" };
      const address = doorUrlsBelow(url, SEED)(channel, "confirmation", undefined);
      const body = JSON.stringify(c2bBody(place, options));
      const response = await fetch(address, { method: "POST", headers, body });
      if (!(await response.text()).includes('"ResultCode":0')) throw new Error(`The door answered ${response.status}.`);
      await work();
    },
    doorUrl: (channel, door, parameter) => doorUrlsBelow(url, SEED)(channel, door, parameter),
    async uploadStatement(channel, period) {
      const file = simulator.statement(channel, period);
      if (file === undefined) throw new Error(`${channel} gives no statements.`);
      const query = new URLSearchParams({ account: "600966", file: file.fileName });
      const response = await fetch(`${url}/statements/${channel}?${query.toString()}`, {
        method: "POST",
        headers: { authorization: `Bearer ${await tokenNow()}`, "content-type": "text/csv" },
        body: Uint8Array.from(file.bytes),
      });
      const answer = (await response.json()) as Record<string, unknown>;
      if (response.status !== 200) throw new Error(`The door answered ${response.status}: ${JSON.stringify(answer)}`);
      return answer;
    },
    lost(channel) {
      return simulator.deliveries
        .filter((record) => record.channel === channel && record.result === "dropped")
        .map(({ delivery }) => delivery);
    },
    async pass(millis) {
      const end = clock.now().getTime() + millis;
      const stepMs = millis > 30 * MINUTE_MS ? 5 * MINUTE_MS : 10 * SECOND_MS;
      while (clock.now().getTime() < end) {
        await simulator.advanceTo(new Date(Math.min(end, clock.now().getTime() + stepMs)));
        await work();
      }
    },
    receiptsOf: ({ accountNumber }) => app.receipts.list(db, { search: accountNumber, first: 50 }),
    async counted(rail, door, outcome) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const line = text
        .split("\n")
        .find((one) => one.startsWith(`washa_callbacks_total{rail="${rail}",door="${door}",outcome="${outcome}"}`));
      return Number(line?.split(" ").at(-1) ?? 0);
    },
    rows: async (query) => [...(await db.execute(query))] as never,
  };
}
