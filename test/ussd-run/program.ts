import { writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App } from "../../src/app.ts";
import type { makeManualClock } from "../../src/kernel/time.ts";
import type { Arrival } from "../../src/payments/inbox/arrivals.ts";
import { storeArrivals } from "../../src/payments/inbox/arrivals.store.ts";
import { parseC2b } from "../../src/payments/rails/daraja/c2b.ts";
import { confirmationBody, DARAJA_SECRET, SHORTCODE } from "../../bench/settle/payments.ts";

export const USSD_SECRET = "ussd0123456789evening";
export const PAYBILL = SHORTCODE;

const CHANNEL = "mobile-money";

/** One rail that can ask phones; nobody sends what it is to ask, so that requests stand as they were written down. */
const RAILS = {
  channels: [
    {
      name: CHANNEL,
      adapter: "daraja",
      country: "KE",
      currency: "KES",
      zone: "Africa/Nairobi",
      path: "ke",
      secret: DARAJA_SECRET,
      settings: {
        baseUrl: "http://127.0.0.1:9",
        shortcodes: [SHORTCODE],
        consumerKey: "an-example",
        consumerSecret: "an-example",
        stk: { shortcode: SHORTCODE, passkey: "an-example", transactionType: "CustomerPayBillOnline" },
      },
    },
  ],
};

let railsFile: string | undefined;

/** The environment of the program, with a key and secrets that protect nothing. */
export function programEnvironment({ databaseUrl }: { databaseUrl: string }): Record<string, string> {
  railsFile ??= join(mkdtempSync(join(tmpdir(), "washa-ussd-run-")), "rails.json");
  writeFileSync(railsFile, JSON.stringify(RAILS));
  return {
    DATABASE_URL: databaseUrl,
    WASHA_HTTP_PORT: "0",
    WASHA_MQTT_PORT: "0",
    WASHA_KEY: "11".repeat(32),
    WASHA_RAILS: railsFile,
    WASHA_SMS_SECRET: "sms0123456789abcdef",
    WASHA_SMS_USERNAME: "test",
    WASHA_SMS_KEY: "test",
    WASHA_SMS_URL: "http://127.0.0.1:9",
    WASHA_USSD_SECRET: USSD_SECRET,
    WASHA_LOG: "silent",
    WASHA_DB_CONNECTIONS: "8",
  };
}

/** Lets each account be paid for one day, so many times, and settles. */
export async function settlePayments(
  app: App,
  orders: readonly { account: string; payments: number }[],
  { clock, everyMs }: { clock: ReturnType<typeof makeManualClock>; everyMs: number },
): Promise<void> {
  const { zone, currency } = app.config;
  const rounds = Math.max(...orders.map(({ payments }) => payments));
  for (let round = 0; round < rounds; round++) {
    clock.advance(everyMs);
    const now = clock.now();
    const due = orders.filter(({ payments }) => payments > round);
    const arrivals = due.map(({ account }, at): Arrival => {
      const transId = `EVE${String(round)}X${String(at).padStart(6, "0")}`;
      const raw = Buffer.from(confirmationBody({ transId, account, at: 0, paidAt: now }));
      const parsed = parseC2b(raw, { shortcodes: new Set([SHORTCODE]), currency, zone, now });
      const [report] = parsed.ok ? parsed.reports : [];
      if (report === undefined) throw new Error("Bug of the run: a payment cannot be read.");
      const told = { form: "confirmation", source: "callback", isEvidence: true } as const;
      return { rail: CHANNEL, ...told, report, raw, sourceAddress: "127.0.0.1", receivedAt: now };
    });
    await app.database.db.transaction((tx) => storeArrivals(tx, arrivals));
    await app.settleLoop.settleAll();
  }
}
