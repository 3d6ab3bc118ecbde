-- The two-way inbox: who waits for a person, and what people answered them.

-- A chat in which somebody wrote what no keyword answers, or asked for a person. There is one a chat; it is opened again when needed.
create table ussd.conversations (
  id uuid primary key,
  channel text not null check (channel in ('sms', 'whatsapp', 'telegram')),
  chat text not null,                           -- where answers go, as in ussd.chats
  phone text,                                   -- E.164, vouched for
  customer_id uuid references customers.customers (id),
  area text,                                    -- the customer's: its agents see it; null: the office only
  opened_at timestamptz not null,               -- the last time
  heard_at timestamptz not null,                -- of the latest message that is for a person
  waits_since timestamptz,                      -- of the oldest that nobody answered; null: all are answered
  replied_at timestamptz,                       -- since it was opened
  closed_at timestamptz,
  closed_by text,
  unique (channel, chat),
  check ((closed_at is null) = (closed_by is null)),
  check (closed_at is null or waits_since is null)
);
create index conversations_by_state on ussd.conversations
  ((case when waits_since is not null then 0 when closed_at is null then 1 else 2 end), heard_at, id);      -- the operators' list
select platform.open_to_app('ussd.conversations');

-- Who of us wrote. The words and their way to the phone are the message's of the same id (its key is 'inbox:' and the id).
create table ussd.replies (
  id uuid primary key,
  conversation_id uuid not null references ussd.conversations (id),
  replied_by text not null,
  replied_at timestamptz not null
);
create index replies_of_conversation on ussd.replies (conversation_id, id);                                  -- a conversation, to read it
select platform.append_only('ussd.replies');

create index heard_of_chat on ussd.heard (channel, chat, id);                                                -- the same
create index heard_by_age on ussd.heard (heard_at);                                                          -- those to be forgotten
create index windows_by_age on messaging.windows (heard_at);                                                 -- those to be forgotten

-- Whoever waits already is in the inbox from the first day.
insert into ussd.conversations (id, channel, chat, phone, customer_id, area, opened_at, heard_at, waits_since)
select gen_random_uuid(), h.channel, h.chat, h.phone, c.id, c.area, h.since, h.latest, h.since
from (select channel, chat, (array_agg(phone order by id desc) filter (where phone is not null))[1] as phone,
    min(heard_at) as since, max(heard_at) as latest from ussd.heard where for_person group by channel, chat) h
  left join lateral (select c.id, c.area from customers.customers c join customers.phones p on p.customer_id = c.id
    where p.e164 = h.phone order by c.registered_at, c.id limit 1) c on true;
