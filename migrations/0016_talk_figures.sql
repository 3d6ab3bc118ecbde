-- Figures of conversations: what a session showed and how long its turns took stands in its own row, and is added up by day when it is over.

alter table ussd.sessions
  add column screens text[] not null default '{}',          -- shown, in their order; a repeated hop shows nothing new
  add column turns_ms integer[] not null default '{}',      -- of each hop after the first: how long the person took
  add column ours_ms integer[] not null default '{}',       -- of each hop: how long we took until it was written down
  add column gateway_status text check (gateway_status in ('success', 'incomplete', 'failed')),  -- how the gateway says it ended
  add column duration_ms integer,                           -- by the gateway's clock
  add column counted_at timestamptz;                        -- when its figures were added up

-- A hop changes when a session was touched and when it expires: no index may hold these, or each hop would write all of them anew.
drop index ussd.sessions_by_expiry;
drop index ussd.sessions_by_phone;
create index sessions_open on ussd.sessions (started_at) where outcome is null;             -- those to be given up
create index sessions_by_phone on ussd.sessions (phone);                                    -- where a caller left off
create index sessions_uncounted on ussd.sessions (ended_at) where outcome is not null and counted_at is null;  -- those to be added up
-- Room in each page for the next state of its sessions.
alter table ussd.sessions set (fillfactor = 60);

-- How often, on one day of the operator's zone.
create table ussd.figures (
  day date not null,
  channel text not null,
  measure text not null check (measure in ('outcome', 'shown', 'left', 'completed', 'ending', 'hops', 'turn', 'ours')),
  name text not null,                           -- of the outcome or the screen; of a histogram, the number of its bar
  sessions bigint not null,                     -- how many of them; of turns, how many hops
  primary key (day, channel, measure, name)     -- the operators' page asks by day
);
select platform.open_to_app('ussd.figures');
