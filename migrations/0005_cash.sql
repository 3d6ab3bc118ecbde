-- Agents' cash: who took how much from whom, what the office has counted, and what the agents earned by it.
-- A receipt that is booked entered the inbox (payments.callbacks, rail 'cash') in the same transaction; the ledger has the rest.

create sequence payments.cash_agent_codes as integer start 101;  -- the agent's part of receipt numbers
grant usage on sequence payments.cash_agent_codes to washa_app;

-- Locked by every act on an agent's cash, so that limits and holdings are decided by one at a time.
create table payments.cash_agents (
  agent_id uuid primary key,
  code integer not null unique default nextval('payments.cash_agent_codes'),
  next_sequence integer not null default 1 check (next_sequence between 1 and 100000000),  -- numbers below it were given out
  created_at timestamptz not null
);
select platform.open_to_app('payments.cash_agents');

-- What an agent has in hand is booked + provisional; the office has accepted the rest. A hand-over may count cash of
-- provisional receipts, so booked alone may be below zero until these are released.
create table payments.cash_holdings (
  agent_id uuid not null references payments.cash_agents (agent_id),
  currency text not null,
  booked_minor bigint not null default 0,       -- collected, in the inbox or the books, not yet accepted by the office
  provisional_minor bigint not null default 0 check (provisional_minor >= 0),
  offered_minor bigint not null default 0 check (offered_minor >= 0),  -- in hand-overs that wait for the office
  clearing_account_id bigint not null,
  commission_account_id bigint not null,
  primary key (agent_id, currency),
  check (booked_minor + provisional_minor >= 0),
  check (offered_minor <= booked_minor + provisional_minor)
) with (fillfactor = 80);
select platform.open_to_app('payments.cash_holdings');

create table payments.cash_limits (
  agent_id uuid,                                -- null: every agent without a limit of their own
  currency text not null,
  limit_minor bigint not null check (limit_minor >= 0),
  set_by text not null,
  set_at timestamptz not null,
  unique nulls not distinct (agent_id, currency)
);
select platform.open_to_app('payments.cash_limits');

create table payments.cash_receipts (
  receipt_number text primary key,
  agent_id uuid not null references payments.cash_agents (agent_id),
  sequence integer not null,
  client_key text not null,                     -- of the agent's phone: ten sends of one key are one receipt
  raw text not null,                            -- all that was sent; another text under the same key is a conflict
  contract_id uuid not null,
  reference text not null,                      -- the account number to credit
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  taken_at timestamptz not null,                -- by the agent's phone
  received_at timestamptz not null,
  state text not null check (state in ('provisional', 'booked', 'cancelled')),
  reason text check (reason in ('over_limit', 'no_limit')),  -- why it had to wait
  booked_at timestamptz,
  released_by text,                             -- an officer; null when it was within the limit, or room was made
  release_reason text,
  cancelled_at timestamptz,                     -- written by mistake; a booked one is reversed in the books
  cancelled_by text,
  cancel_reason text,
  check (state <> 'booked' or booked_at is not null),
  check (state <> 'provisional' or (booked_at is null and reason is not null)),
  check ((released_by is null) = (release_reason is null)),
  check ((state = 'cancelled') = (cancelled_at is not null and cancelled_by is not null and cancel_reason is not null)),
  unique (agent_id, client_key),
  unique (agent_id, sequence)
);
create index cash_receipts_waiting on payments.cash_receipts (agent_id, currency, taken_at, sequence) where state = 'provisional';  -- in the order of release
select platform.open_to_app('payments.cash_receipts');

create table payments.cash_hand_overs (
  id uuid primary key,
  agent_id uuid not null references payments.cash_agents (agent_id),
  client_key text not null,
  offered_minor bigint not null check (offered_minor > 0),
  currency text not null,
  offered_at timestamptz not null,
  state text not null check (state in ('offered', 'accepted', 'rejected')),
  counted_minor bigint check (counted_minor between 1 and offered_minor),
  decided_by text,
  decided_at timestamptz,
  reason text,                                  -- why it was rejected
  transaction_id uuid unique,
  check ((state = 'offered') = (decided_at is null)),
  check ((state = 'accepted') = (counted_minor is not null)),
  unique (agent_id, client_key)
);
create index cash_hand_overs_by_state on payments.cash_hand_overs (state, offered_at desc, id desc);  -- the office's list
create index cash_hand_overs_by_agent on payments.cash_hand_overs (agent_id, offered_at desc, id desc);  -- an agent's own
select platform.open_to_app('payments.cash_hand_overs');

-- What a sale or a collection earns: a ratio of its amount, and a fixed part. A rule never changes; a newer one takes over.
create table payments.commission_rules (
  id uuid primary key,
  kind text not null check (kind in ('sale', 'collection')),
  agent_id uuid,                                -- null: every agent without a rule of their own
  currency text not null,
  ratio_numerator bigint not null check (ratio_numerator >= 0),
  ratio_denominator bigint not null check (ratio_denominator >= greatest(1, ratio_numerator)),
  fixed_minor bigint not null check (fixed_minor >= 0),
  effective_at timestamptz not null,
  set_by text not null,
  set_at timestamptz not null
);
create index commission_rules_in_force on payments.commission_rules (currency, kind, agent_id, effective_at desc);
select platform.append_only('payments.commission_rules');

-- The part of a minor unit that rounding down has kept back so far, over the rule's denominator.
create table payments.commission_fractions (
  agent_id uuid not null,
  rule_id uuid not null references payments.commission_rules (id),
  numerator bigint not null check (numerator >= 0),
  primary key (agent_id, rule_id)
);
select platform.open_to_app('payments.commission_fractions');

create table payments.commissions (
  cause text primary key,                       -- 'collection:<receipt number>' or 'sale:<contract>': each earns once
  agent_id uuid not null,
  rule_id uuid not null references payments.commission_rules (id),
  base_minor bigint not null,
  amount_minor bigint not null,
  currency text not null,
  earned_at timestamptz not null,
  transaction_id uuid,                          -- null when it came to less than a minor unit
  taken_back_minor bigint,
  taken_back_at timestamptz,
  taken_back_reason text,
  back_transaction_id uuid
);
create index commissions_by_agent on payments.commissions (agent_id, earned_at desc);
select platform.open_to_app('payments.commissions');
