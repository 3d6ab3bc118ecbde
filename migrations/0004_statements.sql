-- Statement files: each one once, all of its lines, and how a person's mapping reads them.

create table payments.statements (
  id uuid primary key,
  rail text not null,
  shortcode text not null,                      -- our account that the file is of
  file_name text not null,
  sha256 bytea not null,                        -- of the file's bytes
  reading text not null,                        -- how they were read: a corrected mapping may read the same file again
  format text not null,
  encoding text not null,
  bytes bigint not null,
  imported_by text not null,
  imported_at timestamptz not null,
  from_at timestamptz,                          -- the first and the last transaction in it
  to_at timestamptz,
  lines_total integer not null default 0,       -- without empty ones
  taken integer not null default 0,
  known integer not null default 0,
  refused integer not null default 0,
  skipped integer not null default 0,           -- totals, footers, repeated headers
  exceptions integer not null default 0,
  by_kind jsonb not null default '{}',
  check (lines_total = taken + known + refused + skipped),
  unique (rail, sha256, reading)                -- the same file again answers the first report
);
create index statements_by_time on payments.statements (imported_at desc, id desc);  -- the list that operations reads
select platform.open_to_app('payments.statements');

-- No foreign key: both are written in one transaction, and two million lines would be checked one by one.
create table payments.statement_lines (
  statement_id uuid not null,
  line integer not null,                        -- where it begins in the file, from 1
  provider_id text,
  kind text check (kind in ('payment', 'reversal', 'fee', 'disbursement', 'settlement', 'other')),
  amount_minor bigint,                          -- in above zero, out below
  at timestamptz,
  outcome text not null check (outcome in ('taken', 'known', 'refused', 'skipped')),
  detail text,                                  -- why it was refused, or what a person should know
  raw text not null,
  primary key (statement_id, line)
);
create index statement_lines_refused on payments.statement_lines (statement_id, line) where outcome = 'refused';  -- the report
create index statement_lines_to_post on payments.statement_lines (statement_id, line) where kind in ('fee', 'settlement');  -- the end of an import
select platform.open_to_app('payments.statement_lines');

create table payments.statement_mappings (
  name text primary key,
  mapping jsonb not null,
  saved_by text not null,
  saved_at timestamptz not null
);
select platform.open_to_app('payments.statement_mappings');

create index payouts_by_transaction on payments.payouts (rail, provider_id) where provider_id is not null;  -- a statement's line of money out
