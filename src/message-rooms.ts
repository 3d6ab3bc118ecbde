import { sql, type SQL } from "drizzle-orm";
import { Gauge, type Registry } from "prom-client";
import type { Config } from "./config.ts";
import { formatAccountNumber, type Contract, type Credit } from "./credit/credit.ts";
import { countryOf, type Customer, type Customers } from "./customers/customers.ts";
import type { ContractId, CustomerId } from "./kernel/ids.ts";
import { CURRENCIES, type Currency } from "./kernel/money.ts";
import { DAY_MS, MINUTE_MS, SECOND_MS, type Clock } from "./kernel/time.ts";
import { startMessageJobs } from "./messaging/messaging.jobs.ts";
import {
  makeReminders,
  type Audience,
  type Manners,
  type Messaging,
  type Person,
  type Reminders,
  type Segment,
} from "./messaging/messaging.ts";
import { column, type Database } from "./platform/database.ts";
import type { Jobs } from "./platform/jobs.ts";
import { telegramChatsOf } from "./ussd/ussd.ts";

/** The currency's home among the countries where the company works, the operator's own zone for any other. */
export function zoneOfCurrency(config: Config, currency: Currency): string {
  return config.countries.find((one) => one.currency === currency)?.zone ?? config.zone;
}

/** What messaging asks about people, whom it does not know. */
export function messageManners(config: Config, customers: Pick<Customers, "findMany">): Manners {
  return {
    zone: config.zone,
    zoneOf(phone) {
      const country = phone.startsWith("+") ? countryOf(phone as `+${string}`) : undefined;
      return config.countries.find((one) => one.country === country)?.zone ?? config.zone;
    },
    async consents(tx, ids) {
      const found = await customers.findMany(tx, ids as readonly CustomerId[]);
      return new Map([...found].map(([id, customer]) => [id, consentsOf(customer)]));
    },
    chatsOf: telegramChatsOf,
  };
}

function consentsOf({ serviceConsentAt, marketingConsentAt }: Customer) {
  return { service: serviceConsentAt !== null, marketing: marketingConsentAt !== null };
}

/** Whom campaigns may be for: customers with a phone, and the contract that a text would speak of. */
export function campaignAudience({
  clock,
  customers,
  creditOf,
}: {
  clock: Clock;
  customers: Pick<Customers, "findMany">;
  creditOf: () => Pick<Credit, "findMany">;
}): Audience {
  return {
    select: selectPeople,
    async peopleOf(db, recipients) {
      const people = await customers.findMany(
        db,
        recipients.map(({ customerId }) => customerId as CustomerId),
      );
      const contracts = await creditOf().findMany(
        db,
        recipients.flatMap(({ contractId }) => (contractId === null ? [] : [contractId as ContractId])),
      );
      return new Map(
        recipients.flatMap(({ customerId, contractId }): [string, Person][] => {
          const customer = people.get(customerId as CustomerId);
          return customer === undefined
            ? []
            : [[customerId, personOf(customer, contracts.get(contractId as ContractId), clock.now())]];
        }),
      );
    },
  };
}

function personOf(customer: Customer, contract: Contract | undefined, now: Date): Person {
  const leftMs = (contract?.lampUntilAt ?? now).getTime() - now.getTime();
  return {
    name: customer.name,
    language: customer.language,
    wantsMarketing: customer.marketingConsentAt !== null,
    account: contract === undefined ? undefined : formatAccountNumber(contract.accountNumber),
    days: contract?.state === "active" ? String(Math.max(Math.ceil(leftMs / DAY_MS), 0)) : undefined,
  };
}

/** One row a phone: of a family that shares one, and of a customer with several contracts, the running and newest one counts. */
function selectPeople({ areas, languages, planCodes, states, daysLeft }: Segment, now: Date): SQL {
  const at = sql`${now.toISOString()}::timestamptz`;
  const among = (place: SQL, values: readonly string[] | undefined): SQL =>
    values === undefined ? sql`true` : sql`${place} = any(${column(values, "text")})`;
  const days = sql`ceil(extract(epoch from c.lamp_until_at - ${at}) / 86400)`;
  const from = daysLeft?.from === undefined ? sql`true` : sql`${days} >= ${daysLeft.from}`;
  const to = daysLeft?.to === undefined ? sql`true` : sql`${days} <= ${daysLeft.to}`;
  const isActive = daysLeft === undefined ? sql`true` : sql`c.state = 'active'`;
  return sql`
    select distinct on (p.e164) u.id as customer_id, p.e164 as phone, c.id as contract_id
    from customers.customers u
      join customers.phones p on p.customer_id = u.id and p.is_primary
      left join credit.contracts c on c.customer_id = u.id
      left join credit.plan_versions v on v.id = c.plan_version_id
      left join credit.plans l on l.id = v.plan_id
    where ${among(sql`u.area`, areas)} and ${among(sql`u.language`, languages)} and ${among(sql`l.code`, planCodes)}
      and ${among(sql`c.state`, states)} and ${isActive} and ${from} and ${to}
    order by p.e164, c.state = 'active' desc nulls last, c.sold_at desc, u.id`;
}

/** Reminders, with what they need of contracts and customers. */
export function openReminders({
  config,
  database,
  clock,
  modules: { credit, customers, messaging },
}: {
  config: Config;
  database: Database;
  clock: Clock;
  modules: { credit: Credit; customers: Customers; messaging: Messaging };
}): Reminders {
  return makeReminders({
    db: database.db,
    clock,
    settings: config.messages,
    manners: messageManners(config, customers),
    zones: [...new Set(CURRENCIES.map((currency) => zoneOfCurrency(config, currency)))],
    messaging,
    async takeDue(tx, wish) {
      const due = await credit.dueReminders(tx, wish);
      return due.map(({ accountNumber, ...one }) => ({ ...one, account: formatAccountNumber(accountNumber) }));
    },
    async peopleOf(tx, ids) {
      const people = await customers.findMany(tx, ids as readonly CustomerId[]);
      return new Map(
        [...people].map(([id, customer]) => [
          id,
          { phone: customer.phones[0], language: customer.language, wantsService: consentsOf(customer).service },
        ]),
      );
    },
  });
}

const PAUSE_MS = 2 * SECOND_MS;
const REMINDERS_EVERY_MS = 5 * MINUTE_MS;
const FORGET_EVERY_MS = DAY_MS;
const REMINDERS_KEPT_MS = 30 * DAY_MS;

/**
 * All that the worker does about messages: it sends them as their jobs come, hands over those that had to wait, goes on with campaigns,
 * reminds, and says once a day and currency that the cost cap made something wait.
 */
export async function openMessageWork(rooms: {
  config: Config;
  modules: { credit: Credit; customers: Customers; messaging: Messaging };
  database: Database;
  clock: Clock;
  jobs: Pick<Jobs, "work">;
  log: { warn(facts: object, text: string): void };
}): Promise<{ stop(): Promise<void> }> {
  const { modules, database, clock, log } = rooms;
  const { messaging, credit } = modules;
  const reminders = openReminders(rooms);
  const onFault = (error: unknown): void => log.warn({ error }, "A step of the messages failed; it is tried again.");
  const messageJobs = await startMessageJobs({ jobs: rooms.jobs, messaging, onFault });
  const isDue = makeEvery(clock);
  let isStopping = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  async function round(): Promise<void> {
    await messaging.releaseDeferred();
    while (!isStopping && (await messaging.campaigns.step()) > 0);
    if (isDue("reminders", REMINDERS_EVERY_MS)) await reminders.once();
    for (const { onDay, ...cost } of await messaging.takeUntoldCaps())
      log.warn({ onDay, cost }, "The day's cost cap of messages is reached: campaigns or reminders wait for tomorrow.");
    if (!isDue("forget", FORGET_EVERY_MS)) return;
    await messaging.forgetOld();
    const before = new Date(clock.now().getTime() - REMINDERS_KEPT_MS);
    await database.db.transaction((tx) => credit.forgetReminders(tx, before));
  }

  function again(): void {
    timer = setTimeout(() => {
      running = round()
        .catch(onFault)
        .finally(() => (isStopping ? undefined : again()));
    }, PAUSE_MS);
  }
  again();
  return {
    async stop() {
      isStopping = true;
      clearTimeout(timer);
      await running;
      await messageJobs.stop();
    },
  };
}

/** Tells whether something was last done so long ago, and takes it for done now. */
function makeEvery(clock: Clock): (what: string, everyMs: number) => boolean {
  const last = new Map<string, number>();
  return (what, everyMs) => {
    const now = clock.now().getTime();
    const before = last.get(what);
    if (before !== undefined && now - before < everyMs) return false;
    last.set(what, now);
    return true;
  };
}

/** What messages cost today, for those who watch the program. */
export function watchMessages(
  registry: Registry,
  { database, messaging }: { database: Database; messaging: Messaging },
): void {
  new Gauge({
    name: "washa_message_cost_today",
    help: "What messages cost on this day of the operator's zone, in whole units of the currency.",
    labelNames: ["currency"],
    registers: [registry],
    async collect() {
      this.reset();
      for (const { amount, currency } of await messaging.costToday(database.db)) this.set({ currency }, Number(amount));
    },
  });
}
