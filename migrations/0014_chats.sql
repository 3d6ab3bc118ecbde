-- Talking with customers in chats: what they wrote, whose chat is whose, and when they may be written to freely.

-- A chat of a channel. Its row is also its lock: the messages of one chat are answered one after the other.
create table ussd.chats (
  channel text not null check (channel in ('sms', 'whatsapp', 'telegram')),
  chat text not null,                           -- where answers go: a number, or Telegram's number of the chat
  phone text,                                   -- E.164, vouched for; null until the person shared it
  misses smallint not null default 0,           -- messages in a row that were not understood
  opened_at timestamptz not null,
  linked_at timestamptz,
  primary key (channel, chat)
);
create unique index chats_of_phone on ussd.chats (channel, phone) where phone is not null;  -- one chat a channel and phone: the newest
select platform.open_to_app('ussd.chats');

-- Every message that customers sent. A text that may hold a PIN is blanked when it is answered.
create table ussd.heard (
  id bigint generated always as identity primary key,
  channel text not null check (channel in ('sms', 'whatsapp', 'telegram')),
  message_id text not null,                     -- the channel's own: one that comes again is the same
  chat text not null,
  phone text,                                   -- as the channel vouches for it, or as the chat's owner shared it
  kind text not null check (kind in ('text', 'choice', 'contact', 'other')),
  text text not null,
  language text,                                -- as the channel says of the sender
  said_at timestamptz not null,                 -- by the channel's clock
  heard_at timestamptz not null,
  answered_at timestamptz,
  for_person boolean not null default false,    -- one of us should read it
  attempts smallint not null default 0,         -- of answering; one that always fails holds up no other
  unique (channel, message_id)
);
create index heard_waiting on ussd.heard (channel, chat, id) where answered_at is null;     -- what a chat waits for, and lost jobs
create index heard_for_person on ussd.heard (id) where for_person;                          -- the two-way inbox
create index heard_of_phone on ussd.heard (phone, id) where phone is not null;              -- a conversation, to read it
select platform.open_to_app('ussd.heard');

-- When somebody last wrote to us: WhatsApp takes free text for a day after it, and templates alone later.
create table messaging.windows (
  channel text not null,
  address text not null,                        -- a number, or Telegram's number of the chat
  heard_at timestamptz not null,
  primary key (channel, address)
);
select platform.open_to_app('messaging.windows');
