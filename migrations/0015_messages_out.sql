-- Messages on several channels, with what they cost; when they may leave; reminders and campaigns.

alter table messaging.messages
  add column channel text not null default 'sms' check (channel in ('sms', 'whatsapp', 'telegram')),
  add column address text,                      -- on the channel; null: to_phone itself
  add column buttons jsonb not null default '[]',
  add column asks_contact boolean not null default false,
  add column category text not null default 'service' check (category in ('service', 'marketing', 'reply', 'staff')),
  add column customer_id uuid,                  -- whose consent decides
  add column campaign_id uuid,
  add column fallback_of uuid,                  -- the message of another channel that did not arrive
  add column cost numeric,                      -- exact, in whole units of its currency: gateways charge parts of a cent
  add column cost_currency text,
  add column not_before timestamptz,            -- it waits for a decent hour, or for another day's money
  add column is_deferred boolean not null default false,        -- no job knows of it until then
  drop constraint messages_state_check,
  add constraint messages_state_check check (state in
    ('waiting', 'queued', 'sent', 'submitted', 'buffered', 'delivered', 'read', 'failed', 'rejected', 'refused'));
create index messages_deferred on messaging.messages (not_before) where is_deferred;                      -- those that may leave now
create index messages_of_campaign on messaging.messages (campaign_id, state) where campaign_id is not null;  -- how far a campaign is
create index messages_by_time on messaging.messages (created_at);                                         -- the figures of some days

-- What a day's messages cost so far. What may be capped is written down before it is sent, at the price expected.
create table messaging.spending (
  on_day date not null,                         -- in the operator's zone
  currency text not null,
  cost numeric not null,
  capped_at timestamptz,                        -- something had to wait for another day
  told_at timestamptz,                          -- operations were told so
  primary key (on_day, currency)
);
select platform.open_to_app('messaging.spending');

-- How often somebody was written to without having asked, in one day or week.
create table messaging.counts (
  who text not null,                            -- a contract for reminders, a customer for marketing
  what text not null check (what in ('reminder', 'marketing')),
  since date not null,                          -- first day of the window, in the person's zone
  count integer not null,
  primary key (who, what, since)
);
create index counts_by_age on messaging.counts (since);                                                   -- those to be forgotten
select platform.open_to_app('messaging.counts');

create table messaging.campaigns (
  id uuid primary key,
  name text not null,
  segment jsonb not null,
  texts jsonb not null,                         -- by language
  state text not null check (state in ('draft', 'running', 'stopped', 'done')),
  created_by text not null,
  created_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz
);
create index campaigns_running on messaging.campaigns (id) where state = 'running';                       -- what the worker does
select platform.open_to_app('messaging.campaigns');

-- Everybody whom a campaign means, once; written down when it starts, so that a crash forgets and repeats nobody.
create table messaging.recipients (
  campaign_id uuid not null references messaging.campaigns (id),
  customer_id uuid not null,
  phone text not null,
  contract_id uuid,                             -- the account that the text speaks of
  state text not null default 'waiting' check (state in ('waiting', 'written', 'skipped')),
  reason text,                                  -- why skipped
  primary key (campaign_id, phone),
  unique (campaign_id, customer_id)
);
create index recipients_waiting on messaging.recipients (campaign_id, phone) where state = 'waiting';     -- the next batch
select platform.open_to_app('messaging.recipients');

-- Reminders that were due, each once for the day on which light ends (or the contract ended), told or not.
create table credit.reminders (
  contract_id uuid not null references credit.contracts (id),
  kind text not null check (kind in ('low_3', 'low_1', 'locked', 'locked_3', 'locked_7', 'paid_off')),
  ends_on date not null,                        -- in the zone of the contract's currency
  found_at timestamptz not null,
  primary key (contract_id, kind, ends_on)
);
create index reminders_by_age on credit.reminders (found_at);                                             -- those to be forgotten
select platform.open_to_app('credit.reminders');
