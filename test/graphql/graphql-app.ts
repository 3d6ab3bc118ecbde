import { randomBytes, randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import supertest from "supertest";
import { afterAll, beforeAll } from "vitest";
import { makeAccess, type Role } from "../../src/access/access.ts";
import { formatAccountNumber, makeCredit, type News } from "../../src/credit/credit.ts";
import { makeCustomers } from "../../src/customers/customers.ts";
import { deskContracts } from "../../src/desk-rooms.ts";
import {
  countCommands,
  makeBulkActs,
  makeCredentials,
  makeDeviceCommands,
  makeDeviceLife,
  makeDevices,
} from "../../src/devices/devices.ts";
import { makeKeySeal } from "../../src/devices/key-seal.ts";
import type { Services } from "../../src/graphql/context.ts";
import { makeGraphql, type GraphqlDoor } from "../../src/graphql/graphql.http.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock, type Clock } from "../../src/kernel/time.ts";
import { makeLedger } from "../../src/ledger/ledger.ts";
import { NotFound } from "../../src/kernel/refusal.ts";
import { campaignAudience } from "../../src/message-rooms.ts";
import { makeMessaging } from "../../src/messaging/messaging.ts";
import {
  makeAgentCash,
  makeDesk,
  makeIntents,
  makePayouts,
  makeReceipts,
  makeReconciliation,
  makeStatementImports,
  makeStatements,
} from "../../src/payments/payments.ts";
import { storeArrivals } from "../../src/payments/inbox/arrivals.store.ts";
import type { Database } from "../../src/platform/database.ts";
import { openHistory } from "../../src/platform/history/history.ts";
import { makeHttp, type Http } from "../../src/platform/http.ts";
import {
  makeAlertCommands,
  makeAlertQueries,
  makeBatteryCommands,
  makeBatteryQueries,
  makeFleet,
  makeFleetReports,
  makeReadings,
  makeRollupQueries,
  makeSeriesQueries,
} from "../../src/telemetry/telemetry.ts";
import { makeInbox, makePins, makeTickets } from "../../src/ussd/ussd.ts";
import { makeFakeGateway } from "../messaging/fake-gateway.ts";
import { strangers } from "../messaging/strangers.ts";
import { useDatabase } from "../support/database.ts";
import { makeTalkFigures } from "../../src/ussd/ussd.ts";

export const PASSWORD = "seven quiet lamps";

interface Answer {
  readonly status: number;
  readonly requestId: string;
  // A test reads whatever shape it asked for; the schema has checked it.
  readonly data: Readonly<Record<string, Readonly<Record<string, unknown>> & { readonly __typename?: string }>>;
  readonly errors: readonly { message: string; extensions: { code: string; requestId?: string } }[] | undefined;
}

export interface Person {
  readonly email: string;
  readonly token: string;
  ask(query: string, variables?: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** Every face on one database, with passwords that are quick to check and messages that are only collected. */
function makeServices(database: Database, clock: Clock, news: News[]): Services {
  const { db } = database;
  const makeId = makeIds(clock);
  const passwordCost = { cost: 1_024, blockSize: 8, parallelism: 1 };
  const ledger = makeLedger({ clock, makeId });
  const customers = makeCustomers({ clock, makeId, country: "KE" });
  const sealingKey = Buffer.alloc(32, 7);
  const keySeal = makeKeySeal(sealingKey);
  const devices = makeDevices({ clock, makeId, keySeal });
  const access = makeAccess({ db, clock, makeId, passwordCost });
  const { audit } = access;
  const brokerUrl = () => "mqtt://127.0.0.1:1883";
  const credentials = makeCredentials({ database, clock, sealingKey, keySeal, brokerUrl, audit });
  const deviceCommands = makeDeviceCommands({ clock, makeId, devices, audit });
  const announce = (_tx: unknown, told: readonly News[]) => Promise.resolve(void news.push(...told));
  const credit = makeCredit({
    db,
    clock,
    makeId,
    zoneOf: () => "Africa/Nairobi",
    ledger,
    customers,
    devices,
    announce,
  });
  const { contractsOn } = credit;
  // Nothing runs it: what is in PostgreSQL is answered, and the rest says that it is away.
  const history = openHistory({ folder: tmpdir(), owns: false }, { onFault: () => undefined });
  const payouts = makePayouts({
    ledger,
    clock,
    makeId,
    makeCorrelation: randomUUID,
    rails: new Map(),
    onFailed: () => Promise.resolve(),
  });
  const statements = makeStatements({ db, clock, makeId, ledger, storeArrivals, spoolFolder: tmpdir() });
  const messaging = makeMessaging({
    db,
    clock,
    makeId,
    gateways: { sms: makeFakeGateway().gateway },
    ...strangers,
    audience: campaignAudience({ clock, customers, creditOf: () => credit }),
  });
  return {
    access,
    customers,
    talkFigures: makeTalkFigures({ db }),
    devices,
    credentials,
    deviceCommands,
    deviceLife: makeDeviceLife({ clock, credentials, contractsOn, audit }),
    bulkActs: makeBulkActs({ clock, makeId, commands: deviceCommands, credentials, contractsOn, audit }),
    fleet: makeFleet({ db, clock }),
    fleetReports: makeFleetReports({ db, clock, countCommands: (since) => countCommands(db, since) }),
    readings: makeReadings({ db }),
    history: { ...makeSeriesQueries({ db, history }), ...makeRollupQueries({ history }) },
    alerts: { ...makeAlertQueries({ database, clock }), ...makeAlertCommands({ clock, audit }) },
    batteries: makeBatteryQueries(db),
    batteryCommands: makeBatteryCommands({ clock }),
    pins: makePins({ clock, randomBytes }),
    tickets: makeTickets({ clock, makeId, tellTicket: () => Promise.resolve() }),
    ledger,
    receipts: makeReceipts({ ledger, clock, makeId }),
    rails: new Map(),
    intents: makeIntents({ clock, makeId, makeCorrelation: randomUUID, rails: new Map() }),
    payouts,
    desk: makeDesk({
      ledger,
      clock,
      makeId,
      rails: new Map(),
      payouts,
      contracts: deskContracts({ credit, customers }),
      approvalAbove: new Map(),
      parsePhone: customers.parsePhone,
      send: () => Promise.resolve(),
      tellHistory: () => Promise.resolve([]),
    }),
    reconciliations: makeReconciliation({ clock, makeId, rails: new Map() }),
    statements,
    statementImports: makeStatementImports({ statements, clock, makeId }),
    credit,
    messaging,
    inbox: makeInbox({ clock, makeId, language: "en", customers, messaging }),
    cash: makeAgentCash({
      ledger,
      clock,
      makeId,
      zone: "Africa/Nairobi",
      requireContract: async (tx, id) => {
        const found = await credit.find(tx, id);
        if (found === undefined) throw new NotFound("contract", "contractId");
        return { reference: formatAccountNumber(found.accountNumber), currency: found.currency };
      },
    }),
  };
}

/** The GraphQL server on a database of the test file's own, asked over HTTP. */
export function useGraphql({ isProduction = false, wrap = (services: Services) => services } = {}) {
  const database = useDatabase();
  const clock = makeManualClock(new Date("2026-11-20T09:00:00Z"));
  const news: News[] = [];
  const faults: { error: unknown; requestId: string }[] = [];
  let http: Http | undefined;
  let door: GraphqlDoor | undefined;
  let services: Services | undefined;
  let people = 0;

  beforeAll(async () => {
    const { db } = database.current;
    services = wrap(makeServices(database.current, clock, news));
    http = makeHttp({ trustedProxyHops: 1, clock, reportFault: (report) => faults.push(report) });
    const { sourceAddress, requestId } = http;
    door = await makeGraphql({
      services,
      db,
      clock,
      isProduction,
      sourceAddress,
      requestId,
      reportFault: (report) => faults.push(report),
    });
    http.routes.use("/graphql", door.router);
  });
  afterAll(async () => {
    await door?.stop();
  });

  function required<Thing>(thing: Thing | undefined): Thing {
    if (thing === undefined) throw new Error("The server exists only while tests run.");
    return thing;
  }

  async function send(
    body: object,
    { token, address = "192.0.2.1" }: { token?: string; address?: string } = {},
  ): Promise<Answer> {
    const request = supertest(required(http).app).post("/graphql").set("x-forwarded-for", address);
    const response = await (token === undefined ? request : request.set("authorization", `Bearer ${token}`)).send(body);
    const { data, errors } = response.body as Partial<Answer>;
    return { status: response.status, requestId: String(response.headers["x-request-id"]), data: data ?? {}, errors };
  }

  /** A member of staff who is signed in. */
  async function person(role: Role, area: string | null = null): Promise<Person> {
    const { access } = required(services);
    // Ids made in one millisecond have no order between them.
    clock.advance(1);
    const email = `person${++people}@example.org`;
    const passwordHash = await access.hashPassword(PASSWORD);
    const name = `${role} ${people}`;
    await database.current.db.transaction((tx) =>
      access.createStaff(tx, { email, name, role, area, language: "en", passwordHash, actor: "system:test" }),
    );
    const { token } = await access.login({ email, password: PASSWORD, sourceAddress: "192.0.2.1" });
    return { email, token, ask: (query, variables = {}) => send({ query, variables }, { token }) };
  }

  return {
    clock,
    faults,
    news,
    person,
    send,
    ask: (query: string, variables: Readonly<Record<string, unknown>> = {}) => send({ query, variables }),
    get app() {
      return required(http).app;
    },
    get feeds() {
      return required(door).feeds;
    },
    get database() {
      return database.current;
    },
    get services() {
      return required(services);
    },
  };
}
