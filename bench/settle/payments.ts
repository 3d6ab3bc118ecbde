import type { App } from "../../src/app.ts";
import type { Arrival } from "../../src/payments/inbox/arrivals.ts";
import { storeArrivals } from "../../src/payments/inbox/arrivals.store.ts";
import { parseC2b } from "../../src/payments/rails/daraja/c2b.ts";

export const SHORTCODE = "600966";
export const DARAJA_SECRET = "0123456789abcdefBENCH";

const DAYS_PAID = [1, 2, 3, 5, 7, 14];
const STORED_AT_ONCE = 500;

/** A C2B confirmation as Safaricom sends it, for some days of light at KES 50. */
export function confirmationBody({
  transId,
  account,
  at,
  paidAt,
}: {
  transId: string;
  account: string;
  at: number;
  paidAt: Date;
}): string {
  const nairobi = new Date(paidAt.getTime() + 3 * 3_600_000).toISOString().replace(/\D/g, "").slice(0, 14);
  return JSON.stringify({
    TransactionType: "Pay Bill",
    TransID: transId,
    TransTime: nairobi,
    TransAmount: `${String((DAYS_PAID[at % DAYS_PAID.length] ?? 1) * 50)}.00`,
    BusinessShortCode: SHORTCODE,
    BillRefNumber: account,
    InvoiceNumber: "",
    OrgAccountBalance: "25.00",
    ThirdPartyTransID: "",
    MSISDN: "2547 ***** 126",
    FirstName: "NICHOLAS",
    MiddleName: "",
    LastName: "",
  });
}

/** Puts callbacks where the door would have put them, due at once. Accounts are paid in an order that spreads them. */
export async function storePayments(
  app: App,
  { prefix, payments, accounts }: { prefix: string; payments: number; accounts: readonly string[] },
): Promise<void> {
  const { zone, currency, darajaShortcodes: shortcodes } = app.config;
  for (let from = 0; from < payments; from += STORED_AT_ONCE) {
    const receivedAt = new Date();
    const group = Array.from({ length: Math.min(STORED_AT_ONCE, payments - from) }, (_, place): Arrival => {
      const at = from + place;
      const body = confirmationBody({
        transId: `${prefix}${String(at).padStart(8, "0")}`,
        account: accountAt(accounts, at),
        at,
        paidAt: receivedAt,
      });
      const raw = Buffer.from(body);
      const parsed = parseC2b(raw, { shortcodes, currency, zone, now: receivedAt });
      const [report] = parsed.ok ? parsed.reports : [];
      if (report === undefined) throw new Error("The bench made a body that is refused.");
      return {
        rail: "mpesa",
        form: "confirmation",
        source: "callback",
        isEvidence: true,
        report,
        raw,
        sourceAddress: "127.0.0.1",
        receivedAt,
      };
    });
    await app.database.db.transaction((tx) => storeArrivals(tx, group));
  }
}

/** A stride that shares no factor with usual sizes: neighbours in time are strangers in the tables. */
export function accountAt(accounts: readonly string[], at: number): string {
  return accounts[(at * 7_919) % accounts.length] ?? "";
}

/** Settles all that is due with one loop per program, all in this process; payments per second. */
export async function measureSettle(apps: readonly App[], payments: number): Promise<number> {
  const startedAt = performance.now();
  const settled = await Promise.all(apps.map((app) => app.settleLoop.settleAll()));
  const seconds = (performance.now() - startedAt) / 1_000;
  const total = settled.reduce((sum, count) => sum + count, 0);
  if (total !== payments) throw new Error(`${total} payments were settled, not ${payments}.`);
  return total / seconds;
}
