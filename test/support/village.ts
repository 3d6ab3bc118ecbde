import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import type { Contract } from "../../src/credit/credit.ts";
import type { Terms } from "../../src/credit/terms.ts";
import { formatAccountNumber } from "../../src/credit/account-number.ts";
import { rational } from "../../src/kernel/rational.ts";
import { makeLamp } from "../../simulators/lamp/lamp.ts";
import { TEST_DARAJA_SECRET, TEST_SHORTCODE, type TestApp } from "./app.ts";

/** KES 50 a day, KES 5,000 in all, no deposit: figures that are easy to follow in a test. */
export const PLAIN_TERMS: Terms = {
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

let serials = 0;

/** A family with a lamp on a plan, and the means to pay for it through the real door. */
export interface Household {
  readonly contract: Contract;
  readonly accountNumber: string;
  readonly phone: string;
  readonly serial: string;
  readonly lamp: ReturnType<typeof makeLamp>;
  refreshed(): Promise<Contract>;
  /** Digits of all tokens for its device, in the order of their counts. */
  tokens(): Promise<string[]>;
  messages(): Promise<{ template: string; values: Record<string, string> }[]>;
}

export async function makeHousehold(
  { app, clock }: TestApp,
  {
    terms = {},
    timeDivider = 1,
    phone,
    planCode,
  }: { terms?: Partial<Terms>; timeDivider?: number; phone?: string; planCode?: string } = {},
): Promise<Household> {
  serials += 1;
  const serial = `SHS-${process.pid}-${String(serials).padStart(5, "0")}`;
  const key = createHash("md5").update(serial).digest("hex");
  const number = phone ?? `+2547${String(10_000_000 + serials).padStart(8, "0")}`;
  const contract = await app.database.db.transaction(async (tx) => {
    await app.devices.importCsv(
      tx,
      `Serial Number,Key,Count,Time Divider,Hardware Model\n${serial},${key},1,${timeDivider},Home 60\n`,
    );
    const code =
      planCode ??
      (
        await app.credit.plans.create(tx, {
          code: `plan-${serials}-${process.pid}`,
          name: "Home 60",
          terms: { ...PLAIN_TERMS, ...terms },
        })
      ).code;
    const customer = await app.customers.register(tx, {
      name: `Asha ${serials}`,
      language: "en",
      area: "kitui",
      phones: [number],
      serviceConsent: true,
      marketingConsent: false,
      actor: "test",
    });
    return await app.credit.sell(tx, { customerId: customer.id, serial, planCode: code, actor: "test" });
  });
  const { db } = app.database;
  return {
    contract,
    accountNumber: formatAccountNumber(contract.accountNumber),
    phone: number,
    serial,
    lamp: makeLamp({
      serial,
      keyHex: key,
      count: 1,
      timeDivider,
      restrictedDigits: false,
      lockoutPolicy: "docs",
      clock: { now: () => clock.now().getTime() },
    }),
    async refreshed() {
      const found = await app.credit.find(db, contract.id);
      if (found === undefined) throw new Error("The contract is gone.");
      return found;
    },
    async tokens() {
      const rows = await db.execute<{ digits: string }>(
        sql`select digits from devices.tokens where device_id = ${contract.deviceId} order by count`,
      );
      return rows.map(({ digits }) => digits);
    },
    async messages() {
      return [
        ...(await db.execute<{ template: string; values: Record<string, string> }>(
          sql`select template, template_values as values from messaging.messages where to_phone = ${number} order by created_at, id`,
        )),
      ];
    },
  };
}

let payments = 0;

export interface C2bOptions {
  readonly account: string;
  readonly amount: string | number;
  readonly transId?: string;
  readonly msisdn?: string;
  readonly transTime?: string;
  readonly shortcode?: string;
  readonly extra?: Record<string, unknown>;
}

/** A confirmation as Safaricom sends it, at the test's own time in Nairobi. */
export function c2bBody({ clock }: Pick<TestApp, "clock">, options: C2bOptions): Record<string, unknown> {
  payments += 1;
  const nairobi = new Date(clock.now().getTime() + 3 * 3_600_000).toISOString().replace(/\D/g, "").slice(0, 14);
  return {
    TransactionType: "Pay Bill",
    TransID: options.transId ?? `T${process.pid}X${String(payments).padStart(6, "0")}`,
    TransTime: options.transTime ?? nairobi,
    TransAmount: options.amount,
    BusinessShortCode: options.shortcode ?? TEST_SHORTCODE,
    BillRefNumber: options.account,
    InvoiceNumber: "",
    OrgAccountBalance: "25.00",
    ThirdPartyTransID: "",
    MSISDN: options.msisdn ?? "2547 ***** 126",
    FirstName: "NICHOLAS",
    MiddleName: "",
    LastName: "",
    ...options.extra,
  };
}

export async function postC2b(
  { url }: Pick<TestApp, "url">,
  body: unknown,
  door: "confirmation" | "validation" = "confirmation",
): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(`${url}/rails/daraja/${TEST_DARAJA_SECRET}/${door}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

/** Pays through the door and settles; fails when the door does not answer success. */
export async function pay(place: TestApp, options: C2bOptions): Promise<void> {
  const { status, answer } = await postC2b(place, c2bBody(place, options));
  if (status !== 200 || answer["ResultCode"] !== 0)
    throw new Error(`The door answered ${status} ${JSON.stringify(answer)}`);
  await place.settle();
}
