import { randomUUID } from "node:crypto";
import { Counter, Gauge, Registry } from "prom-client";
import { sql } from "drizzle-orm";
import { actorOf, NotSignedIn } from "./access/access.ts";
import { brokerUrlOf, openBroker, openBrokerAuth } from "./broker-rooms.ts";
import type { AppRole, Config } from "./config.ts";
import { makeClaimDoor, makeTokenFallback, type TokenFallback } from "./devices/devices.ts";
import { bearerToken } from "./graphql/context.ts";
import { makeGraphql } from "./graphql/graphql.http.ts";
import { makeIds, type MakeId } from "./kernel/ids.ts";
import { Forbidden } from "./kernel/refusal.ts";
import { systemClock, type Clock } from "./kernel/time.ts";
import { openMessageWork, watchMessages } from "./message-rooms.ts";
import { openPhoneDoors, startPhoneJobs } from "./phone-rooms.ts";
import {
  makeEnquiryEnds,
  makeEnquirySteps,
  makeIntentSteps,
  makeNoticeJobs,
  makePayoutSteps,
  makeRailDoors,
  makeReconciliationSteps,
  makeRequestLoop,
  makeReversals,
  makeSettleLoop,
  makeStatementDoor,
  makeSweeper,
  type RequestLoop,
  type SettleLoop,
  type Sweeper,
} from "./payments/payments.ts";
import { openDatabase, type Database } from "./platform/database.ts";
import { makeHttp, type Http } from "./platform/http.ts";
import { openJobs } from "./platform/jobs.ts";
import { makeLog, type Log } from "./platform/log.ts";
import { alertMessages, placeSource } from "./fleet-rooms.ts";
import { openHistoryRooms, type HistoryRooms } from "./history-rooms.ts";
import { openGateway, openIngest, openMetricsDoor } from "./ingest-rooms.ts";
import { makeModules, type Modules } from "./modules.ts";
import {
  makeAlertLoop,
  makeAlertSteps,
  makeBatteryReckoning,
  makePlaceSync,
  makeTelling,
  makePartitionKeeper,
  type Ingest,
} from "./telemetry/telemetry.ts";
import type { OutboundSettings } from "./platform/outbound-http.ts";
import { makeOutboxRelay } from "./platform/outbox.ts";

export interface App extends Modules {
  readonly config: Config;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly database: Database;
  readonly log: Log;
  readonly settleLoop: SettleLoop;
  /** Everything that talks to providers. */
  readonly requestLoop: RequestLoop;
  readonly sweeper: Sweeper;
  /** Writes customers whose devices did not take their tokens by air. */
  readonly tokenFallback: TokenFallback;
  readonly history: HistoryRooms;
  readonly doors: Http["routes"];
  /** Ports in use, once started. */
  readonly ports: { http: number | undefined; mqtt: number | undefined; mqtts: number | undefined };
  start(): Promise<void>;
  /** Takes nothing new, ends what runs, lets go of everything. Safe to call twice. */
  stop(): Promise<void>;
}

const SWEEP_MS = 1_000;
const RELAY_BATCH_MAX = 200;
const ACCESS_SWEEP_MS = 3_600_000;
const REQUEST_PAUSE_MS = 1_000;
const ALERT_PAUSE_MS = 15_000;

/**
 * The composition root: builds every module, lists every route, loop and schedule. Nothing runs before `start`. The roles
 * decide what does; a clock other than the system's is for replays and tests.
 */
export async function buildApp({
  config,
  roles,
  clock = systemClock,
  outbound = {},
}: {
  config: Config;
  roles: readonly AppRole[];
  clock?: Clock;
  /** How providers are called, where tests want other pauses than the world does. */
  outbound?: Partial<OutboundSettings>;
}): Promise<App> {
  if (config.databaseUrl === undefined) throw new Error("DATABASE_URL is needed.");
  const log = makeLog(config.logLevel);
  const makeId = makeIds(clock);
  const database = openDatabase({ url: config.databaseUrl, connectionsMax: config.databaseConnectionsMax });
  const { db } = database;
  const ports: App["ports"] = { http: undefined, mqtt: undefined, mqtts: undefined };
  const publicUrl = (): string =>
    config.publicUrl ?? `http://${config.httpHost}:${String(ports.http ?? config.httpPort)}`;
  const brokerUrl = (): string => brokerUrlOf(config, ports);
  const modules = makeModules({ config, database, clock, makeId, publicUrl, brokerUrl, outbound });
  const registry = new Registry();
  const counters = makeCounters(registry, database);
  watchMessages(registry, { database, messaging: modules.messaging });
  const reportFault = (report: object): void => log.error(report, "A request failed on our side.");
  const http = makeHttp({
    trustedProxyHops: config.trustedProxyHops,
    clock,
    registry,
    reportFault,
    checks: { database: () => db.execute(sql`select 1`) },
  });
  const { rails, payouts } = modules;
  const ends = makeEnquiryEnds({ clock, makeId, rails });
  const notices = makeNoticeJobs({
    database,
    clock,
    makeId,
    makeCorrelation: randomUUID,
    rails,
    payouts,
    ends,
    onFailure: ({ noticeId, error, setAside }) => {
      counters.poisoned.inc({ set_aside: String(setAside) });
      log.error({ noticeId: noticeId.toString(), error, setAside }, "A notice cannot be acted upon.");
    },
  });
  const reversals = makeReversals({
    ledger: modules.ledger,
    clock,
    makeId,
    rails,
    payouts,
    takeBack: modules.credit.takeBack,
  });
  const sweeper = makeSweeper({ database, clock, makeId, rails });
  const requestLoop = makeRequestLoop({
    steps: [
      makeIntentSteps({ database, clock, makeId, rails }),
      makePayoutSteps({ database, clock, makeId, rails, payouts }),
      makeEnquirySteps({ database, clock, rails, ends }),
      async () => ((await sweeper.once()) > 0 ? 1 : 0),
      makeReconciliationSteps({ database, clock, rails, reconciliations: modules.reconciliations }),
    ],
    pauseMs: REQUEST_PAUSE_MS,
    onFault: (error) => log.warn({ error }, "A step towards a provider failed; it is tried again."),
  });
  const settleLoop = makeSettleLoop({
    database,
    clock,
    makeId,
    receipts: modules.receipts,
    allocate: modules.credit.allocateReceipts,
    notices,
    reversals,
    batchMax: config.settleBatchMax,
    sweepMs: SWEEP_MS,
    observer: {
      settled: (count) => counters.settled.inc(count),
      failed: ({ callbackId, error, setAside }) => {
        counters.poisoned.inc({ set_aside: String(setAside) });
        log.error(
          { callbackId: callbackId.toString(), error, setAside },
          "A callback cannot be settled; see the runbook on unmatched money.",
        );
      },
      waiting: (error) => log.warn({ error }, "The settle loop waits for the database."),
    },
  });
  const tokenFallback = makeTokenFallback({
    database,
    clock,
    tell: modules.credit.tellUndelivered,
    onFault: (error) => log.warn({ error }, "Tokens that did not arrive by air wait to be written; it is tried again."),
  });
  const rooms = { config, modules, database, clock, log };
  const history = openHistoryRooms({ ...rooms, roles, registry });
  let ingest: Ingest | undefined;
  const closers: (() => Promise<unknown>)[] = [];
  let stopping: Promise<void> | undefined;

  /** The same session as GraphQL's. Agents see their own area only, and a statement is of the whole company. */
  async function authorizeOffice(authorization: string | undefined): Promise<{ actor: string }> {
    const token = bearerToken(authorization);
    const staff = token === null ? undefined : await modules.access.findActor(token);
    if (staff === undefined) throw new NotSignedIn();
    if (staff.role === "agent") throw new Forbidden();
    return { actor: actorOf(staff) };
  }

  async function mountDoors(): Promise<void> {
    const door = makeRailDoors({
      db,
      clock,
      rails,
      publicUrl,
      sourceAddressOf: http.sourceAddress,
      findPayable: modules.credit.findPayable,
      observer: { callback: (rail, where, outcome) => counters.callbacks.inc({ rail, door: where, outcome }) },
    });
    http.routes.use("/rails", door.router);
    closers.push(door.idle);
    http.routes.use(
      openMetricsDoor({
        ...rooms,
        ingest: ingestOnce(),
        authorize: (request) => authorizeOffice(request.get("authorization")),
        sourceAddress: http.sourceAddress,
      }),
    );
    const brokerAuth = openBrokerAuth(rooms);
    if (brokerAuth !== undefined) http.routes.use("/mqtt", brokerAuth);
    http.routes.use("/devices", makeClaimDoor({ credentials: modules.credentials, sourceAddress: http.sourceAddress }));
    http.routes.use(openPhoneDoors({ config, modules, clock, registry, log }));
    http.routes.use(
      "/statements",
      makeStatementDoor({
        imports: modules.statementImports,
        rails,
        authorize: (request) => authorizeOffice(request.get("authorization")),
        audit: modules.access.audit,
        allowSlow: http.allowSlow,
        onFault: (error, importId) => log.error({ error, importId }, "The import of a statement failed on our side."),
      }),
    );
    modules.statements
      .removeLeftovers()
      .catch((error: unknown) => log.warn({ error }, "Files of imports that were cut off were not removed."));
    const graphql = await makeGraphql({
      services: { ...modules, history },
      db,
      clock,
      isProduction: config.isProduction,
      sourceAddress: http.sourceAddress,
      requestId: http.requestId,
      reportFault,
    });
    http.routes.use("/graphql", graphql.router);
    closers.push(graphql.stop);
    const sweep = setInterval(
      () => void modules.access.sweep().catch((error: unknown) => log.warn({ error }, "Old sessions were not swept.")),
      ACCESS_SWEEP_MS,
    );
    closers.push(async () => clearInterval(sweep));
  }

  async function startWorker(databaseUrl: string): Promise<void> {
    const jobs = await openJobs(
      config.redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl: config.redisUrl },
      {
        onDead: (topic, job) =>
          log.error({ topic, job: job.id, reason: job.reason }, "A job is dead: it needs a person."),
        onFault: (error) => log.warn({ error }, "The job queue's connection failed; it is mended by itself."),
      },
    );
    const relay = makeOutboxRelay({
      database,
      jobs,
      clock,
      batchMax: RELAY_BATCH_MAX,
      sweepMs: SWEEP_MS,
      onFault: (error) => log.warn({ error }, "The outbox waits."),
    });
    const messageWork = await openMessageWork({ ...rooms, jobs });
    const phoneJobs = await startPhoneJobs({ ...rooms, jobs, registry });
    const alertLoop = makeAlertLoop({
      steps: makeAlertSteps({ database, clock, zone: config.zone }),
      syncPlaces: makePlaceSync({ database, clock, source: placeSource }).once,
      tell: makeTelling({
        database,
        clock,
        send: (tx, reader, messages) => modules.messaging.append(tx, alertMessages(reader, messages)),
        mayBeTold: modules.access.findWorking,
      }),
      pauseMs: ALERT_PAUSE_MS,
      onFault: (error) => log.warn({ error }, "A step of the alerts failed; it is tried again."),
    });
    const partitions = makePartitionKeeper({
      db,
      clock,
      keptDays: config.keptDays,
      onFault: (error) => log.warn({ error }, "The days of telemetry were not looked after."),
    });
    const batteryReckoning = makeBatteryReckoning({
      database,
      clock,
      onFault: (error) => log.warn({ error }, "Batteries were not reckoned; it is tried again within the hour."),
    });
    partitions.start();
    batteryReckoning.start();
    tokenFallback.start();
    await relay.start();
    requestLoop.start();
    alertLoop.start();
    closers.push(
      () => partitions.stop(),
      () => batteryReckoning.stop(),
      () => tokenFallback.stop(),
      () => alertLoop.stop(),
      () => requestLoop.stop(),
      () => relay.stop(),
      () => messageWork.stop(),
      () => phoneJobs.stop(),
      () => jobs.close(),
    );
  }

  /** One for all doors of this process: what one device tells keeps its order. */
  function ingestOnce(): Ingest {
    if (ingest === undefined) {
      ingest = openIngest({ ...rooms, registry });
      closers.push(ingest.close);
    }
    return ingest;
  }

  async function startGateway(): Promise<void> {
    if (config.mqttUrl !== undefined) {
      const broker = await openBroker({ ...rooms, url: config.mqttUrl, ingest: ingestOnce() });
      closers.unshift(broker.close);
      return;
    }
    const gateway = await openGateway({ ...rooms, registry, ingest: ingestOnce() });
    Object.assign(ports, gateway.ports);
    // Before ingest, which its devices wait for.
    closers.unshift(gateway.close);
  }

  return {
    ...modules,
    config,
    clock,
    makeId,
    database,
    log,
    settleLoop,
    requestLoop,
    sweeper,
    tokenFallback,
    history,
    doors: http.routes,
    ports,
    async start() {
      if (roles.includes("api")) await mountDoors();
      ports.http = (await http.listen({ port: config.httpPort, host: config.httpHost })).port;
      closers.unshift(http.close);
      if (roles.includes("gateway")) await startGateway();
      if (roles.includes("settle")) {
        await settleLoop.start();
        closers.push(settleLoop.stop);
      }
      if (roles.includes("worker")) await startWorker(database.url);
      history.start();
    },
    stop() {
      stopping ??= (async () => {
        // Doors close first, then the loops behind them: what was acknowledged is already committed.
        const results: PromiseSettledResult<unknown>[] = [];
        for (const close of [...closers, history.stop]) results.push(...(await Promise.allSettled([close()])));
        await database.close();
        for (const result of results)
          if (result.status === "rejected")
            log.warn({ error: result.reason as unknown }, "A part did not stop cleanly.");
      })();
      return stopping;
    },
  };
}

function makeCounters(registry: Registry, database: Database) {
  const registers = [registry];
  new Gauge({
    name: "washa_callbacks_pending",
    help: "Stored callbacks that are not settled yet.",
    registers,
    async collect() {
      const [row] = await database.db.execute<{ count: string }>(sql`select count(*) as count from payments.pending`);
      this.set(Number(row?.count ?? 0));
    },
  });
  return {
    callbacks: new Counter({
      name: "washa_callbacks_total",
      help: "Callbacks by rail, door and outcome.",
      labelNames: ["rail", "door", "outcome"],
      registers,
    }),
    settled: new Counter({ name: "washa_payments_settled_total", help: "Payments booked.", registers }),
    poisoned: new Counter({
      name: "washa_callbacks_failed_total",
      help: "Callbacks that failed alone.",
      labelNames: ["set_aside"],
      registers,
    }),
  };
}
