-- Talking with customers: conversations, PINs, and what people asked for.

create schema ussd;
grant usage on schema ussd to washa_app;

-- One conversation. What was last answered is kept sealed, since a token or a debt may be in it; what was typed is not kept at all.
create table ussd.sessions (
  channel text not null check (channel in ('ussd', 'sms', 'whatsapp', 'telegram')),
  phone text not null,                          -- E.164, vouched for by the channel
  key text not null,                            -- the gateway's name for the session; a chat has one for ever
  state jsonb not null,                         -- where in the dialogue
  hops jsonb not null,                          -- length and keyed mark of the last hop, to know it when it comes again
  answer bytea not null,                        -- sealed
  screen text not null,                         -- the last one shown
  hop_count integer not null,
  started_at timestamptz not null,
  touched_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  outcome text,                                 -- how it ended; null while it runs
  primary key (channel, phone, key)
);
create index sessions_by_expiry on ussd.sessions (expires_at) where outcome is null;        -- those to be given up
create index sessions_by_phone on ussd.sessions (phone, touched_at desc);                   -- where a caller left off
create index sessions_by_end on ussd.sessions (ended_at) where outcome is not null;         -- those to be forgotten
select platform.open_to_app('ussd.sessions');

-- What strangers chose; customers have their own row.
create table ussd.callers (
  phone text primary key,
  language text not null check (language in ('en', 'fr', 'sw')),
  changed_at timestamptz not null
);
select platform.open_to_app('ussd.callers');

-- Four digits, kept by a slow hash; a few wrong ones lock it.
create table ussd.pins (
  customer_id uuid primary key references customers.customers (id),
  hash text not null,
  failures smallint not null default 0,
  locked_until timestamptz,
  set_at timestamptz not null
);
select platform.open_to_app('ussd.pins');

-- What somebody asked for, one row an act: faults, calls, friends, leads. The key of the hop makes each of them one.
create table ussd.wishes (
  id uuid primary key,
  number integer not null generated always as identity unique,    -- as told to the customer
  key text not null unique,
  kind text not null check (kind in ('fault', 'call', 'friend', 'lead')),
  phone text not null,                          -- who asked
  customer_id uuid references customers.customers (id),
  contract_id uuid references credit.contracts (id),
  category text,                                -- of a fault
  detail jsonb not null,                        -- note, friend's phone, name and place
  language text not null,
  state text not null default 'open' check (state in ('open', 'in_work', 'done')),
  opened_at timestamptz not null,
  state_at timestamptz not null,
  state_by text
);
create index wishes_open on ussd.wishes (state, id);                             -- the operators' list
create index wishes_by_phone on ussd.wishes (phone, id desc);                    -- "follow my reports", and how often today
select platform.open_to_app('ussd.wishes');

-- How often a number did what can be misused, in one hour or day.
create table ussd.counts (
  key text not null,                            -- "find_payee:+2547…"
  since timestamptz not null,                   -- start of the window
  count integer not null,
  primary key (key, since)
);
create index counts_by_age on ussd.counts (since);                               -- those to be forgotten
select platform.open_to_app('ussd.counts');
