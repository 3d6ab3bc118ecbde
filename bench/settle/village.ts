import { createHash } from "node:crypto";
import type { App } from "../../src/app.ts";
import { formatAccountNumber, type Terms } from "../../src/credit/credit.ts";
import { rational } from "../../src/kernel/rational.ts";

/** KES 50 a day towards a price that no run of the bench can reach, so that every payment gives a token. */
const TERMS: Terms = {
  currency: "KES",
  depositMinor: 0n,
  depositBuysTime: true,
  totalMinor: 1_000_000_000n,
  price: rational(5_000n),
  priceSeconds: 86_400,
  minimumPaymentMinor: 1_000n,
  freeSeconds: 0,
  instalmentDays: 7,
  graceDays: 0,
};

const SALES_PER_TRANSACTION = 250;

/** Sells lamps to customers with a phone, through the modules' own faces. Answers the account numbers as they are printed. */
export async function seedContracts(
  app: App,
  contracts: number,
  progress: (done: number) => void,
): Promise<readonly string[]> {
  const { db } = app.database;
  await db.transaction((tx) => app.credit.plans.create(tx, { code: "bench", name: "Bench", terms: TERMS }));
  const accounts: string[] = [];
  while (accounts.length < contracts) {
    await db.transaction(async (tx) => {
      const places = Array.from(
        { length: Math.min(SALES_PER_TRANSACTION, contracts - accounts.length) },
        (_, at) => accounts.length + at,
      );
      const serialOf = (place: number): string => `BENCH-${String(place).padStart(7, "0")}`;
      const lines = places.map(
        (place) => `${serialOf(place)},${createHash("md5").update(serialOf(place)).digest("hex")},1,1,Home 60`,
      );
      await app.devices.importCsv(tx, `Serial Number,Key,Count,Time Divider,Hardware Model\n${lines.join("\n")}\n`);
      for (const place of places) {
        const customer = await app.customers.register(tx, {
          name: `Household ${place}`,
          language: "en",
          area: "kitui",
          phones: [`+2547${String(10_000_000 + place)}`],
          serviceConsent: true,
          marketingConsent: false,
          actor: "bench",
        });
        const contract = await app.credit.sell(tx, {
          customerId: customer.id,
          serial: serialOf(place),
          planCode: "bench",
          actor: "bench",
        });
        accounts.push(formatAccountNumber(contract.accountNumber));
      }
    });
    progress(accounts.length);
  }
  return accounts;
}
