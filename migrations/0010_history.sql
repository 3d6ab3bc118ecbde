-- What the follower knows: how far history has come, and the range that is on its way there.

create table telemetry.history_bookmark (
  only_one boolean primary key default true check (only_one),
  source_id uuid not null default gen_random_uuid(),  -- names this database to a history, which follows one only
  history_id uuid,                                    -- the history it fills; null before the first time
  numbering text,                                     -- telemetry.numbering_now() when `done` was counted
  done bigint not null default 0,                     -- every transaction up to this one is in history
  range_to bigint,                                    -- the range (done, range_to] is on its way
  range_rows bigint,
  token uuid,                                         -- the name under which history takes it once
  attempt integer not null default 0,
  is_repairing boolean not null default false,        -- what is there of the range is being taken out again
  rows_copied bigint not null default 0,
  moved_at timestamptz,
  check ((range_to is null) = (range_rows is null) and (range_to is null) = (token is null)),
  check (range_to > done)
);
insert into telemetry.history_bookmark default values;
select platform.open_to_app('telemetry.history_bookmark');

-- Where transaction numbers come from. They are a cluster's own, and one that was set back to an earlier moment, or whose standby
-- took over, gives them twice: its timeline tells (a standby that has just taken over has it in its recovery first). A dump that
-- was restored, or a database that was copied, in the same cluster is told by the numbers of the database and of this table.
create function telemetry.numbering_now() returns text
language sql stable set search_path = '' as $$
  select concat_ws('/', s.system_identifier, greatest(c.timeline_id, r.min_recovery_end_timeline), d.oid,
    'telemetry.history_bookmark'::regclass::oid)
  from pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r, pg_catalog.pg_database d
  where d.datname = current_database()
$$;
grant execute on function telemetry.numbering_now to washa_app;

-- Days that are compared with history row by row and completed: after a restore, for a new history, or as a person asks.
create table telemetry.history_fills (
  day date primary key,
  asked_at timestamptz not null,
  filled_at timestamptz,                              -- null while it is to be done, also when it was cut off
  rows_copied bigint not null default 0
);
create index history_fills_open on telemetry.history_fills (day) where filled_at is null;  -- what is left to do
select platform.open_to_app('telemetry.history_fills');

-- The range in flight is found by transaction number. Pages that are not summarised yet are read whole, and a day's newest
-- always are; so they are summarised as they fill up, not when a vacuum comes by.
drop index telemetry.readings_by_batch;
create index readings_by_batch on telemetry.readings using brin (batch) with (pages_per_range = 16, autosummarize = on);

-- A closed day's index by device carries what a device's page draws, so that a month of a line is read from the index alone: its
-- readings lie scattered over the day, one to a page. That holds for pages that a vacuum has seen, and by PostgreSQL's defaults
-- a fifth of a day that only grew would wait for one for ever; so a closed day is vacuumed when a thousand rows wait.
create or replace function telemetry.index_day(day date) returns boolean
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  name text := format('readings_%s', to_char(day, 'YYYYMMDD'));
begin
  if to_regclass(format('telemetry.%I', name)) is null or to_regclass(format('telemetry.%I', name || '_by_device')) is not null
  then return false; end if;
  execute format(
    'create index %I on telemetry.%I (device, at) include (panel_power_w, battery_voltage_v, battery_charge_percent, load_power_w)',
    name || '_by_device', name);
  execute format('alter table telemetry.%I set (autovacuum_vacuum_insert_scale_factor = 0)', name);
  return true;
end $$;

-- Drops day partitions before the day, but only those that history holds: no reading in them is beyond the bookmark and no fill
-- of them is open, and the bookmark was counted in these numbers. While a battery's week is not read yet, its days wait for that,
-- at most five days longer. Each day is locked before it is looked at, so a late reading cannot slip in between. Stops, without
-- fault, at the first lock it does not get in two seconds; the next run goes on there.
create function telemetry.drop_followed_days(first_kept date) returns integer
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  name text;
  held_day date;
  reached bigint;
  is_behind boolean;
  dropped integer := 0;
begin
  for name, held_day in
    select c.relname, to_date(right(c.relname, 8), 'YYYYMMDD')
    from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'telemetry.readings'::regclass and c.relname ~ '^readings_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < first_kept
    order by 2
  loop
    if held_day >= first_kept - 5 and exists (
      select from telemetry.battery_health h where h.week_on < date_trunc('week', held_day)::date)
    then continue; end if;
    begin
      execute format('lock table telemetry.%I in access exclusive mode', name);
      select b.done into reached from telemetry.history_bookmark b
        where b.history_id is not null and b.numbering = telemetry.numbering_now();
      if reached is null or exists (select from telemetry.history_fills f where f.day = held_day and f.filled_at is null)
      then continue; end if;
      execute format('select exists (select from telemetry.%I where batch > $1)', name) into is_behind using reached;
      if is_behind then continue; end if;
      execute format('drop table telemetry.%I', name);
      dropped := dropped + 1;
    exception when lock_not_available then
      return dropped;
    end;
  end loop;
  return dropped;
end $$;
grant execute on function telemetry.drop_followed_days to washa_app;
