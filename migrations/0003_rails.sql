-- Every rail: what providers tell besides completed payments, what we ask of them, and what goes back.
-- Amounts are whole minor units, instants UTC; `rail` is the name of a channel, `provider_id` its transaction reference.

-- ── completed payments: from whom we heard, and in which form ─────────────────────────────────────────────────────
-- The same payment may be told twice in different forms (M-Pesa's prompt and its C2B copy, a list, a statement): the
-- amount must agree, the other facts are compared within one form.
alter table payments.callbacks
  add column source text not null default 'callback' check (source in ('callback', 'enquiry', 'pull', 'statement', 'cash')),
  add column form text not null default 'confirmation',
  add column type text not null default 'billpay' check (type in ('billpay', 'merchantpay', 'transfer')),
  add column correlation text;                  -- the request that it answers, when it answers one

-- ── everything else that providers say ────────────────────────────────────────────────────────────────────────────
-- Failures, reversals, results of payouts, hints that an enquiry must confirm, further copies of a payment. Append-only;
-- what still has to be acted upon is in `open_notices`.
create table payments.notices (
  id bigint generated always as identity primary key,
  rail text not null,
  form text not null,
  source text not null check (source in ('callback', 'enquiry', 'pull', 'statement', 'cash')),
  is_evidence boolean not null,                 -- false: only a hint; an enquiry decides
  digest bytea not null,                        -- of the bytes and the address: the same delivery twice is one notice
  type text not null check (type in ('billpay', 'merchantpay', 'transfer', 'reversal', 'disbursement')),
  status text not null check (status in ('pending', 'completed', 'failed')),
  provider_id text,
  correlation text,
  original_provider_id text,
  amount_minor bigint check (amount_minor > 0),
  currency text,
  shortcode text not null,
  reference text not null,
  payer_phone text,
  payer_hash bytea,
  payer_name text,
  at timestamptz,
  reason text,
  raw bytea not null,
  source_address text not null,
  received_at timestamptz not null,
  unique (rail, form, digest)
);
create index notices_by_payment on payments.notices (rail, provider_id);           -- a receipt's history
create index notices_by_correlation on payments.notices (correlation);             -- an intent's or payout's history
select platform.append_only('payments.notices');

create table payments.open_notices (
  notice_id bigint primary key references payments.notices (id),
  attempts smallint not null default 0,
  next_attempt_at timestamptz not null,
  failure text
);
create index open_notices_due on payments.open_notices (next_attempt_at, notice_id);
select platform.open_to_app('payments.open_notices');

-- ── what we ask ───────────────────────────────────────────────────────────────────────────────────────────────────
-- "Ask this phone to pay this amount for this account." Written before anything is sent.
create table payments.intents (
  id uuid primary key,
  rail text not null,
  correlation text not null unique,             -- ours, a random UUID: names the request to the provider, and its address for callbacks
  provider_correlation text,                    -- theirs, once they answered
  memory jsonb not null default '{}',           -- what the adapter must remember (Orange: notif_token, pay_token)
  pay_at text,                                  -- where a web checkout is paid
  reference text not null,                      -- the account to credit
  phone text not null,
  payer_hash bytea not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  requested_by text not null,                   -- an actor
  asked_through text not null,                  -- ussd, sms, chat, agent, api
  state text not null check (state in ('created', 'sending', 'pending', 'completed', 'failed', 'expired')),
  reason text,                                  -- why it failed or waits, in the provider's words
  provider_id text,                             -- the payment that answered it
  was_accepted boolean not null default false,  -- the provider has said that it knows the request
  attempts smallint not null default 0,         -- of sending
  enquiries smallint not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  finished_at timestamptz,
  next_step_at timestamptz                      -- null: nothing more to ask
) with (fillfactor = 80);
create index intents_due on payments.intents (next_step_at) where next_step_at is not null;         -- the request loop's claim
create index intents_by_provider on payments.intents (rail, provider_correlation) where provider_correlation is not null;
create index intents_by_payment on payments.intents (rail, provider_id) where provider_id is not null;  -- a receipt's history
create index intents_unpaid on payments.intents (rail, payer_hash, amount_minor) where state <> 'completed';  -- whose payment came without its name
create index intents_by_reference on payments.intents (reference, created_at desc);                 -- a contract's own list
create index intents_by_memory on payments.intents using gin (memory jsonb_path_ops) where memory <> '{}';
select platform.open_to_app('payments.intents');

-- Transactions that an unsigned callback told of and no request of ours began: the provider is asked before they are booked.
create table payments.enquiries (
  rail text not null,
  provider_id text not null,
  correlation text not null unique,             -- random: the address where an answer may come
  notice_id bigint not null references payments.notices (id),
  state text not null check (state in ('open', 'agreed', 'disagreed', 'unanswered')),
  outcome text,
  attempts smallint not null default 0,
  created_at timestamptz not null,
  next_step_at timestamptz,
  primary key (rail, provider_id)
);
create index enquiries_due on payments.enquiries (next_step_at) where next_step_at is not null;
select platform.open_to_app('payments.enquiries');

-- ── what goes back ────────────────────────────────────────────────────────────────────────────────────────────────
-- A payment that the provider took back. It waits here for its payment when it comes first.
create table payments.reversals (
  id uuid primary key,
  rail text not null,
  provider_id text not null,                    -- of the reversal itself
  original_provider_id text not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  reversed_at timestamptz not null,             -- the provider's event time
  received_at timestamptz not null,
  notice_id bigint references payments.notices (id),
  state text not null check (state in ('parked', 'applied', 'own_refund', 'refused')),
  detail text,
  receipt_id uuid references payments.receipts (id),
  transaction_id uuid,
  applied_at timestamptz,
  unique (rail, provider_id)
);
create index reversals_parked on payments.reversals (rail, original_provider_id) where state = 'parked';
create index reversals_by_receipt on payments.reversals (receipt_id);
select platform.open_to_app('payments.reversals');

-- Money that we pay out: excess that a customer may have back, or money in suspense that belongs to its payer.
create table payments.payouts (
  id uuid primary key,
  rail text not null,
  method text not null check (method in ('disbursement', 'reversal')),
  correlation text not null unique,
  provider_correlation text,
  memory jsonb not null default '{}',
  receipt_id uuid references payments.receipts (id),
  contract_id text,
  original_provider_id text,
  shortcode text not null,                      -- whose clearing account pays
  phone text,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  source_account_id bigint not null,            -- where the money stood; it returns there when the payout fails
  reason text not null,
  requested_by text not null,
  approved_by text,
  state text not null check (state in ('created', 'sending', 'pending', 'completed', 'failed')),
  state_reason text,
  provider_id text,
  was_accepted boolean not null default false,
  attempts smallint not null default 0,
  enquiries smallint not null default 0,
  created_at timestamptz not null,
  finished_at timestamptz,
  next_step_at timestamptz
);
create index payouts_due on payments.payouts (next_step_at) where next_step_at is not null;
create index payouts_by_receipt on payments.payouts (receipt_id);
create index payouts_by_original on payments.payouts (rail, original_provider_id) where method = 'reversal';
select platform.open_to_app('payments.payouts');

-- ── what providers list ───────────────────────────────────────────────────────────────────────────────────────────
-- One row for each transaction of a provider's list or statement; the daily reconciliation compares it with ours.
create table payments.listed (
  rail text not null,
  provider_id text not null,
  kind text not null check (kind in ('payment', 'reversal', 'fee', 'disbursement', 'settlement', 'other')),
  amount_minor bigint not null,                 -- in above zero, out below
  currency text not null,
  at timestamptz not null,
  source text not null check (source in ('pull', 'statement')),
  original_provider_id text,
  detail text,
  first_seen_at timestamptz not null,
  primary key (rail, provider_id, kind)
);
create index listed_by_time on payments.listed (rail, at);                          -- a day's reconciliation
select platform.open_to_app('payments.listed');

-- How far each sweep has come. A window is done when its last page is; the next one begins where it ended.
create table payments.sweeps (
  rail text not null,
  kind text not null check (kind in ('pull')),
  done_until timestamptz not null,
  window_from timestamptz,                      -- set while a window is under way, so that its pages stay the same
  window_to timestamptz,
  cursor text,
  found integer not null default 0,             -- payments that only the sweep found
  failure text,
  failures smallint not null default 0,
  last_run_at timestamptz,
  next_run_at timestamptz not null,
  primary key (rail, kind)
);
select platform.open_to_app('payments.sweeps');

create table payments.reconciliations (
  rail text not null,
  on_date date not null,                        -- in the channel's zone
  currency text not null,
  listed_minor bigint not null,                 -- the provider's list: in less out
  booked_minor bigint not null,                 -- our receipts, reversals, payouts, fees and settlements of that day
  clearing_minor bigint not null,               -- the clearing account's postings of that day
  exceptions integer not null,
  state text not null check (state in ('agreed', 'exceptions', 'no_list')),
  made_at timestamptz not null,
  primary key (rail, on_date, currency)
);
select platform.open_to_app('payments.reconciliations');

-- Named exceptions: nothing between a provider and our books stays unexplained.
create table payments.exceptions (
  id uuid primary key,
  rail text not null,
  kind text not null check (kind in ('listed_not_booked', 'booked_not_listed', 'amount_differs', 'unreadable_line', 'reversal_without_payment',
    'reversal_too_large', 'line_conflict', 'clearing_differs', 'payout_unanswered')),
  subject text not null,                        -- the provider's reference, or what stands for it
  on_date date not null,
  amount_minor bigint not null,
  currency text not null,
  detail text not null,
  opened_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by text,
  resolution text,
  unique (rail, kind, subject)
);
create index exceptions_open on payments.exceptions (opened_at, id) where resolved_at is null;
select platform.open_to_app('payments.exceptions');

-- ── the desk's own columns ────────────────────────────────────────────────────────────────────────────────────────
-- What is still unexplained of an item: less than its receipt after a split.
alter table payments.suspense add column open_minor bigint;
update payments.suspense s set open_minor = case when s.resolved_at is null then r.amount_minor else 0 end
  from payments.receipts r where r.id = s.receipt_id;
alter table payments.suspense alter column open_minor set not null, add check (open_minor >= 0);

-- Where a receipt's money went after its first place: matched, split, unlinked, reversed, refunded. With `cause` the contracts'
-- allocations of the receipt are found.
create table payments.movements (
  id uuid primary key,
  receipt_id uuid not null references payments.receipts (id),
  kind text not null check (kind in ('matched', 'unlinked', 'reversed', 'refund', 'refund_returned')),
  cause text not null unique,
  amount_minor bigint not null check (amount_minor > 0),
  contract_id uuid,
  actor text not null,
  approved_by text,
  reason text not null,
  transaction_id uuid,
  at timestamptz not null
);
create index movements_by_receipt on payments.movements (receipt_id, at);
select platform.append_only('payments.movements');
