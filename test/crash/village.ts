import { createHash } from "node:crypto";
import { buildApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { formatAccountNumber, type Terms } from "../../src/credit/credit.ts";
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

/** Makes the contracts through the modules' own faces, before any process of the run starts. */
export async function seedVillage(
  environment: Record<string, string>,
  { contracts, chance }: { contracts: number; chance: Chance },
): Promise<readonly Household[]> {
  const app = await buildApp({ config: parseConfig(environment), roles: [] });
  try {
    return await app.database.db.transaction(async (tx) => {
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
  } finally {
    await app.stop();
  }
}
