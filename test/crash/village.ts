import { createHash } from "node:crypto";
import { everyChannel } from "../../simulators/rail/channels.ts";
import { buildApp, type App } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { formatAccountNumber, type Terms } from "../../src/credit/credit.ts";
import type { StaffId } from "../../src/kernel/ids.ts";
import { parseCurrency } from "../../src/kernel/money.ts";
import { rational } from "../../src/kernel/rational.ts";
import type { Chance } from "./chance.ts";

/** A contract that the run pays for, as it stood before the first payment. */
export interface Household {
  readonly accountNumber: string;
  readonly contractId: string;
  readonly deviceId: string;
  readonly startCount: number;
  readonly phone: string | undefined;
}

/** A contract in a country of one of the simulated channels, which asks for its money. */
export interface RailHousehold extends Household {
  readonly channel: string;
  readonly currency: string;
}

/** Who works in the run: sessions of the office and of an agent. */
export interface Staff {
  readonly office: string;
  readonly agent: string;
}

const DAILY: Terms = {
  currency: "KES",
  depositMinor: 0n,
  depositBuysTime: true,
  totalMinor: 500_000n,
  price: rational(5_000n),
  priceSeconds: 86_400,
  minimumPaymentMinor: 1_000n,
  freeSeconds: 0,
  instalmentDays: 7,
  graceDays: 0,
};

/** Contracts that end during the run, long ones with a deposit, and a rent so cheap that one payment takes two tokens. */
const PLANS: Readonly<Record<string, Terms>> = {
  "soon-paid": DAILY,
  "long-with-deposit": { ...DAILY, depositMinor: 30_000n, depositBuysTime: false, totalMinor: 900_000_000n },
  "cheap-rent": { ...DAILY, totalMinor: null, price: rational(100n), minimumPaymentMinor: 100n },
  "by-the-hour": { ...DAILY, totalMinor: 900_000_000n, price: rational(190_000n, 336n), priceSeconds: 3_600 },
};

/** Makes the contracts and the staff through the modules' own faces, before any process of the run starts. */
export async function seedVillage(
  environment: Record<string, string>,
  { contracts, chance, clock }: { contracts: number; chance: Chance; clock: { now(): Date } },
): Promise<{ households: readonly Household[]; railHouseholds: readonly RailHousehold[]; staff: Staff }> {
  const app = await buildApp({ config: parseConfig(environment), roles: [], clock });
  try {
    const staff = await hire(app);
    const railHouseholds = await sellAbroad(app);
    const households = await app.database.db.transaction(async (tx) => {
      for (const [code, terms] of Object.entries(PLANS)) await app.credit.plans.create(tx, { code, name: code, terms });
      const codes = Object.keys(PLANS);
      const households: Household[] = [];
      for (let at = 0; at < contracts; at++) {
        const planCode = codes[at % codes.length] ?? "";
        const serial = `CRASH-${String(at).padStart(5, "0")}`;
        const key = createHash("md5").update(serial).digest("hex");
        const startCount = 1 + chance.below(9);
        const phone = chance.happens(0.85) ? `+2547${String(10_000_000 + at)}` : undefined;
        await app.devices.importCsv(
          tx,
          `Serial Number,Key,Count,Time Divider,Hardware Model\n${serial},${key},${startCount},${planCode === "by-the-hour" ? 24 : 1},Home 60\n`,
        );
        const customer = await app.customers.register(tx, {
          name: `Household ${at}`,
          language: chance.pick(["en", "fr", "sw"] as const),
          area: "kitui",
          phones: phone === undefined ? [] : [phone],
          serviceConsent: true,
          marketingConsent: false,
          actor: "crash",
        });
        const contract = await app.credit.sell(tx, { customerId: customer.id, serial, planCode, actor: "crash" });
        households.push({
          accountNumber: formatAccountNumber(contract.accountNumber),
          contractId: contract.id,
          deviceId: contract.deviceId,
          startCount,
          phone,
        });
      }
      return households;
    });
    return { households, railHouseholds, staff };
  } finally {
    await app.stop();
  }
}

const AREA = "kitui";
const CONTRACTS_ABROAD = 5;
/** First digits of a mobile number, with six more behind. */
const PHONES: Readonly<Record<string, string>> = {
  KE: "+254720",
  UG: "+256770",
  ZM: "+260970",
  CI: "+2250700",
  SN: "+221770",
  GH: "+233240",
  RW: "+250780",
  TZ: "+255750",
};
const LIMIT_MINOR = 100_000_000_000n;

async function hire(app: App): Promise<Staff> {
  const password = "crash-crash-crash";
  const passwordHash = await app.access.hashPassword(password);
  const people = [
    { email: "office@crash.test", name: "Office", role: "operations", area: null },
    { email: "agent@crash.test", name: "Agent", role: "agent", area: AREA },
  ] as const;
  await app.database.db.transaction(async (tx) => {
    for (const person of people)
      await app.access.createStaff(tx, { ...person, language: "en", passwordHash, actor: "crash" });
    const by = { id: "00000000-0000-7000-8000-000000000000" as StaffId, role: "admin" as const, actor: "crash" };
    for (const currency of new Set(everyChannel.map((channel) => parseCurrency(channel.currency))))
      await app.cash.setLimit(tx, { agentId: null, currency, limitMinor: LIMIT_MINOR, by });
  });
  const sessions = [];
  for (const { email } of people)
    sessions.push(await app.access.login({ email, password, sourceAddress: "127.0.0.1" }));
  return { office: sessions[0]?.token ?? "", agent: sessions[1]?.token ?? "" };
}

/** Contracts in each channel's own currency, whose price no run can reach. */
async function sellAbroad(app: App): Promise<readonly RailHousehold[]> {
  return await app.database.db.transaction(async (tx) => {
    const households: RailHousehold[] = [];
    for (const { name: channel, country, currency: code } of everyChannel) {
      const currency = parseCurrency(code);
      const planCode = `abroad-${channel}`;
      await app.credit.plans.create(tx, {
        code: planCode,
        name: planCode,
        terms: { ...DAILY, currency, totalMinor: 900_000_000n, minimumPaymentMinor: 100n },
      });
      for (let at = 0; at < CONTRACTS_ABROAD; at++) {
        const serial = `ABROAD-${channel}-${at}`;
        const key = createHash("md5").update(serial).digest("hex");
        await app.devices.importCsv(
          tx,
          `Serial Number,Key,Count,Time Divider,Hardware Model\n${serial},${key},1,1,Home 60\n`,
        );
        const phone = `${PHONES[country] ?? ""}${String(100_000 + at)}`;
        const customer = await app.customers.register(tx, {
          name: `Household ${channel} ${at}`,
          language: "en",
          area: AREA,
          phones: [phone],
          serviceConsent: true,
          marketingConsent: false,
          actor: "crash",
        });
        const contract = await app.credit.sell(tx, { customerId: customer.id, serial, planCode, actor: "crash" });
        households.push({
          accountNumber: formatAccountNumber(contract.accountNumber),
          contractId: contract.id,
          deviceId: contract.deviceId,
          startCount: 1,
          phone,
          channel,
          currency,
        });
      }
    }
    return households;
  });
}
