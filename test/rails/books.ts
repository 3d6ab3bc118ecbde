import { openClient } from "../../src/platform/database.ts";

/** Everything that the checks look at, read in one snapshot. Amounts are minor units. */
export interface Books {
  callbacks: { rail: string; providerId: string; source: string; correlation: string | null }[];
  pending: { callbackId: string; failure: string | null }[];
  openNotices: { noticeId: string; failure: string | null }[];
  openEnquiries: { rail: string; providerId: string; state: string; outcome: string | null }[];
  receipts: {
    id: string;
    rail: string;
    providerId: string;
    amountMinor: bigint;
    currency: string;
    reference: string;
    paidAt: Date;
    bookedAt: Date;
    shortcode: string;
    transactionId: string;
  }[];
  suspense: { receiptId: string; reason: string; openMinor: bigint; currency: string; resolvedAt: Date | null }[];
  reversals: {
    id: string;
    rail: string;
    providerId: string;
    originalProviderId: string;
    amountMinor: bigint;
    state: string;
    detail: string | null;
    receivedAt: Date;
    receiptId: string | null;
  }[];
  movements: { receiptId: string; kind: string; cause: string; amountMinor: bigint }[];
  intents: {
    id: string;
    rail: string;
    correlation: string;
    providerCorrelation: string | null;
    state: string;
    reason: string | null;
    providerId: string | null;
    reference: string;
  }[];
  payouts: {
    id: string;
    rail: string;
    method: string;
    correlation: string;
    state: string;
    stateReason: string | null;
    providerId: string | null;
    contractId: string | null;
    originalProviderId: string | null;
    wasAccepted: boolean;
    amountMinor: bigint;
    currency: string;
  }[];
  exceptions: { rail: string; kind: string; subject: string; amountMinor: bigint; detail: string }[];
  postings: { transactionId: string; accountId: string; amountMinor: bigint; currency: string }[];
  accounts: { id: string; code: string; currency: string; balanceMinor: bigint }[];
  contracts: {
    id: string;
    state: string;
    receivedMinor: bigint;
    outstandingMinor: bigint | null;
    carriedMinor: bigint;
    refundableMinor: bigint;
    debtMinor: bigint;
  }[];
  allocations: {
    contractId: string;
    cause: string;
    receivedMinor: bigint;
    debtMinor: bigint;
    depositMinor: bigint;
    spentMinor: bigint;
    carriedChangeMinor: bigint;
    refundableMinor: bigint;
    units: number;
    effect: string;
  }[];
  devices: { id: string; count: number }[];
  tokens: { deviceId: string; count: number; kind: string; units: number; cause: string; part: number }[];
  quarantine: { rail: string; reason: string; providerId: string | null }[];
}

const QUERIES: Readonly<Record<keyof Books, string>> = {
  callbacks: "select rail, provider_id, source, correlation from payments.callbacks",
  pending: "select callback_id, failure from payments.pending",
  openNotices: "select notice_id, failure from payments.open_notices",
  openEnquiries: "select rail, provider_id, state, outcome from payments.enquiries where state = 'open'",
  receipts: `select r.id, r.rail, r.provider_id, r.amount_minor, r.currency, r.reference, r.paid_at, r.booked_at, r.transaction_id, c.shortcode
    from payments.receipts r join payments.callbacks c on c.id = r.callback_id`,
  suspense: `select s.receipt_id, s.reason, s.open_minor, r.currency, s.resolved_at
    from payments.suspense s join payments.receipts r on r.id = s.receipt_id`,
  reversals: `select id, rail, provider_id, original_provider_id, amount_minor, state, detail, received_at, receipt_id from payments.reversals`,
  movements: "select receipt_id, kind, cause, amount_minor from payments.movements",
  intents: `select id, rail, correlation, provider_correlation, state, reason, provider_id, reference from payments.intents`,
  payouts: `select id, rail, method, correlation, state, state_reason, provider_id, contract_id, original_provider_id,
    was_accepted, amount_minor, currency from payments.payouts`,
  exceptions: "select rail, kind, subject, amount_minor, detail from payments.exceptions where resolved_at is null",
  postings: `select transaction_id, account_id, amount_minor, currency from ledger.postings order by transaction_id, line`,
  accounts: `select a.id, a.code, a.currency, coalesce(b.balance_minor, 0) as balance_minor
    from ledger.accounts a left join ledger.balances b on b.account_id = a.id`,
  contracts: `select id, state, received_minor, outstanding_minor, carried_minor, refundable_minor, debt_minor from credit.contracts`,
  allocations: `select contract_id, cause, received_minor, debt_minor, deposit_minor, spent_minor, carried_change_minor, refundable_minor, units, effect
    from credit.allocations`,
  devices: "select id, count from devices.devices",
  tokens: "select device_id, count, kind, units, cause, part from devices.tokens order by device_id, count",
  quarantine: "select rail, reason, provider_id from payments.quarantine",
};

/** Reads as the owner, in one repeatable-read transaction. */
export async function readBooks(url: string): Promise<Books> {
  const client = openClient(url, 1);
  try {
    return await client.begin("isolation level repeatable read read only", async (tx) => {
      const read: Partial<Record<keyof Books, Record<string, unknown>[]>> = {};
      for (const [name, query] of Object.entries(QUERIES) as [keyof Books, string][])
        read[name] = (await tx.unsafe(query)).map(fieldsOf);
      // The queries above name the fields of the interface; the checks fail loudly on any that is missing.
      return read as unknown as Books;
    });
  } finally {
    await client.end({ timeout: 5 });
  }
}

/** By the names of the columns: amounts are bigint, ids are text; the driver makes instants dates. */
function fieldsOf(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const name = column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      if (typeof value !== "string" && typeof value !== "number") return [name, value];
      if (name.endsWith("Minor")) return [name, BigInt(value)];
      return [name, /^(id|.*Id)$/.test(name) ? String(value) : value];
    }),
  );
}
