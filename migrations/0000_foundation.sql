-- The foundation: outbox, customers, ledger, payments, devices and tokens, credit.
-- Every instant is timestamptz (UTC); every amount is whole minor units in a bigint; ids are UUIDs of version 7.

create schema platform;
create schema customers;
create schema ledger;
create schema payments;
create schema devices;
create schema credit;

-- The program works as `washa_app`, which owns nothing: it may do only what the two functions below grant. Migrations run as
-- the login user, who must be able to create this role or find it made.
do $$ begin
  if not exists (select from pg_roles where rolname = 'washa_app') then create role washa_app nologin; end if;
exception when duplicate_object or unique_violation then null;  -- another database of this cluster was quicker
end $$;
do $$ begin
  execute format('grant washa_app to %I', current_user);
end $$;
grant usage on schema platform, customers, ledger, payments, devices, credit to washa_app;

-- Raised by every append-only table. TRUNCATE is covered too: a statement trigger sees what privileges let through.
create function platform.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '%.% is append-only: % refused', tg_table_schema, tg_table_name, tg_op
    using errcode = 'WA001', hint = 'Correct by appending a reversing row.';
end $$;

-- A table that the program may read and write.
create function platform.open_to_app(place regclass) returns void language plpgsql as $$
begin
  execute format('grant select, insert, update, delete on %s to washa_app', place);
end $$;

-- A table whose rows are never changed: by privilege for the program, by trigger for everybody.
create function platform.append_only(place regclass) returns void language plpgsql as $$
begin
  execute format('grant select, insert on %s to washa_app', place);
  execute format('create trigger append_only before update or delete or truncate on %s
                  for each statement execute function platform.refuse_change()', place);
end $$;

-- ── platform ─────────────────────────────────────────────────────────────────────────────────────────────────────
create table platform.outbox (
  id bigint generated always as identity primary key,
  topic text not null,
  key text not null unique,                     -- one event, one row, however often the writer runs
  payload jsonb not null,
  created_at timestamptz not null,
  relayed_at timestamptz
);
create index outbox_waiting on platform.outbox (id) where relayed_at is null;  -- the relay's claim

create table platform.commands (
  actor text not null,
  key text not null,
  input_hash bytea not null,
  outcome jsonb,
  created_at timestamptz not null,
  primary key (actor, key)
);

-- ── customers ────────────────────────────────────────────────────────────────────────────────────────────────────
create table customers.customers (
  id uuid primary key,
  name text not null,
  language text not null check (language in ('en', 'fr', 'sw')),
  area text not null,                           -- what an agent may see is decided by it
  place text,
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  service_consent_at timestamptz,               -- messages about the customer's own system
  marketing_consent_at timestamptz,
  registered_by text not null,
  registered_at timestamptz not null
);
create index customers_by_area on customers.customers (area, id);               -- an agent's own list
create index customers_by_name on customers.customers (lower(name), id);        -- search by the start of a name

create table customers.phones (
  customer_id uuid not null references customers.customers (id),
  e164 text not null check (e164 ~ '^\+[1-9][0-9]{6,14}$'),
  sha256 bytea not null,                        -- of the digits without plus: how M-Pesa version 1 names a payer
  is_primary boolean not null,
  added_at timestamptz not null,
  primary key (customer_id, e164)
);
create unique index phones_one_primary on customers.phones (customer_id) where is_primary;
create index phones_by_number on customers.phones (e164);                       -- who calls
create index phones_by_hash on customers.phones (sha256);                       -- who paid without an account number

-- ── ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────
create table ledger.accounts (
  id bigint generated always as identity primary key,
  code text not null unique,
  kind text not null check (kind in ('asset', 'liability', 'income', 'expense')),
  currency text not null,
  unique (id, currency)
);

create table ledger.transactions (
  id uuid primary key,
  kind text not null,
  memo text not null,
  reference text,                               -- the receipt, sale or command that caused it
  idempotency_key text not null unique,
  input_hash bytea not null,
  reverses_id uuid unique references ledger.transactions (id),
  posting_count smallint not null check (posting_count >= 2),
  effective_at timestamptz not null,            -- when it happened in the world
  posted_at timestamptz not null,               -- when we wrote it down
  actor text not null
);
create index transactions_by_reference on ledger.transactions (reference);      -- a receipt's history

create table ledger.postings (
  transaction_id uuid not null references ledger.transactions (id),
  line smallint not null,
  account_id bigint not null,
  amount_minor bigint not null check (amount_minor <> 0),   -- debit above zero, credit below
  currency text not null,
  primary key (transaction_id, line),
  foreign key (account_id, currency) references ledger.accounts (id, currency)
);
create index postings_by_account on ledger.postings (account_id, transaction_id);  -- a statement

create table ledger.balances (
  account_id bigint primary key references ledger.accounts (id),
  balance_minor bigint not null,
  posting_count bigint not null
) with (fillfactor = 70);                        -- room for the updates to stay on their page

-- All postings of a transaction arrive in one statement, or not at all: the sum per currency is zero, their number is
-- the one the transaction declared (so nothing can be added later), and the cached balances move in the same statement.
-- Account rows are updated in the order of their ids, so two batches cannot wait for each other.
create function ledger.keep_balance() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from fresh group by transaction_id, currency having sum(amount_minor) <> 0) then
    raise exception 'postings of a transaction do not sum to zero' using errcode = 'WA002';
  end if;
  -- Its lines are numbered from 0 up to the number declared, and a line stands once: with all of them there, none can follow.
  if exists (select from (select transaction_id, count(*) as lines, min(line) as first, max(line) as last from fresh group by transaction_id) written
             join ledger.transactions t on t.id = written.transaction_id
             where t.posting_count <> written.lines or written.first < 0 or written.last >= t.posting_count) then
    raise exception 'a transaction takes exactly the postings it was declared with' using errcode = 'WA003';
  end if;
  insert into ledger.balances as b (account_id, balance_minor, posting_count)
    select account_id, sum(amount_minor), count(*) from fresh group by account_id order by account_id
    on conflict (account_id) do update
      set balance_minor = b.balance_minor + excluded.balance_minor, posting_count = b.posting_count + excluded.posting_count;
  return null;
end $$;
create trigger keep_balance after insert on ledger.postings
  referencing new table as fresh for each statement execute function ledger.keep_balance();

-- The cached balances have one writer: the trigger above.
create function ledger.only_by_posting() returns trigger language plpgsql as $$
begin
  if pg_trigger_depth() < 2 then
    raise exception 'balances move only by posting: % refused', tg_op using errcode = 'WA004';
  end if;
  return null;
end $$;
create trigger only_by_posting before insert or update or delete or truncate on ledger.balances
  for each statement execute function ledger.only_by_posting();

select platform.append_only('ledger.transactions');
select platform.append_only('ledger.postings');

-- ── payments ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- What a provider told us, verified and kept as it came. Append-only; what still has to be settled is in `pending`.
create table payments.callbacks (
  id bigint generated always as identity primary key,
  rail text not null,
  provider_id text not null,
  facts_hash bytea not null,                    -- of amount, account, time and shortcode: the same id with others is a conflict
  raw bytea not null,
  source_address text not null,
  received_at timestamptz not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  shortcode text not null,
  reference text not null,                      -- the account as the payer typed it
  payer_phone text,                             -- only when the rail shows it
  payer_hash bytea,                             -- SHA-256 of the digits, computed or as received
  payer_name text,
  paid_at timestamptz not null,                 -- the provider's event time
  unique (rail, provider_id)
);
select platform.append_only('payments.callbacks');

create table payments.pending (
  callback_id bigint primary key references payments.callbacks (id),
  attempts smallint not null default 0,
  next_attempt_at timestamptz not null,
  failure text
);
create index pending_due on payments.pending (next_attempt_at, callback_id);    -- the settle loop's claim

create table payments.receipts (
  id uuid primary key,
  callback_id bigint not null unique references payments.callbacks (id),
  rail text not null,
  provider_id text not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  reference text not null,
  payer_name text,
  payer_hash bytea,
  paid_at timestamptz not null,
  booked_at timestamptz not null,
  transaction_id uuid not null unique,          -- where the money went first: a contract, or suspense
  unique (rail, provider_id)
);
create index receipts_by_time on payments.receipts (paid_at desc, id desc);     -- the list that operations reads
select platform.append_only('payments.receipts');

create table payments.suspense (
  receipt_id uuid primary key references payments.receipts (id),
  reason text not null,
  opened_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by text,
  resolution text,
  transaction_id uuid                           -- the posting that moved the money out of suspense
);
create index suspense_open on payments.suspense (opened_at, receipt_id) where resolved_at is null;  -- the desk

-- What could not be understood or trusted, with its bytes, for a person to read.
create table payments.quarantine (
  id bigint generated always as identity primary key,
  rail text not null,
  door text not null,
  reason text not null,
  detail text not null,
  provider_id text,
  source_address text not null,
  raw bytea not null,
  received_at timestamptz not null
);
create index quarantine_by_time on payments.quarantine (received_at desc, id desc);
select platform.append_only('payments.quarantine');

-- ── devices ──────────────────────────────────────────────────────────────────────────────────────────────────────
create table devices.devices (
  id uuid primary key,
  serial text not null unique,
  model text not null,
  hardware_version text,
  state text not null check (state in ('stock', 'installed', 'retired')),
  key_sealed bytea not null,                    -- AES-256-GCM: nonce, tag, text; bound to the serial
  starting_code integer not null check (starting_code between 0 and 999999999),
  count integer not null check (count >= 0),    -- of the last token issued
  time_divider smallint not null check (time_divider between 1 and 255),
  restricted_digits boolean not null,
  test_code text,                               -- the batch's factory code; no token may equal it
  imported_at timestamptz not null
) with (fillfactor = 80);

create table devices.tokens (
  id uuid primary key,
  device_id uuid not null references devices.devices (id),
  count integer not null,
  kind text not null check (kind in ('add', 'set', 'disable', 'sync')),
  units integer not null,
  digits text not null,
  cause text not null,                          -- the receipt or command that it answers
  part smallint not null,                       -- a payment worth more than one token can hold gives several
  issued_at timestamptz not null,
  unique (device_id, count),
  unique (cause, device_id, part)
);
select platform.append_only('devices.tokens');

-- ── credit ───────────────────────────────────────────────────────────────────────────────────────────────────────
create table credit.plans (
  id uuid primary key,
  code text not null unique,
  name text not null,
  created_at timestamptz not null
);

create table credit.plan_versions (
  id uuid primary key,
  plan_id uuid not null references credit.plans (id),
  version integer not null,
  effective_at timestamptz not null,            -- sales from then on
  currency text not null,
  deposit_minor bigint not null check (deposit_minor >= 0),
  deposit_buys_time boolean not null,
  total_minor bigint check (total_minor > 0),   -- null: rent without end
  price_numerator bigint not null check (price_numerator > 0),     -- minor units …
  price_denominator bigint not null check (price_denominator > 0),
  price_seconds integer not null check (price_seconds in (3600, 86400)),  -- … per hour or per day
  minimum_payment_minor bigint not null check (minimum_payment_minor >= 0),
  free_seconds integer not null check (free_seconds >= 0),         -- light before the first payment must follow
  instalment_days integer not null check (instalment_days between 1 and 366),
  grace_days integer not null check (grace_days >= 0),
  check (total_minor is null or total_minor >= deposit_minor),
  unique (plan_id, version)
);
create index plan_versions_in_force on credit.plan_versions (plan_id, effective_at desc);

create sequence credit.account_serials as bigint start 1000;  -- the number without its check digit

create table credit.contracts (
  id uuid primary key,
  account_number text not null unique,          -- digits only, the last one a check digit
  customer_id uuid not null references customers.customers (id),
  device_id uuid not null references devices.devices (id),
  plan_version_id uuid not null references credit.plan_versions (id),
  currency text not null,
  area text not null,
  state text not null check (state in ('active', 'paid_off', 'written_off')),
  sold_by text not null,
  sold_at timestamptz not null,
  started_at timestamptz,                       -- the first payment
  ended_at timestamptz,
  received_minor bigint not null default 0 check (received_minor >= 0),
  deposit_due_minor bigint not null check (deposit_due_minor >= 0),
  outstanding_minor bigint check (outstanding_minor >= 0),         -- null: rent without end
  carried_minor bigint not null default 0 check (carried_minor >= 0),
  carried_fraction bigint not null default 0 check (carried_fraction >= 0),
  refundable_minor bigint not null default 0 check (refundable_minor >= 0),
  debt_minor bigint not null default 0 check (debt_minor >= 0),
  paid_until_at timestamptz,                    -- what the money bought, to the millisecond
  lamp_until_at timestamptz,                    -- what the tokens gave, in whole units
  receivable_account_id bigint not null,
  credit_account_id bigint not null,
  refundable_account_id bigint not null,
  debt_account_id bigint not null
) with (fillfactor = 70);
create unique index contracts_one_per_device on credit.contracts (device_id) where state = 'active';
create index contracts_by_customer on credit.contracts (customer_id, id);
create index contracts_by_area on credit.contracts (area, id);                  -- an agent's own list

-- The terms of a contract over time: its own plan version from the sale, another only by a change with an effective time.
create table credit.contract_terms (
  contract_id uuid not null references credit.contracts (id),
  effective_at timestamptz not null,
  plan_version_id uuid not null references credit.plan_versions (id),
  decided_by text not null,
  primary key (contract_id, effective_at)
);
select platform.append_only('credit.contract_terms');

-- What each payment bought. The four amounts sum to the money received, with the carried part as a change.
create table credit.allocations (
  id uuid primary key,
  contract_id uuid not null references credit.contracts (id),
  cause text not null,                          -- a receipt's id, or a command's
  paid_at timestamptz not null,
  received_minor bigint not null,               -- below zero: money taken back
  debt_minor bigint not null,
  deposit_minor bigint not null,
  spent_minor bigint not null,
  carried_change_minor bigint not null,
  refundable_minor bigint not null,
  units integer not null,
  effect text not null check (effect in ('none', 'add', 'unlock')),
  paid_from_at timestamptz,
  paid_until_at timestamptz,
  check (received_minor = debt_minor + deposit_minor + spent_minor + carried_change_minor + refundable_minor),
  unique (cause, contract_id)
);
create index allocations_by_contract on credit.allocations (contract_id, paid_at, id);  -- timeline and statement
select platform.append_only('credit.allocations');

-- What a person decided about a contract: sale, swap, write-off, adjustment, change of price.
create table credit.contract_events (
  id uuid primary key,
  contract_id uuid not null references credit.contracts (id),
  kind text not null check (kind in ('sold', 'device_swapped', 'written_off', 'paid_off', 'adjusted', 'terms_changed')),
  at timestamptz not null,
  actor text not null,
  detail jsonb not null
);
create index contract_events_by_contract on credit.contract_events (contract_id, at);
select platform.append_only('credit.contract_events');

-- ── what the program may do ───────────────────────────────────────────────────────────────────────────────────────
select platform.open_to_app('platform.outbox');
select platform.open_to_app('platform.commands');
select platform.open_to_app('customers.customers');
select platform.open_to_app('customers.phones');
select platform.open_to_app('ledger.accounts');
select platform.open_to_app('payments.pending');
select platform.open_to_app('payments.suspense');
select platform.open_to_app('devices.devices');
select platform.open_to_app('credit.plans');
select platform.open_to_app('credit.plan_versions');
select platform.open_to_app('credit.contracts');
grant select on ledger.balances to washa_app;
revoke update, delete on ledger.accounts from washa_app;
grant usage on sequence credit.account_serials to washa_app;
