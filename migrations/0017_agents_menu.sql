-- Agents at their own phones, guesses from strange phones, tickets that people work on, and quotes that are kept.

-- An agent is known by this number. Whoever is disabled gives it back.
alter table access.staff add column phone text unique;   -- E.164

-- A PIN is a customer's or a member of staff's.
alter table ussd.pins drop constraint pins_pkey, drop constraint pins_customer_id_fkey;
alter table ussd.pins rename column customer_id to owner_id;
alter table ussd.pins add column owner_kind text not null default 'customer' check (owner_kind in ('customer', 'staff'));
alter table ussd.pins alter column owner_kind drop default;
alter table ussd.pins add primary key (owner_kind, owner_id);

-- Where the wish comes from decides which agent sees it; what the device told when it was reported stays with it.
alter table ussd.wishes add column area text, add column readings jsonb;
create index wishes_by_area on ussd.wishes (area, id) where area is not null;              -- an agent's list

-- What people wrote down while they worked on a wish.
create table ussd.wish_notes (
  id uuid primary key,
  wish_id uuid not null references ussd.wishes (id),
  note text not null,
  noted_by text not null,
  noted_at timestamptz not null
);
create index wish_notes_by_wish on ussd.wish_notes (wish_id, id);                          -- the story of one
select platform.append_only('ussd.wish_notes');

-- What was promised to somebody who wants to pay all at once.
create table ussd.pay_off_quotes (
  id uuid primary key,
  key text not null unique,                     -- names the hop: one hop, one quote
  contract_id uuid not null references credit.contracts (id),
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  quoted_at timestamptz not null,
  expires_at timestamptz not null
);
create index pay_off_quotes_by_contract on ussd.pay_off_quotes (contract_id, id desc);     -- the last one
select platform.append_only('ussd.pay_off_quotes');
