import { sql } from "drizzle-orm";
import type { Currency } from "../../kernel/money.ts";
import { column, rowsTable, type Tx } from "../../platform/database.ts";
import {
  digestOf,
  factsHash,
  isPaymentEvidence,
  paymentFacts,
  type Arrival,
  type ArrivalOutcome,
  type Asked,
  type PaymentFacts,
} from "./arrivals.ts";

/** The channel on which a commit of something new wakes the settle loops. */
export const SETTLE_CHANNEL = "washa_settle";

interface Payment {
  readonly arrival: Arrival;
  readonly facts: PaymentFacts;
  readonly factsHash: Uint8Array;
  readonly asked: Asked | undefined;
}

/**
 * Stores what rails say, in a handful of statements whatever their number; answers in the order given. Completed payments
 * become callbacks that wait to be settled, each provider transaction once, whoever tells of it and however often.
 * Everything else becomes a notice that waits to be acted upon. A request of ours that a payment answers is completed.
 */
export async function storeArrivals(tx: Tx, arrivals: readonly Arrival[]): Promise<readonly ArrivalOutcome[]> {
  const outcomes = new Map<Arrival, ArrivalOutcome>();
  const asked = await findAsked(tx, arrivals);
  const payments: Payment[] = [];
  const notices: Arrival[] = [];
  for (const arrival of arrivals) {
    const request = asked.get(correlationKey(arrival));
    const facts = isPaymentEvidence(arrival) ? paymentFacts(arrival, request) : undefined;
    if (facts === undefined) notices.push(arrival);
    else payments.push({ arrival, facts, factsHash: factsHash(arrival), asked: request });
  }
  const fresh = payments.length === 0 ? new Set<string>() : await insertPayments(tx, payments);
  if (payments.length > fresh.size) await compareWithKnown(tx, { payments, fresh, outcomes, notices });
  else for (const { arrival } of payments) outcomes.set(arrival, "stored");
  await completeIntents(
    tx,
    payments.filter(({ arrival }) => outcomes.get(arrival) !== "conflict"),
  );
  const freshNotices = notices.length === 0 ? new Set<Arrival>() : await insertNotices(tx, notices, outcomes);
  for (const arrival of notices)
    if (!outcomes.has(arrival)) outcomes.set(arrival, freshNotices.has(arrival) ? "stored" : "repeated");
  if (fresh.size + freshNotices.size > 0) await tx.execute(sql`select pg_notify(${SETTLE_CHANNEL}, '')`);
  return arrivals.map((arrival) => outcomes.get(arrival) ?? "repeated");
}

const nameOf = (rail: string, providerId: string): string => `${rail}/${providerId}`;
const correlationKey = ({ rail, report }: Arrival): string => `${rail}/${report.correlation ?? ""}`;

/** Requests of ours by what the arrivals call them: our name, the provider's, or `memory:value`. */
async function findAsked(tx: Tx, arrivals: readonly Arrival[]): Promise<ReadonlyMap<string, Asked>> {
  const named = arrivals.filter(({ report }) => report.correlation !== undefined);
  if (named.length === 0) return new Map();
  const given = rowsTable(named, {
    rail: ["text", ({ rail }) => rail],
    correlation: ["text", ({ report }) => report.correlation],
  });
  const rows = await tx.execute<{
    rail: string;
    correlation: string;
    id: string;
    reference: string;
    amount_minor: string;
    currency: Currency;
    phone: string;
    payer_hash: Uint8Array;
  }>(sql`
    select given.rail, given.correlation, i.id, i.reference, i.amount_minor, i.currency, i.phone, i.payer_hash
    from (select distinct ${given.names} from ${given.table} as given(${given.names})) given
    cross join lateral (
      select * from payments.intents where correlation = given.correlation and rail = given.rail
      union all select * from payments.intents where rail = given.rail and provider_correlation = given.correlation
      union all select * from payments.intents where position(':' in given.correlation) > 0 and rail = given.rail
        and memory @> jsonb_build_object(split_part(given.correlation, ':', 1), substr(given.correlation, position(':' in given.correlation) + 1))
      limit 1) i`);
  return new Map(
    rows.map((row) => [
      `${row.rail}/${row.correlation}`,
      {
        intentId: row.id,
        reference: row.reference,
        amount: { minor: BigInt(row.amount_minor), currency: row.currency },
        phone: row.phone,
        payerHash: row.payer_hash,
      },
    ]),
  );
}

/** Answers the names of those that were new. */
async function insertPayments(tx: Tx, payments: readonly Payment[]): Promise<Set<string>> {
  const given = rowsTable(payments, {
    rail: ["text", ({ arrival }) => arrival.rail],
    provider_id: ["text", ({ facts }) => facts.providerId],
    facts_hash: ["bytea", (payment) => payment.factsHash],
    raw: ["bytea", ({ arrival }) => arrival.raw],
    source_address: ["text", ({ arrival }) => arrival.sourceAddress],
    received_at: ["timestamptz", ({ arrival }) => arrival.receivedAt],
    amount_minor: ["bigint", ({ facts }) => facts.amount.minor],
    currency: ["text", ({ facts }) => facts.amount.currency],
    shortcode: ["text", ({ facts }) => facts.shortcode],
    reference: ["text", ({ facts }) => facts.reference],
    payer_phone: ["text", ({ facts }) => facts.phone],
    payer_hash: ["bytea", ({ facts }) => facts.payerHash],
    payer_name: ["text", ({ facts }) => facts.payerName],
    paid_at: ["timestamptz", ({ facts }) => facts.paidAt],
    source: ["text", ({ arrival }) => arrival.source],
    form: ["text", ({ arrival }) => arrival.form],
    type: ["text", ({ facts }) => facts.type],
    correlation: ["text", ({ arrival }) => arrival.report.correlation],
  });
  const rows = await tx.execute<{ rail: string; provider_id: string }>(sql`
    with fresh as (
      insert into payments.callbacks (${given.names}) select * from ${given.table} as given(${given.names}) order by rail, provider_id
      on conflict (rail, provider_id) do nothing returning id, rail, provider_id, received_at),
    queued as (insert into payments.pending (callback_id, next_attempt_at) select id, received_at from fresh)
    select rail, provider_id from fresh`);
  return new Set(rows.map((row) => nameOf(row.rail, row.provider_id)));
}

/** Sorts the known ones into repetitions, copies in another form (kept as notices) and conflicts. */
async function compareWithKnown(
  tx: Tx,
  {
    payments,
    fresh,
    outcomes,
    notices,
  }: {
    payments: readonly Payment[];
    fresh: ReadonlySet<string>;
    outcomes: Map<Arrival, ArrivalOutcome>;
    notices: Arrival[];
  },
): Promise<void> {
  const given = rowsTable(payments, {
    rail: ["text", ({ arrival }) => arrival.rail],
    provider_id: ["text", ({ facts }) => facts.providerId],
  });
  const rows = await tx.execute<{
    rail: string;
    provider_id: string;
    facts_hash: Uint8Array;
    form: string;
    amount_minor: string;
    currency: string;
  }>(sql`
    select rail, provider_id, facts_hash, form, amount_minor, currency from payments.callbacks
    where (rail, provider_id) in (select * from ${given.table})`);
  const known = new Map(rows.map((row) => [nameOf(row.rail, row.provider_id), row]));
  const credited = new Set<string>();
  for (const { arrival, facts, factsHash: hash } of payments) {
    const name = nameOf(arrival.rail, facts.providerId);
    const first = known.get(name);
    const isSameMoney =
      first?.amount_minor === facts.amount.minor.toString() && first.currency === facts.amount.currency;
    // Answers to different questions leave different facts out: asked by its own number a payment may name no account, asked
    // by our request it does. Of them only the money must agree.
    const isSameForm = first?.form === arrival.form && arrival.source !== "enquiry";
    if (!isSameMoney || (isSameForm && Buffer.compare(first.facts_hash, hash) !== 0)) outcomes.set(arrival, "conflict");
    else if (fresh.has(name) && !credited.has(name)) {
      credited.add(name);
      outcomes.set(arrival, "stored");
    } else {
      outcomes.set(arrival, "repeated");
      // A second voice is kept for the receipt's history; lists are kept line by line already.
      if (!isSameForm && arrival.source === "callback") notices.push(arrival);
    }
  }
}

/** A payment came, so the request that asked for it is over, whatever the provider said before. */
async function completeIntents(tx: Tx, payments: readonly Payment[]): Promise<void> {
  const answers = payments.filter(({ asked }) => asked !== undefined);
  if (answers.length === 0) return;
  const given = rowsTable(answers, {
    id: ["uuid", ({ asked }) => asked?.intentId],
    provider_id: ["text", ({ facts }) => facts.providerId],
    finished_at: ["timestamptz", ({ arrival }) => arrival.receivedAt],
  });
  await tx.execute(sql`
    update payments.intents i set state = 'completed', reason = null, provider_id = given.provider_id, finished_at = given.finished_at, next_step_at = null, was_accepted = true
    from (select distinct on (id) * from ${given.table} as g(${given.names}) order by id) given
    where i.id = given.id and i.state <> 'completed'`);
}

/**
 * Keeps notices; answers those that were new. They wait to be acted upon, except copies of payments that are booked, which
 * are marked by an outcome already.
 */
async function insertNotices(
  tx: Tx,
  notices: readonly Arrival[],
  outcomes: ReadonlyMap<Arrival, ArrivalOutcome>,
): Promise<ReadonlySet<Arrival>> {
  const rows = notices.map((arrival) => ({ arrival, digest: digestOf(arrival), isCopy: outcomes.has(arrival) }));
  const given = rowsTable(rows, {
    rail: ["text", ({ arrival }) => arrival.rail],
    form: ["text", ({ arrival }) => arrival.form],
    source: ["text", ({ arrival }) => arrival.source],
    is_evidence: ["boolean", ({ arrival }) => arrival.isEvidence],
    digest: ["bytea", ({ digest }) => digest],
    type: ["text", ({ arrival }) => arrival.report.type],
    status: ["text", ({ arrival }) => arrival.report.transactionStatus],
    provider_id: ["text", ({ arrival }) => arrival.report.transactionReference?.toUpperCase()],
    correlation: ["text", ({ arrival }) => arrival.report.correlation],
    original_provider_id: ["text", ({ arrival }) => arrival.report.originalTransactionReference?.toUpperCase()],
    amount_minor: ["bigint", ({ arrival }) => arrival.report.amount?.minor],
    currency: ["text", ({ arrival }) => arrival.report.amount?.currency],
    shortcode: ["text", ({ arrival }) => arrival.report.creditParty],
    reference: ["text", ({ arrival }) => arrival.report.reference],
    payer_phone: ["text", ({ arrival }) => arrival.report.payer.phone],
    payer_hash: ["bytea", ({ arrival }) => arrival.report.payer.hash],
    payer_name: ["text", ({ arrival }) => arrival.report.payer.name],
    at: ["timestamptz", ({ arrival }) => arrival.report.at],
    reason: ["text", ({ arrival }) => arrival.report.statusReason?.slice(0, 500)],
    raw: ["bytea", ({ arrival }) => arrival.raw],
    source_address: ["text", ({ arrival }) => arrival.sourceAddress],
    received_at: ["timestamptz", ({ arrival }) => arrival.receivedAt],
  });
  const copies = column(
    rows.filter(({ isCopy }) => isCopy).map(({ digest }) => digest),
    "bytea",
  );
  const inserted = await tx.execute<{ digest: Uint8Array }>(sql`
    with fresh as (
      insert into payments.notices (${given.names}) select * from ${given.table} as given(${given.names}) order by rail, form, digest
      on conflict (rail, form, digest) do nothing returning id, digest, received_at),
    opened as (
      insert into payments.open_notices (notice_id, next_attempt_at) select id, received_at from fresh where digest <> all(${copies}))
    select digest from fresh`);
  const fresh = new Set(inserted.map(({ digest }) => Buffer.from(digest).toString("hex")));
  const credited = new Set<string>();
  return new Set(
    rows
      .filter(({ digest }) => {
        const name = Buffer.from(digest).toString("hex");
        if (!fresh.has(name) || credited.has(name)) return false;
        credited.add(name);
        return true;
      })
      .map(({ arrival }) => arrival),
  );
}
