import { createHash } from "node:crypto";
import { everyChannel } from "../../simulators/rail/channels.ts";
import { buildApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { formatAccountNumber, type Terms } from "../../src/credit/credit.ts";
import { parseCurrency } from "../../src/kernel/money.ts";
import { rational } from "../../src/kernel/rational.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { DAY_FROM, programEnvironment } from "./program.ts";

/** A contract of the village as it stood before the first payment. Plain data: it is handed to other processes. */
export interface Household {
  readonly accountNumber: string;
  readonly contractId: string;
  readonly deviceId: string;
  readonly startCount: number;
  /** E.164 with plus. */
  readonly phone: string;
  readonly country: string;
  readonly currency: string;
  /** What a day costs, in whole units of the currency. */
  readonly dayPriceMinor: number;
  /** Undefined: rent without end. */
  readonly outstandingMinor: string | undefined;
}

interface Place {
  readonly country: string;
  readonly phonesFrom: string;
  readonly dayPriceMinor: number;
}

/** Where the simulated channels are at home; phones have so many digits more behind their first ones. */
const PLACES: Readonly<Record<string, Place>> = {
  KE: { country: "KE", phonesFrom: "+2547100", dayPriceMinor: 5_000 },
  UG: { country: "UG", phonesFrom: "+2567700", dayPriceMinor: 1_800 },
  ZM: { country: "ZM", phonesFrom: "+2609700", dayPriceMinor: 800 },
  CI: { country: "CI", phonesFrom: "+22507000", dayPriceMinor: 300 },
  SN: { country: "SN", phonesFrom: "+2217700", dayPriceMinor: 250 },
  GH: { country: "GH", phonesFrom: "+2332400", dayPriceMinor: 400 },
  RW: { country: "RW", phonesFrom: "+2507800", dayPriceMinor: 500 },
  TZ: { country: "TZ", phonesFrom: "+2557500", dayPriceMinor: 100_000 },
};

/** Contracts that end during the day, long ones with a deposit, a rent, and one that is paid by the hour. */
function plansOf({ dayPriceMinor }: Place, currency: string): Readonly<Record<string, Terms>> {
  const price = BigInt(dayPriceMinor);
  const daily: Terms = {
    currency: parseCurrency(currency),
    depositMinor: 0n,
    depositBuysTime: true,
    totalMinor: price * 20n,
    price: rational(price),
    priceSeconds: 86_400,
    minimumPaymentMinor: price / 5n,
    freeSeconds: 0,
    instalmentDays: 7,
    graceDays: 0,
  };
  return {
    "soon-paid": daily,
    long: { ...daily, depositMinor: price * 3n, depositBuysTime: false, totalMinor: price * 5_000n },
    rent: { ...daily, totalMinor: null },
    "by-the-hour": { ...daily, totalMinor: price * 5_000n, price: rational(price * 7n, 160n), priceSeconds: 3_600 },
  };
}

const OUTSTANDING = new Set(["soon-paid", "long", "by-the-hour"]);

/** Sells so many systems in each of the channels' countries, through the modules' own faces. */
export async function seedVillage(databaseUrl: string, contractsEach: number): Promise<readonly Household[]> {
  const clock = makeManualClock(new Date(DAY_FROM.getTime() - 30 * 86_400_000));
  const app = await buildApp({
    config: parseConfig(programEnvironment({ databaseUrl, port: 0 })),
    roles: [],
    clock,
  });
  try {
    const villages: (readonly Household[])[] = [];
    // One after another: two countries of one currency sell through the same accounts.
    for (const { country, currency } of everyChannel)
      villages.push(await sellIn(app, { country, currency, contracts: contractsEach }));
    return villages.flat();
  } finally {
    await app.stop();
  }
}

async function sellIn(
  app: Awaited<ReturnType<typeof buildApp>>,
  { country, currency, contracts }: { country: string; currency: string; contracts: number },
): Promise<readonly Household[]> {
  const place = PLACES[country];
  if (place === undefined) throw new Error(`The village has no place in ${country}.`);
  const plans = plansOf(place, currency);
  const codes = Object.keys(plans);
  return await app.database.db.transaction(async (tx) => {
    for (const [code, terms] of Object.entries(plans))
      await app.credit.plans.create(tx, { code: `${country.toLowerCase()}-${code}`, name: code, terms });
    const serialOf = (at: number): string => `RAILS-${country}-${String(at).padStart(4, "0")}`;
    const codeOf = (at: number): string => codes[at % codes.length] ?? "";
    const lines = Array.from({ length: contracts }, (_, at) =>
      [serialOf(at), md5(serialOf(at)), 1 + (at % 9), codeOf(at) === "by-the-hour" ? 24 : 1, "Home 60"].join(","),
    );
    await app.devices.importCsv(tx, `Serial Number,Key,Count,Time Divider,Hardware Model\n${lines.join("\n")}\n`);
    const households: Household[] = [];
    for (let at = 0; at < contracts; at++) {
      const phone = `${place.phonesFrom}${String(10_000 + at)}`;
      const customer = await app.customers.register(tx, {
        name: `Household ${country} ${at}`,
        language: "en",
        area: country.toLowerCase(),
        phones: [phone],
        serviceConsent: false,
        marketingConsent: false,
        actor: "test:rails",
      });
      const order = {
        customerId: customer.id,
        serial: serialOf(at),
        planCode: `${country.toLowerCase()}-${codeOf(at)}`,
      };
      const contract = await app.credit.sell(tx, { ...order, actor: "test:rails" });
      households.push({
        accountNumber: formatAccountNumber(contract.accountNumber),
        contractId: contract.id,
        deviceId: contract.deviceId,
        startCount: 1 + (at % 9),
        phone,
        country,
        currency,
        dayPriceMinor: place.dayPriceMinor,
        outstandingMinor: OUTSTANDING.has(codeOf(at)) ? String(contract.outstandingMinor) : undefined,
      });
    }
    return households;
  });
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
