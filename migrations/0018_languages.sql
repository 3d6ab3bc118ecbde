-- People may be talked to in Hausa, Portuguese and Luganda too.

alter table customers.customers drop constraint customers_language_check,
  add constraint customers_language_check check (language in ('en', 'sw', 'fr', 'ha', 'pt', 'lg'));
alter table access.staff drop constraint staff_language_check,
  add constraint staff_language_check check (language in ('en', 'sw', 'fr', 'ha', 'pt', 'lg'));
alter table telemetry.alert_readers drop constraint alert_readers_language_check,
  add constraint alert_readers_language_check check (language in ('en', 'sw', 'fr', 'ha', 'pt', 'lg'));
alter table ussd.callers drop constraint callers_language_check,
  add constraint callers_language_check check (language in ('en', 'sw', 'fr', 'ha', 'pt', 'lg'));
