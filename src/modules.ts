import { randomBytes, randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeAccess, type Access } from "./access/access.ts";
import { announcementOf } from "./announcement.ts";
import { channelsOf, type Config } from "./config.ts";
import { formatAccountNumber, makeCredit, type Credit } from "./credit/credit.ts";
import { makeCustomers, type Customers } from "./customers/customers.ts";
import { deskContracts, tellDeskHistory } from "./desk-rooms.ts";
import {
  makeBulkActs,
  makeCredentials,
  makeDeviceCommands,
  makeDeviceLife,
  makeDevices,
  makeSpeakers,
  countCommands,
  type BulkActs,
  type Credentials,
  type DeviceCommands,
  type DeviceLife,
  type Devices,
  type Speakers,
} from "./devices/devices.ts";
import { makeKeySeal } from "./devices/key-seal.ts";
import { batteryRoom } from "./fleet-rooms.ts";
import type { MakeId } from "./kernel/ids.ts";
import { NotFound } from "./kernel/refusal.ts";
import { MINUTE_MS, type Clock } from "./kernel/time.ts";
import { chatGateways } from "./phone-rooms.ts";
import { makeLedger, type Ledger } from "./ledger/ledger.ts";
import { makeAfricasTalkingGateway } from "./messaging/gateway.africastalking.ts";
import { makeMessaging, type Messaging } from "./messaging/messaging.ts";
import { campaignAudience, messageManners, zoneOfCurrency } from "./message-rooms.ts";
import { storeArrivals } from "./payments/inbox/arrivals.store.ts";
import {
  makeAgentCash,
  makeDesk,
  makeIntents,
  makePayoutReturns,
  makePayouts,
  makeReceipts,
  makeReconciliation,
  makeStatementImports,
  makeStatements,
  openRails,
  type AgentCash,
  type ChannelConfig,
  type Desk,
  type Intents,
  type OpenRails,
  type Payouts,
  type Receipts,
  type Reconciliations,
  type StatementImports,
  type Statements,
} from "./payments/payments.ts";
import type { Database } from "./platform/database.ts";
import {
  makeAlertCommands,
  makeAlertQueries,
  makeBatteryCommands,
  makeBatteryQueries,
  makeDataFormats,
  makeFleet,
  makeFleetReports,
  makeReadings,
  type AlertCommands,
  type AlertQueries,
  type BatteryCommands,
  type BatteryQueries,
  type DataFormats,
  type Fleet,
  type FleetReports,
  type Readings,
} from "./telemetry/telemetry.ts";
import { agentRoom, readingsRoom, simSwapRoom, ticketRoom } from "./talk-rooms.ts";
import {
  makeChats,
  makeInbox,
  makePins,
  makeSessionEnds,
  makeTalk,
  makeTalkFigures,
  makeTalkSeal,
  makeTickets,
  type Chats,
  type Inbox,
  type Pins,
  type SessionEnds,
  type SimSwaps,
  type Talk,
  type TalkFigureQueries,
  type Tickets,
} from "./ussd/ussd.ts";
import { makeOutboundHttp, type OutboundSettings } from "./platform/outbound-http.ts";

/** The modules' faces, built once and wired to each other. */
export interface Modules {
  readonly access: Access;
  readonly customers: Customers;
  readonly devices: Devices;
  readonly credentials: Credentials;
  readonly deviceCommands: DeviceCommands;
  readonly deviceLife: DeviceLife;
  readonly bulkActs: BulkActs;
  readonly speakers: Speakers;
  readonly ledger: Ledger;
  readonly receipts: Receipts;
  readonly rails: OpenRails;
  readonly intents: Intents;
  readonly payouts: Payouts;
  readonly desk: Desk;
  readonly statements: Statements;
  readonly statementImports: StatementImports;
  readonly reconciliations: Reconciliations;
  readonly credit: Credit;
  readonly cash: AgentCash;
  readonly messaging: Messaging;
  readonly talk: Talk;
  readonly pins: Pins;
  readonly simSwaps: SimSwaps;
  readonly tickets: Tickets;
  readonly chats: Chats;
  readonly inbox: Inbox;
  readonly sessionEnds: SessionEnds;
  readonly talkFigures: TalkFigureQueries;
  readonly fleet: Fleet;
  readonly fleetReports: FleetReports;
  readonly batteries: BatteryQueries;
  readonly batteryCommands: BatteryCommands;
  readonly dataFormats: DataFormats;
  readonly readings: Readings;
  readonly alerts: AlertQueries & AlertCommands;
}

/** Builds every module and wires what one needs from another; nothing runs yet. */
export function makeModules({
  config,
  database,
  clock,
  makeId,
  publicUrl,
  brokerUrl,
  outbound,
}: {
  config: Config;
  database: Database;
  clock: Clock;
  makeId: MakeId;
  publicUrl: () => string;
  brokerUrl: () => string;
  outbound: Partial<OutboundSettings>;
}): Modules {
  const { db } = database;
  if (config.sealingKey === undefined) throw new Error("WASHA_KEY is needed.");
  const ledger = makeLedger({ clock, makeId });
  const customers = makeCustomers({ clock, makeId, country: config.country });
  const keySeal = makeKeySeal(config.sealingKey);
  const batteryCommands = makeBatteryCommands({ clock });
  const devices = makeDevices({
    clock,
    makeId,
    keySeal,
    airPolicy: config.tokenByAir,
    fallbackMs: config.tokenByAirMinutes * MINUTE_MS,
    batteries: batteryRoom(batteryCommands),
  });
  const gateway = makeAfricasTalkingGateway({
    username: config.smsUsername ?? "unset",
    apiKey: config.smsApiKey ?? "unset",
    ...(config.smsSender === undefined ? {} : { from: config.smsSender }),
    ...(config.smsBaseUrl === undefined ? {} : { baseUrl: config.smsBaseUrl }),
  });
  const messaging = makeMessaging({
    db,
    clock,
    makeId,
    gateways: { sms: gateway, ...chatGateways(config, { clock, ...outbound }) },
    settings: config.messages,
    manners: messageManners(config, customers),
    audience: campaignAudience({ clock, customers, creditOf: () => credit }),
  });
  const credit: Credit = makeCredit({
    db,
    clock,
    makeId,
    zoneOf: (currency) => zoneOfCurrency(config, currency),
    ledger,
    customers,
    devices,
    announce: (tx, news) => messaging.append(tx, news.flatMap(announcementOf)),
  });
  const rails = openRails({
    channels: channelsOf(config),
    publicUrl,
    clock,
    httpFor: (channel) => makeOutboundHttp({ baseUrl: baseUrlOf(channel), clock, ...rateOf(channel), ...outbound }),
  });
  const access = makeAccess({ db, clock, makeId });
  const { audit } = access;
  const { sealingKey } = config;
  const credentials = makeCredentials({ database, clock, sealingKey, keySeal, brokerUrl, audit });
  const deviceCommands = makeDeviceCommands({ clock, makeId, devices, audit });
  const { contractsOn } = credit;
  const intents = makeIntents({ clock, makeId, makeCorrelation: randomUUID, rails });
  const payouts = makePayouts({
    ledger,
    clock,
    makeId,
    makeCorrelation: randomUUID,
    rails,
    onFailed: makePayoutReturns({ clock, makeId, returnRefundable: credit.returnRefundable }),
  });
  const statements = makeStatements({
    db,
    clock,
    makeId,
    ledger,
    storeArrivals,
    spoolFolder: join(tmpdir(), "washa-statements"),
  });
  const cash = makeAgentCash({
    ledger,
    clock,
    makeId,
    zone: config.zone,
    requireContract: async (tx, id) => {
      const found = await credit.find(tx, id);
      if (found === undefined) throw new NotFound("contract", "contractId");
      return { reference: formatAccountNumber(found.accountNumber), currency: found.currency };
    },
  });
  const pins = makePins({ clock, randomBytes });
  const tellTicket = ticketRoom(messaging);
  const simSwaps = simSwapRoom({ config, clock, outbound });
  // One dialogue for USSD and chats.
  const dialogue = {
    db,
    clock,
    makeId,
    seal: makeTalkSeal(sealingKey),
    zone: config.zone,
    language: "en" as const,
    customers,
    credit,
    devices,
    intents,
    pins,
    simSwaps,
    cash,
    audit,
    findAgent: agentRoom(access),
    readDevice: readingsRoom({ devices, clock }),
    tellTicket,
    paybillOf: (currency: string) => paybillOf(rails, currency),
  };
  return {
    access,
    customers,
    devices,
    credentials,
    deviceCommands,
    deviceLife: makeDeviceLife({ clock, credentials, contractsOn, audit }),
    bulkActs: makeBulkActs({ clock, makeId, commands: deviceCommands, credentials, contractsOn, audit }),
    speakers: makeSpeakers({ database, clock, keySeal }),
    ledger,
    receipts: makeReceipts({ ledger, clock, makeId }),
    cash,
    rails,
    intents,
    pins,
    simSwaps,
    tickets: makeTickets({ clock, makeId, tellTicket }),
    talk: makeTalk(dialogue),
    chats: makeChats({ ...dialogue, messaging }),
    inbox: makeInbox({ ...dialogue, messaging }),
    sessionEnds: makeSessionEnds({ db, clock }),
    talkFigures: makeTalkFigures({ db }),
    payouts,
    desk: makeDesk({
      ledger,
      clock,
      makeId,
      rails,
      payouts,
      contracts: deskContracts({ credit, customers }),
      approvalAbove: config.approvalAbove,
      parsePhone: customers.parsePhone,
      send: (tx, message) => messaging.append(tx, [message]),
      tellHistory: tellDeskHistory({ access, credit, devices, messaging }),
    }),
    statements,
    statementImports: makeStatementImports({ statements, clock, makeId }),
    reconciliations: makeReconciliation({ clock, makeId, rails }),
    credit,
    messaging,
    fleet: makeFleet({ db, clock }),
    fleetReports: makeFleetReports({ db, clock, countCommands: (since) => countCommands(db, since) }),
    batteries: makeBatteryQueries(db),
    batteryCommands,
    dataFormats: makeDataFormats({ database, clock }),
    readings: makeReadings({ db }),
    alerts: { ...makeAlertQueries({ database, clock }), ...makeAlertCommands({ clock, audit: access.audit }) },
  };
}

/** The number that customers of a currency pay to by hand: the first channel that has one. */
function paybillOf(rails: OpenRails, currency: string): string | undefined {
  for (const { rail, config } of rails.values())
    if (config.currency === currency && rail.payTo !== undefined) return rail.payTo;
  return undefined;
}

/** A limit below one request a second is a longer window, not a part of a request. */
function rateOf({ requestsPerSecond: rate }: ChannelConfig): Pick<OutboundSettings, "rate"> {
  if (rate === undefined) return {};
  return {
    rate: rate >= 1 ? { requests: Math.floor(rate), perMs: 1_000 } : { requests: 1, perMs: Math.ceil(1_000 / rate) },
  };
}

/** Every adapter has this setting; its own check refused a channel without. */
function baseUrlOf({ name, settings }: ChannelConfig): string {
  if (
    typeof settings === "object" &&
    settings !== null &&
    "baseUrl" in settings &&
    typeof settings.baseUrl === "string"
  )
    return settings.baseUrl;
  throw new Error(`Bug: channel ${name} has no base URL.`);
}
