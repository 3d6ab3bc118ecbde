import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { buildApp, type App } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { formatAccountNumber } from "../../src/credit/credit.ts";
import type { CustomerId } from "../../src/kernel/ids.ts";
import { DAY_MS, MINUTE_MS, makeManualClock } from "../../src/kernel/time.ts";
import { hashSlowly } from "../../src/platform/slow-hash.ts";
import { PLAIN_TERMS } from "../support/village.ts";
import { programEnvironment, settlePayments } from "./program.ts";

export type Language = "en" | "fr" | "sw" | "ha" | "pt" | "lg";

/** A contract as the books had it when the village was built; amounts in minor units. Plain data. */
export interface Contract {
  readonly id: string;
  readonly account: string;
  readonly outstandingMinor: number;
  readonly carriedMinor: number;
  readonly paidUntilMs: number | undefined;
  /** Newest first. */
  readonly payments: readonly { readonly amountMinor: number; readonly atMs: number }[];
}

/** Somebody with a phone. Everybody's name, accounts and tokens are nobody else's. */
export interface Person {
  readonly phone: string;
  readonly language: Language;
  /** Undefined: a stranger. */
  readonly customer: Customer | undefined;
  /** An account that a stranger may prove by its number and PIN; nobody else calls about it. */
  readonly elsewhere: Customer | undefined;
}

export interface Customer {
  readonly id: string;
  readonly name: string;
  readonly language: Language;
  readonly pin: string | undefined;
  readonly takesService: boolean;
  readonly takesMarketing: boolean;
  readonly contracts: readonly Contract[];
}

export interface Village {
  readonly people: readonly Person[];
  /** When the evenings begin: some have light left then, some sit in the dark. */
  readonly eveningMs: number;
}

const LANGUAGES: readonly Language[] = ["en", "sw", "fr"];
/** How many contracts one after the other has, and how many days each was paid for, one payment a day. */
const CONTRACTS = [1, 1, 0, 1, 2, 1, 6, 1];
const DAYS_PAID = [3, 0, 4, 1, 3, 8, 2, 3];
const AFTER_DAYS = 3;
export const PIN = "2580";

/** A word that stands in nobody else's name: "Qabcde". */
export function markOf(number: number): string {
  let [rest, word] = [number, ""];
  for (let letter = 0; letter < 5; letter++) {
    word = String.fromCodePoint(97 + (rest % 26)) + word;
    rest = Math.floor(rest / 26);
  }
  return `Q${word}`;
}

const phoneOf = (number: number): string => `+2547${String(10_000_000 + number)}`;

/** Registers the people, sells and lets them pay through the modules' own faces, and reads back how their contracts stand. */
export async function seedVillage(databaseUrl: string, size: number): Promise<Village> {
  const startedAt = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  const clock = makeManualClock(startedAt);
  const app = await buildApp({ config: parseConfig(programEnvironment({ databaseUrl })), roles: [], clock });
  try {
    const { db } = app.database;
    await db.transaction((tx) => app.credit.plans.create(tx, { code: "evening", name: "Home 60", terms: PLAIN_TERMS }));
    const pinHash = await hashSlowly(PIN, createHash("sha256").update("evening").digest().subarray(0, 16), {
      cost: 1_024,
      blockSize: 8,
      parallelism: 1,
    });
    const people: Person[] = [];
    for (let number = 0; number < size; number++) {
      const language = LANGUAGES[number % 3] ?? "en";
      const phone = phoneOf(number);
      const isStranger = number % 5 === 4;
      const isAway = isStranger && number % 2 === 0;
      const registered =
        isStranger && !isAway
          ? undefined
          : await register(app, {
              number,
              phone: isAway ? phoneOf(1_000_000 + number) : phone,
              pinHash: isAway || number % 3 === 1 ? pinHash : undefined,
              clock,
            });
      people.push({
        phone,
        // Nobody knows a stranger's language.
        language: isStranger ? "en" : language,
        customer: isStranger ? undefined : registered,
        elsewhere: isAway ? registered : undefined,
      });
    }
    const accounts = people.flatMap(({ customer, elsewhere }) =>
      [customer, elsewhere].flatMap((one) => one?.contracts.map(({ account }) => account) ?? []),
    );
    const days = accounts.map((account, at) => ({ account, payments: DAYS_PAID[at % DAYS_PAID.length] ?? 0 }));
    await settlePayments(app, days, { clock, everyMs: MINUTE_MS });
    const contracts = await readContracts(app);
    const withBooks = (one: Customer | undefined): Customer | undefined =>
      one === undefined ? undefined : { ...one, contracts: one.contracts.map(({ id }) => required(contracts.get(id))) };
    return {
      people: people.map((person) => ({
        ...person,
        customer: withBooks(person.customer),
        elsewhere: withBooks(person.elsewhere),
      })),
      eveningMs: startedAt.getTime() + AFTER_DAYS * DAY_MS,
    };
  } finally {
    await app.stop();
  }
}

async function register(
  app: App,
  {
    number,
    phone,
    pinHash,
    clock,
  }: { number: number; phone: string; pinHash: string | undefined; clock: ReturnType<typeof makeManualClock> },
): Promise<Customer> {
  const count = phone === phoneOf(number) ? (CONTRACTS[number % CONTRACTS.length] ?? 1) : 1;
  const language = LANGUAGES[number % 3] ?? "en";
  const consent = { serviceConsent: number % 2 === 0, marketingConsent: number % 7 === 0 };
  return await app.database.db.transaction(async (tx) => {
    const name = `Asha ${markOf(number)}`;
    const customer = await app.customers.register(tx, {
      name,
      language,
      area: "kitui",
      phones: [phone],
      ...consent,
      actor: "test:ussd",
    });
    const contracts: Contract[] = [];
    for (let at = 0; at < count; at++) {
      const serial = `TALK-${String(number).padStart(5, "0")}-${String(at)}`;
      const key = createHash("md5").update(serial).digest("hex");
      await app.devices.importCsv(tx, `Serial Number,Key,Hardware Model\n${serial},${key},Home 60\n`);
      const sold = await app.credit.sell(tx, {
        customerId: customer.id,
        serial,
        planCode: "evening",
        actor: "test:ussd",
      });
      contracts.push({ ...NOTHING_PAID, id: sold.id, account: formatAccountNumber(sold.accountNumber) });
      clock.advance(1_000);
    }
    if (pinHash !== undefined)
      await tx.execute(sql`
        insert into ussd.pins (owner_kind, owner_id, hash, set_at) values ('customer', ${customer.id}::uuid, ${pinHash}, ${clock.now().toISOString()}::timestamptz)`);
    return {
      id: customer.id satisfies CustomerId,
      name,
      language,
      pin: pinHash === undefined ? undefined : PIN,
      takesService: consent.serviceConsent,
      takesMarketing: consent.marketingConsent,
      contracts,
    };
  });
}

const NOTHING_PAID = { outstandingMinor: 0, carriedMinor: 0, paidUntilMs: undefined, payments: [] } as const;

async function readContracts(app: App): Promise<ReadonlyMap<string, Contract>> {
  const rows = await app.database.db.execute<{
    id: string;
    account: string;
    outstanding: string;
    carried: string;
    until: string | null;
    payments: { amount: number; at: string }[];
  }>(sql`
    select c.id, 'PG-' || c.account_number as account, c.outstanding_minor as outstanding, c.carried_minor as carried,
      coalesce(c.lamp_until_at, c.paid_until_at) as until,
      coalesce((select json_agg(json_build_object('amount', a.received_minor, 'at', a.paid_at) order by a.paid_at desc)
        from credit.allocations a where a.contract_id = c.id), '[]') as payments
    from credit.contracts c`);
  return new Map(
    rows.map((row) => [
      row.id,
      {
        id: row.id,
        account: row.account,
        outstandingMinor: Number(row.outstanding),
        carriedMinor: Number(row.carried),
        paidUntilMs: row.until === null ? undefined : new Date(row.until).getTime(),
        payments: row.payments.map(({ amount, at }) => ({ amountMinor: amount, atMs: new Date(at).getTime() })),
      },
    ]),
  );
}

export function required<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new Error("Bug of the run: nothing is here.");
  return item;
}
