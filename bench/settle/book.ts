import type postgres from "postgres";

/** Rows that one statement a table writes while the book grows. */
const STEP = 10_000;

/**
 * Grows the book to so many receipts, with all that belongs to each: callback, transaction, postings, allocation, token,
 * message and outbox row. The rows are copies of the first ten thousand that the program settled itself, spread over the
 * same contracts, with names and ids of their own that lie in the past. Needs at least `STEP` settled receipts.
 */
export async function growBook(
  client: postgres.Sql,
  { receipts, onProgress }: { receipts: number; onProgress: (receipts: number) => void },
): Promise<void> {
  const connection = await client.reserve();
  try {
    await connection.unsafe(`
      create temp table pattern as
        select row_number() over (order by id) as n, id as receipt_id, callback_id, transaction_id from payments.receipts order by id limit ${STEP};
      create function pg_temp.past_id(kind text, step int, n bigint) returns uuid language sql immutable as $$
        select (lpad(to_hex(1600000000000 + step::bigint * 60000 + n), 12, '0') || '7' || substr(d, 1, 3) || '8' || substr(d, 4, 15))::uuid
        from (select md5(kind || '/' || step || '/' || n) as d) digest $$;`);
    const [there] = await connection<{ count: string }[]>`select count(*) as count from payments.receipts`;
    const steps = Math.ceil((receipts - Number(there?.count ?? 0)) / STEP);
    for (let step = 1; step <= steps; step++) {
      await connection.unsafe(copyOnce(step));
      onProgress(Number(there?.count ?? 0) + step * STEP);
    }
    await connection.unsafe("drop function pg_temp.past_id; drop table pattern");
  } finally {
    connection.release();
  }
  await client.unsafe("vacuum analyze");
}

const copyOnce = (step: number): string => `
  begin;
  insert into payments.callbacks (id, rail, provider_id, facts_hash, raw, source_address, received_at, amount_minor, currency, shortcode, reference,
      payer_phone, payer_hash, payer_name, paid_at, source, form, type, correlation) overriding system value
    select -(${step}::bigint * ${STEP} + p.n), rail, 'PAST${step}X' || p.n, facts_hash, raw, source_address, received_at - interval '${step} hours', amount_minor,
      currency, shortcode, reference, payer_phone, payer_hash, payer_name, paid_at - interval '${step} hours', source, form, type, correlation
    from pattern p join payments.callbacks c on c.id = p.callback_id;
  insert into ledger.transactions (id, kind, memo, reference, idempotency_key, input_hash, posting_count, effective_at, posted_at, actor)
    select pg_temp.past_id('transaction', ${step}, p.n), kind, memo, pg_temp.past_id('receipt', ${step}, p.n)::text, 'past:${step}:' || p.n, input_hash, posting_count,
      effective_at - interval '${step} hours', posted_at - interval '${step} hours', actor
    from pattern p join ledger.transactions t on t.id = p.transaction_id;
  insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency)
    select pg_temp.past_id('transaction', ${step}, p.n), line, account_id, amount_minor, currency
    from pattern p join ledger.postings o on o.transaction_id = p.transaction_id;
  insert into payments.receipts (id, callback_id, rail, provider_id, amount_minor, currency, reference, payer_name, payer_hash, paid_at, booked_at, transaction_id)
    select pg_temp.past_id('receipt', ${step}, p.n), -(${step}::bigint * ${STEP} + p.n), rail, 'PAST${step}X' || p.n, amount_minor, currency, reference, payer_name, payer_hash,
      paid_at - interval '${step} hours', booked_at - interval '${step} hours', pg_temp.past_id('transaction', ${step}, p.n)
    from pattern p join payments.receipts r on r.id = p.receipt_id;
  insert into credit.allocations (id, contract_id, cause, paid_at, received_minor, debt_minor, deposit_minor, spent_minor, carried_change_minor, refundable_minor,
      units, effect, paid_from_at, paid_until_at)
    select pg_temp.past_id('allocation', ${step}, p.n), contract_id, pg_temp.past_id('receipt', ${step}, p.n)::text, paid_at - interval '${step} hours', received_minor, debt_minor,
      deposit_minor, spent_minor, carried_change_minor, refundable_minor, units, effect, paid_from_at, paid_until_at
    from pattern p join credit.allocations a on a.cause = p.receipt_id::text;
  insert into devices.tokens (id, device_id, count, kind, units, digits, cause, part, issued_at)
    select pg_temp.past_id('token' || part, ${step}, p.n), device_id, count + 100000 * ${step}, kind, units, digits, pg_temp.past_id('receipt', ${step}, p.n)::text, part,
      issued_at - interval '${step} hours'
    from pattern p join devices.tokens k on k.cause = p.receipt_id::text;
  insert into messaging.messages (id, key, to_phone, language, template, template_values, contract_id, receipt_id, state, text, attempts, created_at, sent_at, state_at)
    select pg_temp.past_id('message', ${step}, p.n), 'past:${step}:' || p.n, to_phone, language, template, template_values, contract_id, pg_temp.past_id('receipt', ${step}, p.n),
      'delivered', text, 1, created_at - interval '${step} hours', created_at - interval '${step} hours', state_at - interval '${step} hours'
    from pattern p join messaging.messages m on m.receipt_id = p.receipt_id;
  insert into platform.outbox (topic, key, payload, created_at, relayed_at)
    select topic, 'past:' || m.id || ':${step}', payload, o.created_at - interval '${step} hours', o.created_at - interval '${step} hours'
    from pattern p join messaging.messages m on m.receipt_id = p.receipt_id join platform.outbox o on o.key = 'message:' || m.key;
  commit;`;
