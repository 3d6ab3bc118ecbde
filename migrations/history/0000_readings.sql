-- Readings for as long as anybody wants to know, and what each hour and day came to.
--
-- In this folder, {on_cluster}, {local} and {replicated} say how a statement differs on a cluster, where every shard keeps its
-- own rows (name_local, replicated) and a Distributed table of the plain name shows all of them.
--
-- A column that may be null costs next to no disk where it never is, and averages leave nulls out. What was measured of codecs,
-- order and projections stands in docs/adr/0018-history.md.
-- Every insert is brought to the disk before it is answered: the follower moves its bookmark by that answer.

create table if not exists {database}.readings{local} {on_cluster} (
  device UInt32 codec(ZSTD(1)),                      -- devices.devices.number
  at DateTime64(3, 'UTC') codec(Delta, ZSTD(1)),
  batch UInt64 codec(ZSTD(1)),                       -- the transaction that wrote it in PostgreSQL
  panel_voltage_v Nullable(Float32) codec(ZSTD(1)),
  panel_current_a Nullable(Float32) codec(ZSTD(1)),
  panel_power_w Nullable(Float32) codec(ZSTD(1)),
  battery_voltage_v Nullable(Float32) codec(ZSTD(1)),
  battery_current_a Nullable(Float32) codec(ZSTD(1)),
  battery_charge_percent Nullable(Float32) codec(ZSTD(1)),
  battery_temperature_c Nullable(Float32) codec(ZSTD(1)),
  load_current_a Nullable(Float32) codec(ZSTD(1)),
  load_power_w Nullable(Float32) codec(ZSTD(1)),
  ambient_temperature_c Nullable(Float32) codec(ZSTD(1)),
  energy_in_wh Nullable(Int64) codec(Delta, ZSTD(1)),
  energy_out_wh Nullable(Int64) codec(Delta, ZSTD(1)),
  signal_dbm Nullable(Float32) codec(ZSTD(1)),
  extra String codec(ZSTD(3)),                       -- JSON, or empty
  index batches batch type minmax granularity 1      -- is this range here?
) engine = {replicated}MergeTree
partition by toYYYYMM(at)
-- By day first: a scan of the fleet's week reads its seven days and not its month, and a device's day still lies together.
order by (toDate(at), device, at)
settings fsync_after_insert = 1, fsync_part_directory = 1{local_only , non_replicated_deduplication_window = 10000};

-- cluster only
create table if not exists {database}.readings {on_cluster} as {database}.readings_local
engine = Distributed({cluster}, {database}, readings_local, device);

-- Hours and days by UTC. Sums and counts make means; the counters' first and last make energy.

create table if not exists {database}.hours{local} {on_cluster} (
  device UInt32 codec(ZSTD(1)),
  hour DateTime('UTC') codec(DoubleDelta, ZSTD(1)),
  readings SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  panel_voltage_v_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  panel_voltage_v_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  panel_voltage_v_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  panel_voltage_v_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  panel_voltage_v_last AggregateFunction(argMax, Nullable(Float32), DateTime64(3, 'UTC')) codec(ZSTD(1)),
  panel_current_a_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  panel_current_a_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  panel_current_a_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  panel_power_w_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  panel_power_w_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  panel_power_w_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_voltage_v_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_voltage_v_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_voltage_v_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_voltage_v_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_voltage_v_last AggregateFunction(argMax, Nullable(Float32), DateTime64(3, 'UTC')) codec(ZSTD(1)),
  battery_current_a_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_current_a_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_current_a_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_current_a_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_charge_percent_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_charge_percent_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_charge_percent_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_charge_percent_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_charge_percent_last AggregateFunction(argMax, Nullable(Float32), DateTime64(3, 'UTC')) codec(ZSTD(1)),
  battery_temperature_c_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_temperature_c_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_temperature_c_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_temperature_c_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  load_power_w_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  load_power_w_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  load_power_w_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  ambient_temperature_c_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  ambient_temperature_c_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  ambient_temperature_c_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  signal_dbm_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  signal_dbm_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  signal_dbm_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  energy_in_wh_first SimpleAggregateFunction(min, Nullable(Int64)) codec(ZSTD(1)),
  energy_in_wh_last SimpleAggregateFunction(max, Nullable(Int64)) codec(ZSTD(1)),
  energy_out_wh_first SimpleAggregateFunction(min, Nullable(Int64)) codec(ZSTD(1)),
  energy_out_wh_last SimpleAggregateFunction(max, Nullable(Int64)) codec(ZSTD(1)),
  -- The fleet's curves: a week of all devices lies together here, while a device's year lies together in the table.
  projection by_hour (
    select hour, device, panel_power_w_sum, panel_power_w_count, load_power_w_sum, load_power_w_count order by hour, device
  )
) engine = {replicated}AggregatingMergeTree
partition by toYYYYMM(hour)
order by (device, hour)
settings deduplicate_merge_projection_mode = 'rebuild', fsync_after_insert = 1, fsync_part_directory = 1{local_only , non_replicated_deduplication_window = 10000};

create materialized view if not exists {database}.hours_from_readings {on_cluster} to {database}.hours{local} as
select
  device,
  toStartOfHour(at) as hour,
  count() as readings,
  min(panel_voltage_v) as panel_voltage_v_min,
  max(panel_voltage_v) as panel_voltage_v_max,
  sum(toFloat64(ifNull(panel_voltage_v, 0))) as panel_voltage_v_sum,
  count(panel_voltage_v) as panel_voltage_v_count,
  argMaxState(panel_voltage_v, at) as panel_voltage_v_last,
  max(panel_current_a) as panel_current_a_max,
  sum(toFloat64(ifNull(panel_current_a, 0))) as panel_current_a_sum,
  count(panel_current_a) as panel_current_a_count,
  max(panel_power_w) as panel_power_w_max,
  sum(toFloat64(ifNull(panel_power_w, 0))) as panel_power_w_sum,
  count(panel_power_w) as panel_power_w_count,
  min(battery_voltage_v) as battery_voltage_v_min,
  max(battery_voltage_v) as battery_voltage_v_max,
  sum(toFloat64(ifNull(battery_voltage_v, 0))) as battery_voltage_v_sum,
  count(battery_voltage_v) as battery_voltage_v_count,
  argMaxState(battery_voltage_v, at) as battery_voltage_v_last,
  min(battery_current_a) as battery_current_a_min,
  max(battery_current_a) as battery_current_a_max,
  sum(toFloat64(ifNull(battery_current_a, 0))) as battery_current_a_sum,
  count(battery_current_a) as battery_current_a_count,
  min(battery_charge_percent) as battery_charge_percent_min,
  max(battery_charge_percent) as battery_charge_percent_max,
  sum(toFloat64(ifNull(battery_charge_percent, 0))) as battery_charge_percent_sum,
  count(battery_charge_percent) as battery_charge_percent_count,
  argMaxState(battery_charge_percent, at) as battery_charge_percent_last,
  min(battery_temperature_c) as battery_temperature_c_min,
  max(battery_temperature_c) as battery_temperature_c_max,
  sum(toFloat64(ifNull(battery_temperature_c, 0))) as battery_temperature_c_sum,
  count(battery_temperature_c) as battery_temperature_c_count,
  max(load_power_w) as load_power_w_max,
  sum(toFloat64(ifNull(load_power_w, 0))) as load_power_w_sum,
  count(load_power_w) as load_power_w_count,
  max(ambient_temperature_c) as ambient_temperature_c_max,
  sum(toFloat64(ifNull(ambient_temperature_c, 0))) as ambient_temperature_c_sum,
  count(ambient_temperature_c) as ambient_temperature_c_count,
  min(signal_dbm) as signal_dbm_min,
  sum(toFloat64(ifNull(signal_dbm, 0))) as signal_dbm_sum,
  count(signal_dbm) as signal_dbm_count,
  min(energy_in_wh) as energy_in_wh_first,
  max(energy_in_wh) as energy_in_wh_last,
  min(energy_out_wh) as energy_out_wh_first,
  max(energy_out_wh) as energy_out_wh_last
from {database}.readings{local}
group by device, hour;

-- cluster only
create table if not exists {database}.hours {on_cluster} as {database}.hours_local
engine = Distributed({cluster}, {database}, hours_local, device);

create table if not exists {database}.days{local} {on_cluster} (
  device UInt32 codec(ZSTD(1)),
  day Date codec(DoubleDelta, ZSTD(1)),
  readings SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  panel_voltage_v_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  panel_voltage_v_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  panel_voltage_v_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  panel_voltage_v_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  panel_voltage_v_last AggregateFunction(argMax, Nullable(Float32), DateTime64(3, 'UTC')) codec(ZSTD(1)),
  panel_current_a_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  panel_current_a_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  panel_current_a_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  panel_power_w_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  panel_power_w_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  panel_power_w_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_voltage_v_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_voltage_v_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_voltage_v_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_voltage_v_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_voltage_v_last AggregateFunction(argMax, Nullable(Float32), DateTime64(3, 'UTC')) codec(ZSTD(1)),
  battery_current_a_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_current_a_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_current_a_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_current_a_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_charge_percent_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_charge_percent_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_charge_percent_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_charge_percent_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  battery_charge_percent_last AggregateFunction(argMax, Nullable(Float32), DateTime64(3, 'UTC')) codec(ZSTD(1)),
  battery_temperature_c_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  battery_temperature_c_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  battery_temperature_c_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  battery_temperature_c_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  load_power_w_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  load_power_w_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  load_power_w_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  ambient_temperature_c_max SimpleAggregateFunction(max, Nullable(Float32)) codec(ZSTD(1)),
  ambient_temperature_c_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  ambient_temperature_c_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  signal_dbm_min SimpleAggregateFunction(min, Nullable(Float32)) codec(ZSTD(1)),
  signal_dbm_sum SimpleAggregateFunction(sum, Float64) codec(ZSTD(1)),
  signal_dbm_count SimpleAggregateFunction(sum, UInt64) codec(ZSTD(1)),
  energy_in_wh_first SimpleAggregateFunction(min, Nullable(Int64)) codec(ZSTD(1)),
  energy_in_wh_last SimpleAggregateFunction(max, Nullable(Int64)) codec(ZSTD(1)),
  energy_out_wh_first SimpleAggregateFunction(min, Nullable(Int64)) codec(ZSTD(1)),
  energy_out_wh_last SimpleAggregateFunction(max, Nullable(Int64)) codec(ZSTD(1)),
  -- The energy of all devices on a day.
  projection by_day (
    select day, device, energy_in_wh_first, energy_in_wh_last, energy_out_wh_first, energy_out_wh_last order by day, device
  )
) engine = {replicated}AggregatingMergeTree
partition by toYYYYMM(day)
order by (device, day)
settings deduplicate_merge_projection_mode = 'rebuild', fsync_after_insert = 1, fsync_part_directory = 1{local_only , non_replicated_deduplication_window = 10000};

create materialized view if not exists {database}.days_from_readings {on_cluster} to {database}.days{local} as
select
  device,
  toDate(at, 'UTC') as day,
  count() as readings,
  min(panel_voltage_v) as panel_voltage_v_min,
  max(panel_voltage_v) as panel_voltage_v_max,
  sum(toFloat64(ifNull(panel_voltage_v, 0))) as panel_voltage_v_sum,
  count(panel_voltage_v) as panel_voltage_v_count,
  argMaxState(panel_voltage_v, at) as panel_voltage_v_last,
  max(panel_current_a) as panel_current_a_max,
  sum(toFloat64(ifNull(panel_current_a, 0))) as panel_current_a_sum,
  count(panel_current_a) as panel_current_a_count,
  max(panel_power_w) as panel_power_w_max,
  sum(toFloat64(ifNull(panel_power_w, 0))) as panel_power_w_sum,
  count(panel_power_w) as panel_power_w_count,
  min(battery_voltage_v) as battery_voltage_v_min,
  max(battery_voltage_v) as battery_voltage_v_max,
  sum(toFloat64(ifNull(battery_voltage_v, 0))) as battery_voltage_v_sum,
  count(battery_voltage_v) as battery_voltage_v_count,
  argMaxState(battery_voltage_v, at) as battery_voltage_v_last,
  min(battery_current_a) as battery_current_a_min,
  max(battery_current_a) as battery_current_a_max,
  sum(toFloat64(ifNull(battery_current_a, 0))) as battery_current_a_sum,
  count(battery_current_a) as battery_current_a_count,
  min(battery_charge_percent) as battery_charge_percent_min,
  max(battery_charge_percent) as battery_charge_percent_max,
  sum(toFloat64(ifNull(battery_charge_percent, 0))) as battery_charge_percent_sum,
  count(battery_charge_percent) as battery_charge_percent_count,
  argMaxState(battery_charge_percent, at) as battery_charge_percent_last,
  min(battery_temperature_c) as battery_temperature_c_min,
  max(battery_temperature_c) as battery_temperature_c_max,
  sum(toFloat64(ifNull(battery_temperature_c, 0))) as battery_temperature_c_sum,
  count(battery_temperature_c) as battery_temperature_c_count,
  max(load_power_w) as load_power_w_max,
  sum(toFloat64(ifNull(load_power_w, 0))) as load_power_w_sum,
  count(load_power_w) as load_power_w_count,
  max(ambient_temperature_c) as ambient_temperature_c_max,
  sum(toFloat64(ifNull(ambient_temperature_c, 0))) as ambient_temperature_c_sum,
  count(ambient_temperature_c) as ambient_temperature_c_count,
  min(signal_dbm) as signal_dbm_min,
  sum(toFloat64(ifNull(signal_dbm, 0))) as signal_dbm_sum,
  count(signal_dbm) as signal_dbm_count,
  min(energy_in_wh) as energy_in_wh_first,
  max(energy_in_wh) as energy_in_wh_last,
  min(energy_out_wh) as energy_out_wh_first,
  max(energy_out_wh) as energy_out_wh_last
from {database}.readings{local}
group by device, day;

-- cluster only
create table if not exists {database}.days {on_cluster} as {database}.days_local
engine = Distributed({cluster}, {database}, days_local, device);

-- Which database fills this history: two of them would mix their devices' numbers.
create table if not exists {database}.source{local} {on_cluster} (
  history_id UUID,
  source_id String,
  at DateTime64(3, 'UTC') default now64(3)
) engine = {replicated}MergeTree order by at;
