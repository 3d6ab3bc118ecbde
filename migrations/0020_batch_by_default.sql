-- The database fills in the number of the transaction that writes a reading: who writes need not ask for it first, and everything that
-- a group of frames writes goes to the server at once. txid_current() is pg_current_xact_id() as a bigint, and costs no cast a row.
alter table telemetry.readings alter column batch set default txid_current();
