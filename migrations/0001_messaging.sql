-- Messages to customers, and what the gateway reported of them.

create schema messaging;
grant usage on schema messaging to washa_app;

-- The number is not checked here: a bad one is refused by the gateway and seen there, and never holds up a payment.
create table messaging.messages (
  id uuid primary key,
  key text not null unique,                     -- one event, one message, however often the writer runs
  to_phone text not null,
  language text not null,
  template text not null,
  template_values jsonb not null,
  contract_id uuid,
  receipt_id uuid,
  state text not null default 'waiting' check (state in
    ('waiting', 'queued', 'sent', 'submitted', 'buffered', 'delivered', 'failed', 'rejected', 'refused')),
  text text,                                    -- fixed at the first attempt, so that a repetition reads the same
  provider_id text,
  cost_text text,
  failure text,
  attempts integer not null default 0,
  claimed_until timestamptz,                    -- a worker is talking to the gateway; one that died is replaced after this
  created_at timestamptz not null,
  sent_at timestamptz,
  state_at timestamptz not null
);
create index messages_of_contract on messaging.messages (contract_id, id) where contract_id is not null;  -- a contract's page
create index messages_of_receipt on messaging.messages (receipt_id) where receipt_id is not null;         -- a receipt's page
create index messages_of_phone on messaging.messages (to_phone, id);                                      -- a caller to the desk
create index messages_of_provider on messaging.messages (provider_id) where provider_id is not null;      -- a delivery report
create index messages_waiting on messaging.messages (created_at) where state = 'waiting';                 -- the sweep for lost jobs
select platform.open_to_app('messaging.messages');

-- Every report as it came, also of messages nobody knows: a report can overtake the answer to the very request it is about.
create table messaging.reports (
  id bigint generated always as identity primary key,
  provider_id text not null,
  status text not null,
  to_phone text,
  network_code text,
  failure text,
  received_at timestamptz not null,
  unique (provider_id, status)                  -- a repeated report is the same report
);
select platform.append_only('messaging.reports');
