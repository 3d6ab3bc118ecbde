-- Who works here: staff, their sessions, the guesses made at their passwords, and what they did.

create schema access;
grant usage on schema access to washa_app;

create table access.staff (
  id uuid primary key,
  email text not null unique check (email = lower(email)),
  name text not null,
  role text not null check (role in ('admin', 'operations', 'agent')),
  area text,                                    -- an agent sees this area and no other
  language text not null check (language in ('en', 'fr', 'sw')),
  password_hash text not null,                  -- scrypt, with its parameters and salt
  created_at timestamptz not null,
  created_by text not null,
  disabled_at timestamptz,
  check ((role = 'agent') = (area is not null))
);

-- A session is found by the digest of its token; the token itself is nowhere, so a stolen copy opens nothing.
create table access.sessions (
  token_sha256 bytea primary key,
  staff_id uuid not null references access.staff (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index sessions_by_expiry on access.sessions (expires_at);                -- the sweep

-- Every guess is written before the password is looked at, so guesses made at the same moment count each other.
create table access.login_attempts (
  id uuid primary key,
  account text not null,                        -- the address as typed, also when nobody has it
  source text not null,
  at timestamptz not null,
  succeeded boolean not null default false
);
create index login_attempts_by_account on access.login_attempts (account, at);  -- the limit per account
create index login_attempts_by_source on access.login_attempts (source, at);    -- the limit per source
create index login_attempts_by_time on access.login_attempts (at);              -- the sweep

-- What a person with privileges did, written in the same transaction as the act.
create table access.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject_kind text not null,
  subject_id text not null,
  detail jsonb not null
);
create index audit_by_subject on access.audit (subject_kind, subject_id, id);   -- the history of one thing
select platform.append_only('access.audit');

select platform.open_to_app('access.staff');
select platform.open_to_app('access.sessions');
select platform.open_to_app('access.login_attempts');
