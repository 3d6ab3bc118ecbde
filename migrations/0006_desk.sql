-- Filled by the room's own work.
select 1;
