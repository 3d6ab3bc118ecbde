import { openClient } from "../../src/platform/database.ts";

/** Everything the reconciliation looks at, read in one snapshot. Amounts are minor units. */
export interface Books {
  callbacks: { id: string; providerId: string; amountMinor: bigint }[];
  pending: { callbackId: string; failure: string | null }[];
  receipts: {
    id: string;
    callbackId: string;
    rail: string;
    providerId: string;
    amountMinor: bigint;
    reference: string;
    transactionId: string;
  }[];
  intents: { id: string; rail: string; state: string; providerId: string | null; correlation: string }[];
  cash: { number: string; clientKey: string; amountMinor: bigint; state: string }[];
  suspense: { receiptId: string; reason: string }[];
  transactions: { id: string; idempotencyKey: string; reference: string | null; postingCount: number }[];
  /** In the order of their lines: a payment's first line is the rail's clearing account. */
  postings: { transactionId: string; accountId: string; amountMinor: bigint }[];
  balances: { accountId: string; balanceMinor: bigint; postingCount: bigint }[];
  contracts: {
    id: string;
    state: string;
    receivedMinor: bigint;
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
  tokens: {
    deviceId: string;
    count: number;
    kind: string;
    units: number;
    digits: string;
    cause: string;
    part: number;
  }[];
  messages: { id: string; key: string; toPhone: string; text: string | null; state: string }[];
  outbox: { key: string; messageId: string; relayed: boolean }[];
}

/** Reads as the owner, in one repeatable-read transaction. */
export async function readBooks(url: string): Promise<Books> {
  const client = openClient(url, 1);
  try {
    return await client.begin("isolation level repeatable read read only", async (tx) => {
      const callbacks = await tx<
        { id: string; provider_id: string; amount_minor: string }[]
      >`select id, provider_id, amount_minor from payments.callbacks`;
      const pending = await tx<
        { callback_id: string; failure: string | null }[]
      >`select callback_id, failure from payments.pending`;
      const receipts = await tx<
        {
          id: string;
          callback_id: string;
          rail: string;
          provider_id: string;
          amount_minor: string;
          reference: string;
          transaction_id: string;
        }[]
      >`select id, callback_id, rail, provider_id, amount_minor, reference, transaction_id from payments.receipts`;
      const intents = await tx<
        { id: string; rail: string; state: string; provider_id: string | null; correlation: string }[]
      >`select id, rail, state, provider_id, correlation from payments.intents`;
      const cash = await tx<
        { number: string; client_key: string; amount_minor: string; state: string }[]
      >`select receipt_number as number, client_key, amount_minor, state from payments.cash_receipts`;
      const suspense = await tx<
        { receipt_id: string; reason: string }[]
      >`select receipt_id, reason from payments.suspense`;
      const transactions = await tx<
        { id: string; idempotency_key: string; reference: string | null; posting_count: number }[]
      >`select id, idempotency_key, reference, posting_count from ledger.transactions`;
      const postings = await tx<
        { transaction_id: string; account_id: string; amount_minor: string }[]
      >`select transaction_id, account_id, amount_minor from ledger.postings order by transaction_id, line`;
      const balances = await tx<
        { account_id: string; balance_minor: string; posting_count: string }[]
      >`select account_id, balance_minor, posting_count from ledger.balances`;
      const contracts = await tx<
        {
          id: string;
          state: string;
          received_minor: string;
          carried_minor: string;
          refundable_minor: string;
          debt_minor: string;
        }[]
      >`select id, state, received_minor, carried_minor, refundable_minor, debt_minor from credit.contracts`;
      const allocations = await tx<Record<string, string>[]>`
        select contract_id, cause, received_minor, debt_minor, deposit_minor, spent_minor, carried_change_minor, refundable_minor, units::text, effect from credit.allocations`;
      const devices = await tx<{ id: string; count: number }[]>`select id, count from devices.devices`;
      const tokens = await tx<
        { device_id: string; count: number; kind: string; units: number; digits: string; cause: string; part: number }[]
      >`select device_id, count, kind, units, digits, cause, part from devices.tokens order by device_id, count`;
      const messages = await tx<
        { id: string; key: string; to_phone: string; text: string | null; state: string }[]
      >`select id, key, to_phone, text, state from messaging.messages`;
      const outbox = await tx<{ key: string; message_id: string; relayed: boolean }[]>`
        select key, payload->>'messageId' as message_id, relayed_at is not null as relayed from platform.outbox where topic = 'messaging.send'`;
      return {
        callbacks: callbacks.map((row) => ({
          id: row.id,
          providerId: row.provider_id,
          amountMinor: BigInt(row.amount_minor),
        })),
        pending: pending.map((row) => ({ callbackId: row.callback_id, failure: row.failure })),
        receipts: receipts.map((row) => ({
          id: row.id,
          callbackId: row.callback_id,
          rail: row.rail,
          providerId: row.provider_id,
          amountMinor: BigInt(row.amount_minor),
          reference: row.reference,
          transactionId: row.transaction_id,
        })),
        intents: intents.map((row) => ({
          id: row.id,
          rail: row.rail,
          state: row.state,
          providerId: row.provider_id,
          correlation: row.correlation,
        })),
        cash: cash.map((row) => ({
          number: row.number,
          clientKey: row.client_key,
          amountMinor: BigInt(row.amount_minor),
          state: row.state,
        })),
        suspense: suspense.map((row) => ({ receiptId: row.receipt_id, reason: row.reason })),
        transactions: transactions.map((row) => ({
          id: row.id,
          idempotencyKey: row.idempotency_key,
          reference: row.reference,
          postingCount: row.posting_count,
        })),
        postings: postings.map((row) => ({
          transactionId: row.transaction_id,
          accountId: row.account_id,
          amountMinor: BigInt(row.amount_minor),
        })),
        balances: balances.map((row) => ({
          accountId: row.account_id,
          balanceMinor: BigInt(row.balance_minor),
          postingCount: BigInt(row.posting_count),
        })),
        contracts: contracts.map((row) => ({
          id: row.id,
          state: row.state,
          receivedMinor: BigInt(row.received_minor),
          carriedMinor: BigInt(row.carried_minor),
          refundableMinor: BigInt(row.refundable_minor),
          debtMinor: BigInt(row.debt_minor),
        })),
        allocations: allocations.map((row) => ({
          contractId: row["contract_id"] ?? "",
          cause: row["cause"] ?? "",
          receivedMinor: BigInt(row["received_minor"] ?? 0),
          debtMinor: BigInt(row["debt_minor"] ?? 0),
          depositMinor: BigInt(row["deposit_minor"] ?? 0),
          spentMinor: BigInt(row["spent_minor"] ?? 0),
          carriedChangeMinor: BigInt(row["carried_change_minor"] ?? 0),
          refundableMinor: BigInt(row["refundable_minor"] ?? 0),
          units: Number(row["units"]),
          effect: row["effect"] ?? "",
        })),
        devices: devices.map((row) => ({ id: row.id, count: row.count })),
        tokens: tokens.map((row) => ({
          deviceId: row.device_id,
          count: row.count,
          kind: row.kind,
          units: row.units,
          digits: row.digits,
          cause: row.cause,
          part: row.part,
        })),
        messages: messages.map((row) => ({
          id: row.id,
          key: row.key,
          toPhone: row.to_phone,
          text: row.text,
          state: row.state,
        })),
        outbox: outbox.map((row) => ({ key: row.key, messageId: row.message_id, relayed: row.relayed })),
      };
    });
  } finally {
    await client.end({ timeout: 5 });
  }
}

/** What still has to happen before the books can be compared. */
export interface Unfinished {
  readonly callbacks: number;
  readonly requests: number;
  readonly events: number;
  readonly messages: number;
}

export async function countUnfinished(url: string): Promise<Unfinished> {
  const client = openClient(url, 1);
  try {
    const [row] = await client<Unfinished[]>`
      select (select count(*)::int from payments.pending) + (select count(*)::int from payments.open_notices) as callbacks,
        (select count(*)::int from payments.intents where state in ('created', 'sending', 'pending')) + (select count(*)::int from payments.enquiries where state = 'open') as requests, (select count(*)::int from platform.outbox where relayed_at is null) as events,
        (select count(*)::int from messaging.messages where state = 'waiting') as messages`;
    return row ?? { callbacks: 0, requests: 0, events: 0, messages: 0 };
  } finally {
    await client.end({ timeout: 5 });
  }
}
