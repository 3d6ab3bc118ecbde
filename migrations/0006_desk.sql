-- The desk: what needs a second person, and the lookups behind its suggestions.

-- An act above the operator's limit, as it was asked for. It happens when another person approves it, in that person's
-- transaction, or it never does; a decision is never changed.
create table payments.approvals (
  id uuid primary key,
  act text not null check (act in ('match', 'unlink', 'refund_suspense', 'refund_contract', 'adjust')),
  input jsonb not null,                         -- the whole act with every amount written out: what is approved is what was proposed
  receipt_id uuid references payments.receipts (id),
  contract_id uuid,                             -- set where the act is about one contract
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  reason text not null,
  proposed_by text not null,
  proposed_at timestamptz not null,
  state text not null check (state in ('proposed', 'approved', 'declined', 'failed')),
  decided_by text,
  decided_at timestamptz,
  decision text,                                -- why it was declined, or the refusal of the act
  outcome jsonb,                                -- what the act made
  check ((state = 'proposed') = (decided_at is null)),
  check (decided_by is distinct from proposed_by or state <> 'approved')
);
create index approvals_by_state on payments.approvals (state, proposed_at, id);                  -- the list of what waits for a second person
create index approvals_by_receipt on payments.approvals (receipt_id) where receipt_id is not null;  -- a receipt's history
select platform.open_to_app('payments.approvals');

-- Payments by the same payer, for suggestions: the phone's hash where the rail tells it, else the name. Eight bytes a row,
-- since every payment writes one; the query compares the real columns too.
create index receipts_by_payer on payments.receipts (hashtextextended(coalesce(encode(payer_hash, 'hex'), payer_name), 0), paid_at desc)
  where coalesce(encode(payer_hash, 'hex'), payer_name) is not null;
-- Requests of the same amount around a payment, for suggestions; those of the payer's own phone have an index already.
create index intents_unpaid_by_amount on payments.intents (rail, amount_minor, created_at) where state <> 'completed';
-- Reversals in a receipt's history.
create index notices_by_original on payments.notices (rail, original_provider_id) where original_provider_id is not null;

-- What a day's reconciliation found, so that the question where a clearing account's balance comes from reads no even day again.
alter table payments.reconciliations
  add column uneven integer,                    -- rows that are not the same on all sides, explained or not, the unlisted apart; null: something came since
  add column unlisted integer not null default 0,   -- payments in our books that no list and no exception names
  add column unlisted_minor bigint not null default 0;
-- What providers listed since the rail was last reconciled. Rows come in this order, and a page of a list shares its instant.
create index listed_by_arrival on payments.listed (rail, first_seen_at);
-- A reversal that came without its name has the name that the list has for it.
create index listed_reversals on payments.listed (rail, original_provider_id) where kind = 'reversal';
-- Postings of a day that were made long after it, or before; the others are found by their ids. Of those on time it holds none.
create index transactions_astray on ledger.transactions (effective_at)
  where posted_at - effective_at > interval '6 hours' or posted_at - effective_at < interval '-1 hour';
