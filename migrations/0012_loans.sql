-- Days of light on credit.

alter table credit.contract_events drop constraint contract_events_kind_check;
alter table credit.contract_events add constraint contract_events_kind_check
  check (kind in ('sold', 'device_swapped', 'written_off', 'paid_off', 'adjusted', 'terms_changed', 'lent'));
