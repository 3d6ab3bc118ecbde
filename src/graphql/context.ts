import type { Access, Staff } from "../access/access.ts";
import { NotSignedIn } from "../access/access.ts";
import type { Credit } from "../credit/credit.ts";
import type { Customers } from "../customers/customers.ts";
import type { BulkActs, Credentials, DeviceCommands, DeviceLife, Devices } from "../devices/devices.ts";
import type { Clock } from "../kernel/time.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Messaging } from "../messaging/messaging.ts";
import type {
  AgentCash,
  Desk,
  Intents,
  OpenRails,
  Payouts,
  Receipts,
  Reconciliations,
  StatementImports,
  Statements,
} from "../payments/payments.ts";
import type { Db } from "../platform/database.ts";
import type {
  AlertCommands,
  AlertQueries,
  BatteryCommands,
  BatteryQueries,
  Fleet,
  FleetReports,
  Readings,
  RollupQueries,
  SeriesQueries,
} from "../telemetry/telemetry.ts";
import type { Inbox, Pins, TalkFigureQueries, Tickets } from "../ussd/ussd.ts";
import type { Feeds } from "./feeds.ts";

/** The faces that resolvers call; `app.ts` fills it. */
export interface Services {
  readonly access: Access;
  readonly customers: Customers;
  readonly devices: Devices;
  readonly ledger: Ledger;
  readonly receipts: Receipts;
  readonly rails: OpenRails;
  readonly intents: Intents;
  readonly payouts: Payouts;
  readonly reconciliations: Reconciliations;
  readonly statements: Statements;
  readonly statementImports: StatementImports;
  readonly credit: Credit;
  readonly cash: AgentCash;
  readonly messaging: Messaging;
  readonly desk: Desk;
  readonly deviceLife: DeviceLife;
  readonly bulkActs: BulkActs;
  readonly deviceCommands: DeviceCommands;
  readonly credentials: Credentials;
  readonly fleet: Fleet;
  readonly fleetReports: FleetReports;
  readonly readings: Readings;
  /** Lines over any time, hours and days. */
  readonly history: Pick<SeriesQueries & RollupQueries, "series" | "rollups">;
  readonly alerts: AlertQueries & AlertCommands;
  readonly batteries: BatteryQueries;
  readonly talkFigures: TalkFigureQueries;
  readonly batteryCommands: BatteryCommands;
  readonly pins: Pick<Pins, "forget">;
  readonly tickets: Tickets;
  readonly inbox: Inbox;
}

/** What every resolver is given. There is no transaction in it: a mutation opens its own. */
export interface GraphqlContext {
  readonly actor: Staff | null;
  /** The bearer token as it came, for logging out; null when none came. */
  readonly sessionToken: string | null;
  readonly sourceAddress: string;
  readonly requestId: string;
  readonly services: Services;
  /** What streams hear of. */
  readonly feeds: Feeds;
  readonly db: Db;
  readonly clock: Clock;
}

/** The signed-in person. Throws `NotSignedIn`; fields behind a scope never see that. */
export function requireActor(context: GraphqlContext): Staff {
  if (context.actor === null) throw new NotSignedIn();
  return context.actor;
}

/** The token of an `Authorization: Bearer …` header. */
export function bearerToken(header: string | undefined): string | null {
  return /^Bearer ([A-Za-z0-9_-]{20,200})$/i.exec(header ?? "")?.[1] ?? null;
}
