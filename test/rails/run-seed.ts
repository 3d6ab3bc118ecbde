import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { everyChannel } from "../../simulators/rail/channels.ts";
import { startRailSimulator, type RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import { doorUrlsBelow, railsFileOf } from "../../simulators/rail/rails-file.ts";
import type { App } from "../../src/app.ts";
import type { StaffId } from "../../src/kernel/ids.ts";
import { parseCurrency } from "../../src/kernel/money.ts";
import { HOUR_MS, makeManualClock, MINUTE_MS } from "../../src/kernel/time.ts";
import { readBooks, type Books } from "./books.ts";
import { checkAll, type Check } from "./checks.ts";
import { collectCash, employAgent } from "./cash.ts";
import { DAY_TO, drawDay, type Collection, type Day, type Wish } from "./day.ts";
import { findBlindSpots } from "./planted-faults.ts";
import { DAY_FROM, makeProgram, type Program } from "./program.ts";
import { reconcileDays } from "./reconcile-days.ts";
import { giveBackExcess } from "./refunds.ts";
import { feesOf, importStatements } from "./statements.ts";
import { readTruth, type Truth, type TruePayment } from "./truth.ts";
import type { Household } from "./village.ts";

export interface SeedOrder {
  readonly seed: number;
  readonly payments: number;
  readonly databaseUrl: string;
  readonly superuserUrl: string;
  readonly village: readonly Household[];
}

export interface SeedOutcome {
  readonly seed: number;
  readonly seconds: number;
  readonly checks: readonly Check[];
  /** Planted faults that no check noticed. */
  readonly unnoticed: readonly string[];
  readonly planted: number;
  readonly figures: Figures;
}

export interface Figures {
  readonly payments: number;
  readonly prompts: number;
  readonly reversals: number;
  readonly payouts: number;
  readonly crashes: number;
  /** Of the payments: from whom the program heard first. */
  readonly sources: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly deliveries: Readonly<Record<string, number>>;
  readonly quarantined: Readonly<Record<string, number>>;
}

/** Each time it is found that the checks bite takes as long as a third of the day. */
const PLANT_EVERY = 10;
const LAST_ROUNDS_MAX = 60;

/** Lives one seed's day with the real program and the simulated providers, and compares what both hold at its end. */
export async function runSeed({ seed, payments, databaseUrl, superuserUrl, village }: SeedOrder): Promise<SeedOutcome> {
  const startedAt = performance.now();
  const day = drawDay(seed, { payments, village });
  const folder = mkdtempSync(join(tmpdir(), "washa-rails-"));
  const clock = makeManualClock(DAY_FROM);
  const { faults, grainMs } = day;
  const simulator = await startRailSimulator({
    channels: everyChannel.map((channel) => ({ ...channel, faults: day.channelFaults.get(channel.name) })),
    doorUrlOf: (channel, door, parameter) => doorUrlsBelow(program.url, seed)(channel, door, parameter),
    seed,
    faults,
    grainMs,
    clock,
    slowLoginMs: 20,
  });
  const file = join(folder, "rails.json");
  writeFileSync(file, JSON.stringify(railsOf(simulator, day)));
  const program = makeProgram({ databaseUrl, superuserUrl, railsFile: () => file, clock });
  try {
    await program.start();
    const faulty: string[] = [];
    const cash: TruePayment[] = [];
    await liveThrough(day, {
      program,
      simulator,
      faulty,
      cash,
      agentId: await employAgent(required(program), village),
    });
    const reports = await importStatements(required(program), simulator, {
      from: new Date(DAY_FROM.getTime() - HOUR_MS),
      to: new Date(clock.now().getTime() + 1),
    });
    await finish(program, { simulator, from: clock.now() });
    const reconciled = await reconcileDays(required(program));
    await program.stop();
    const books = await readBooks(databaseUrl);
    const correlations = books.intents.map(({ correlation }) => correlation);
    const truth = readTruth(simulator, { correlations, feesMinor: feesOf(reports), cash });
    const outside = { truth, village, reconciled, faulty: [...faulty, ...simulator.troubles.map(String)] };
    const checks = checkAll(books, outside);
    const isSound = checks.every(({ broken }) => broken.length === 0);
    // Planted faults say something only where nothing else is wrong.
    const mayPlant = isSound && seed % PLANT_EVERY === 1;
    const { planted, unnoticed } = mayPlant ? findBlindSpots(books, outside) : { planted: 0, unnoticed: [] };
    const figures = figuresOf({ books, truth, simulator, day });
    return { seed, seconds: (performance.now() - startedAt) / 1_000, checks, planted, unnoticed, figures };
  } finally {
    await program.stop();
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function railsOf(simulator: RailSimulator, { seed, confirmByEnquiry }: Day): object {
  const { channels } = railsFileOf(simulator, seed);
  return {
    channels: channels.map((channel) => (channel.adapter === "daraja" ? { ...channel, confirmByEnquiry } : channel)),
  };
}

function required({ app }: Program): App {
  if (app === undefined) throw new Error("The program does not run.");
  return app;
}

interface Stage {
  readonly program: Program;
  readonly simulator: RailSimulator;
  /** What went wrong where nothing may. */
  readonly faulty: string[];
  readonly agentId: StaffId;
  /** What the agent has taken. */
  readonly cash: TruePayment[];
}

async function liveThrough(day: Day, stage: Stage): Promise<void> {
  const { program, simulator, agentId, faulty } = stage;
  for (const { channel, at, account, amountMinor, phone, kind } of day.wishes)
    if (kind === "unasked") simulator.payAt(at, { channel, account, amountMinor, phone, payerName: "Asha Juma" });
  const asked = day.wishes.filter(({ kind }) => kind === "asked");
  const cash = [...day.collections];
  const crashes = [...day.crashes];
  const refunds = [...day.refundsAt];
  let backAt: Date | undefined;
  let next = 0;
  for (let at = DAY_FROM.getTime(); at <= DAY_TO.getTime(); at += day.stepMs) {
    const now = new Date(at);
    await simulator.advanceTo(now);
    setOutages(day, { simulator, now });
    const [crash] = crashes;
    if (backAt !== undefined && now >= backAt) {
      backAt = undefined;
      await program.start();
    }
    if (program.app === undefined) continue;
    const collections = takeDue(cash, now);
    stage.cash.push(...(await collectCash(required(program), { agentId, collections, faulty })));
    const first = next;
    while ((asked[next]?.at.getTime() ?? Number.POSITIVE_INFINITY) <= at) next += 1;
    await askAll(required(program), asked.slice(first, next), faulty);
    if (crash !== undefined && now >= crash.at) {
      crashes.shift();
      backAt = crash.backAt;
      await program.crash(crash.afterMs);
      if (now < backAt) continue;
      backAt = undefined;
      await program.start();
    }
    if (day.pauses.some(({ from, to }) => now >= from && now < to)) continue;
    if ((refunds[0]?.getTime() ?? Number.POSITIVE_INFINITY) <= at) {
      refunds.shift();
      await giveBackExcess(required(program));
    }
    await work(stage);
  }
  if (program.app === undefined) await program.start();
  let at = DAY_TO.getTime();
  for (const [count, millis] of day.afterSteps)
    for (let step = 0; step < count; step++) {
      at += millis;
      await simulator.advanceTo(new Date(at));
      setOutages(day, { simulator, now: new Date(at) });
      await work(stage);
    }
}

function takeDue(collections: Collection[], now: Date): readonly Collection[] {
  const later = collections.findIndex(({ at }) => at > now);
  return collections.splice(0, later < 0 ? collections.length : later);
}

async function work({ program, faulty }: Stage): Promise<void> {
  try {
    await program.work();
  } catch (error) {
    faulty.push(`the loops stumbled: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function setOutages(day: Day, { simulator, now }: { simulator: RailSimulator; now: Date }): void {
  for (const { channel, from, to } of day.outages) {
    const isOut = now >= from && now < to;
    simulator.setFault("fail_before_acting", isOut ? 1 : day.faults.fail_before_acting, channel);
  }
}

/** Customers ask to be asked, some by a hop that is repeated at once: all of them must be one request. */
async function askAll(app: App, wishes: readonly Wish[], faulty: string[]): Promise<void> {
  const { db } = app.database;
  const once = wishes.filter(({ times }) => times === 1);
  if (once.length > 0)
    await db.transaction(async (tx) => {
      for (const wish of once) await app.intents.request(tx, orderOf(wish));
    });
  for (const wish of wishes.filter(({ times }) => times > 1)) {
    const hop = () => db.transaction((tx) => app.intents.request(tx, orderOf(wish)));
    const answers = await Promise.all(Array.from({ length: wish.times }, hop));
    const ids = new Set(answers.map(({ intent }) => intent.id));
    if (ids.size !== 1) faulty.push(`${wish.account} was asked for ${ids.size} times by one wish`);
  }
}

const orderOf = ({ household, channel, phone, amountMinor, account }: Wish) =>
  ({
    rail: channel,
    reference: account,
    phone,
    country: household.country,
    amount: { minor: amountMinor, currency: parseCurrency(household.currency) },
    actor: "test:rails",
    through: "ussd",
  }) as const;

/** Goes on in small steps until nothing waits on either side. */
async function finish(program: Program, { simulator, from }: { simulator: RailSimulator; from: Date }): Promise<void> {
  let at = from.getTime();
  for (let round = 0; round < LAST_ROUNDS_MAX; round++) {
    await program.work();
    const waiting = simulator.nextAt;
    if (waiting === undefined && round > 3) return;
    at = Math.max(at + 2 * MINUTE_MS, waiting?.getTime() ?? 0);
    await simulator.advanceTo(new Date(at));
  }
}

function figuresOf({
  books,
  truth,
  simulator,
  day,
}: {
  books: Books;
  truth: Truth;
  simulator: RailSimulator;
  day: Day;
}): Figures {
  const count = (names: readonly string[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  };
  const { faults, deliveries } = simulator.counts();
  return {
    payments: truth.payments.length,
    prompts: books.intents.length,
    reversals: truth.reversals.length,
    payouts: truth.payouts.length,
    crashes: day.crashes.length,
    sources: count(books.callbacks.map(({ source }) => source)),
    faults,
    deliveries,
    quarantined: count(books.quarantine.map(({ reason }) => reason)),
  };
}
