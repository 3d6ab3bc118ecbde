import { LANGUAGES, type Language } from "../kernel/language.ts";
import type { E164 } from "../customers/customers.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../kernel/time.ts";
import type { Messaging, NewReply } from "../messaging/messaging.ts";
import type { Db, Tx } from "../platform/database.ts";
import { appendEvents, releaseEvents } from "../platform/outbox.ts";
import type { AsksDeps } from "./asks.commands.ts";
import type { CallersDeps } from "./callers.queries.ts";
import { mayHoldPin, type HeardMessage } from "./channels/heard.ts";
import { renderChat } from "./channels/render-chat.ts";
import { isStop, understand, type Understood } from "./channels/understand.ts";
import { NO_HOPS } from "./channels/ussd-hop.ts";
import * as store from "./chats.store.ts";
import { makeConverse, type Standing } from "./converse.commands.ts";
import { countOnce } from "./counts.store.ts";
import { ways } from "./dialogue/dialogue.ts";
import { line } from "./dialogue/moves.ts";
import { findExpected, openConversation, type Expected } from "./inbox.store.ts";
import type { TalkSeal } from "./sessions/sealing.ts";
import { lockSession, saveSession, type SessionKey, type StoredSession } from "./sessions/sessions.store.ts";
import type { SimSwaps } from "./sim-swap.commands.ts";
import { write, type Line } from "./texts/texts.ts";

/** The outbox topic whose jobs are `{ heardId }`. */
export const HEARD_TOPIC = "ussd.heard";

export interface Chats {
  /** Keeps what customers sent, once each, with the event that lets it be answered. */
  take(messages: readonly HeardMessage[]): Promise<void>;
  /**
   * Answers all that the chat of this message waits for, in the order in which it came. Conversation, acts and answer are one
   * transaction a message, so that doing it twice does nothing more. Throws what made an answer impossible; the job is tried again.
   */
  answer(heardId: string): Promise<"answered" | "unknown_message">;
  /** Hands over again what waits although its job must have been lost. Returns how many messages. */
  releaseOverdue(): Promise<number>;
}

export type ChatsDeps = CallersDeps &
  AsksDeps & {
    readonly db: Db;
    readonly seal: TalkSeal;
    readonly messaging: Pick<Messaging, "reply">;
    readonly simSwaps: SimSwaps;
  };

/** Whoever comes back later has forgotten where they were, and perhaps somebody else holds the phone. */
const IDLE_MS = 30 * MINUTE_MS;
/** Nobody types more; two machines that answer each other do. */
const MESSAGES_AN_HOUR = 100;
/** A message that fails as often is laid before a person. */
const ATTEMPTS_MAX = 5;
/** Whoever writes so soon after a conversation was closed goes on with it. */
const REMEMBERED_MS = 7 * DAY_MS;
/** This many messages in a row that we did not understand are for a person. */
const MISSES_MAX = 2;
/** Jobs come within seconds; one this late was lost. */
const OVERDUE_MS = 5 * MINUTE_MS;
const OVERDUE_MAX = 500;

/** A chat that is held, and the message that is answered now. */
interface Turn {
  readonly key: store.ChatKey;
  readonly chat: store.StoredChat;
  readonly message: store.StoredMessage;
  readonly now: Date;
}

/** What becomes of a message besides its answer. */
interface Answered {
  readonly phone: E164 | undefined;
  readonly isForPerson: boolean;
  readonly isSecret: boolean;
}

/** SMS, WhatsApp and Telegram on the one dialogue: messages are kept at the door and answered by a job. */
export function makeChats({ db, seal, messaging, ...deps }: ChatsDeps): Chats {
  const { clock, customers } = deps;
  const converse = makeConverse(deps);

  async function answerOldest(tx: Tx, key: store.ChatKey): Promise<boolean> {
    const now = clock.now();
    const chat = await store.lockChat(tx, key, now);
    const message = await store.oldestWaiting(tx, key);
    if (message === undefined) return false;
    const turn: Turn = { key, chat, message, now };
    const answered = await answerOne(tx, turn);
    await store.recordAnswered(tx, message.id, { ...answered, now });
    if (answered.isForPerson) await layBeforePerson(tx, turn, answered.phone);
    return true;
  }

  async function layBeforePerson(tx: Tx, { message }: Turn, phone: E164 | undefined): Promise<void> {
    const [owner = null] = phone === undefined ? [] : await customers.findByPhone(tx, phone);
    await openConversation(tx, { id: deps.makeId<"Conversation">(), heardId: message.id, owner });
  }

  function expectedOf(tx: Tx, { key, now }: Turn, phone: E164): Promise<Expected> {
    return findExpected(tx, key, { phone, closedSince: new Date(now.getTime() - REMEMBERED_MS) });
  }

  async function answerOne(tx: Tx, turn: Turn): Promise<Answered> {
    const { key, chat, message } = turn;
    const phone = message.phone ?? chat.phone;
    const subject = phone ?? `${key.channel}:${key.chat}`;
    const counted = await countOnce(tx, { key: `chat:${subject}`, now: turn.now, windowMs: HOUR_MS });
    if (counted > MESSAGES_AN_HOUR) {
      // Said once: what answers itself would go on for ever. Whoever wants to be left alone is heard all the same.
      if (counted === MESSAGES_AN_HOUR + 1) await tell(tx, turn, { phone, id: "chat.too_often" });
      else if (phone !== undefined && isStop(message.text, deps.language))
        await setMessages(tx, phone, { isService: false, isMarketing: false });
      return { phone, isForPerson: false, isSecret: mayHoldPin(message.text) };
    }
    if (message.kind === "contact") return await link(tx, turn);
    if (phone === undefined) return await greetUnknown(tx, turn);
    return await talk(tx, turn, { phone, notes: [] });
  }

  async function talk(
    tx: Tx,
    turn: Turn,
    { phone, notes }: { phone: E164; notes: readonly Line[] },
  ): Promise<Answered> {
    const { key, chat, message, now } = turn;
    const sessionKey: SessionKey = { channel: key.channel, phone, key: key.chat };
    const stored = await lockSession(tx, sessionKey);
    const live = stored !== undefined && stored.outcome === undefined && stored.expiresAt > now ? stored : undefined;
    const opened = await converse.begin(tx, { phone, session: live?.state });
    const { facts } = opened.caller;
    const { language } = opened.step.session;
    const isContact = message.kind === "contact";
    const understood = isContact
      ? BEGINS
      : understand(message, { screen: opened.step.screen, hop: live?.hopCount, facts, language });
    const { takes } = opened.step.screen;
    // A word of ours means the same every time; who only greets us is asked whether to go on with what was left, here or on the phone.
    const mayResume = live === undefined && saysNothing(understood);
    const begun = mayResume ? await converse.begin(tx, { phone, session: undefined, mayResume }) : opened;
    if (understood.kind === "stop") {
      await setMessages(tx, phone, { isService: false, isMarketing: false });
      await store.saveMisses(tx, key, 0);
      await tell(tx, turn, { phone, id: "chat.stopped", language });
      return { phone, isForPerson: (await expectedOf(tx, turn, phone)).isAwaited, isSecret: false };
    }
    if (understood.kind === "start") await setMessages(tx, phone, { isService: true });
    const standing =
      understood.kind === "said"
        ? await converse.goOn(tx, begun, {
            said: understood.said,
            key: `chat:${message.id}`,
            through: key.channel === "sms" ? "sms" : "chat",
          })
        : begun;
    // Looked up after the step: whoever asked for a person just now is heard by one.
    const expected = await expectedOf(tx, turn, phone);
    const isMissed = understood.kind === "unclear" || noteOf(standing).length > 0;
    const misses = isMissed ? chat.misses + 1 : understood.kind === "stale" ? chat.misses : 0;
    await store.saveMisses(tx, key, misses);
    const isForPerson =
      expected.isAwaited ||
      misses >= MISSES_MAX ||
      (understood.kind === "unclear" && (understood.isForPerson || expected.isKnown));
    // A person who is being talked to is not interrupted by a machine that understands nothing.
    if (!(expected.isAwaited && understood.kind === "unclear")) {
      const said = [...notes, ...notesOn(understood, { message, isForPerson, isNew: live === undefined })];
      await show(tx, turn, { sessionKey, stored, live, begun, standing, notes: said });
    }
    return { phone, isForPerson, isSecret: takes === "secret" || (takes !== "text" && mayHoldPin(message.text)) };
  }

  /** Answers with where the conversation stands now, and keeps it. */
  async function show(
    tx: Tx,
    { key, message, now }: Turn,
    {
      sessionKey,
      stored,
      live,
      begun,
      standing: { step, caller },
      notes,
    }: {
      sessionKey: SessionKey;
      stored: StoredSession | undefined;
      live: StoredSession | undefined;
      begun: Standing;
      standing: Standing;
      notes: readonly Line[];
    },
  ): Promise<void> {
    // The same place said once more keeps its number: its buttons, wherever in the chat, still mean the same.
    const isSame = live !== undefined && step.session === begun.step.session;
    const hop = (stored?.hopCount ?? 0) + (isSame ? 0 : 1);
    const { language } = step.session;
    const end = key.channel === "sms" ? [] : [{ key: "00", label: line("way.home") }];
    const shown = renderChat(key.channel, step.screen, {
      notes: [...notes, ...noteOf({ step, caller })],
      ways: step.kind === "end" ? end : ways(step.session),
      hop,
      language,
      zone: caller.facts.zone,
    });
    const { phone } = sessionKey;
    await messaging.reply(tx, [
      { key: `heard:${message.id}`, channel: key.channel, to: key.chat, phone, language, ...shown },
    ]);
    await saveSession(tx, sessionKey, {
      state: step.session,
      hops: NO_HOPS,
      answer: seal.seal(`${key.channel} ${phone} ${key.chat}`, shown.text),
      screen: step.screen.at,
      hopCount: hop,
      startedAt: live?.startedAt ?? now,
      touchedAt: now,
      expiresAt: new Date(now.getTime() + IDLE_MS),
      outcome: step.kind === "end" ? step.outcome : undefined,
    });
  }

  /** A card makes the chat that of its phone, when it is the sender's own. */
  async function link(tx: Tx, turn: Turn): Promise<Answered> {
    const { key, message, now } = turn;
    const { phone } = message;
    if (phone === undefined) return await askContact(tx, turn, "chat.not_yours");
    // A thief with a new card for somebody's number shall not take over their chat too.
    if (deps.simSwaps.of(phone) === "recent") {
      await tell(tx, turn, { phone: turn.chat.phone, id: "refused.sim_swapped", language: languageOf(turn) });
      return { phone: turn.chat.phone, isForPerson: true, isSecret: false };
    }
    const movedFrom = await store.linkChat(tx, key, { phone, now });
    const language = languageTold(turn);
    if (language !== undefined) await store.suggestLanguage(tx, { phone, language, now });
    if (movedFrom !== undefined)
      await tell(tx, { ...turn, key: { ...key, chat: movedFrom } }, { phone, id: "chat.moved", suffix: ":moved" });
    return await talk(tx, turn, { phone, notes: [line("chat.linked", { phone })] });
  }

  /** Nobody whose number we do not know is served, but whoever wants to be left alone is. */
  async function greetUnknown(tx: Tx, turn: Turn): Promise<Answered> {
    const { kind, text } = turn.message;
    if (kind !== "text" || !isStop(text, deps.language)) return await askContact(tx, turn, "chat.share");
    await tell(tx, turn, { phone: undefined, id: "chat.stopped", language: languageOf(turn) });
    return { phone: undefined, isForPerson: false, isSecret: false };
  }

  async function askContact(tx: Tx, turn: Turn, id: "chat.share" | "chat.not_yours"): Promise<Answered> {
    const language = languageOf(turn);
    const label = write(line("chat.share_button"), { language, zone: deps.zone });
    await tell(tx, turn, {
      phone: turn.chat.phone,
      id,
      language,
      more: { asksContact: true, buttons: [{ id: "contact", label }] },
    });
    return { phone: undefined, isForPerson: false, isSecret: mayHoldPin(turn.message.text) };
  }

  function languageOf(turn: Turn): Language {
    return languageTold(turn) ?? deps.language;
  }

  /** Says one thing, with no screen behind it. */
  async function tell(
    tx: Tx,
    { key, message }: Turn,
    {
      phone,
      id,
      language,
      suffix = "",
      more = {},
    }: {
      phone: E164 | undefined;
      id: Line["id"];
      language?: Language;
      suffix?: string;
      more?: Partial<Pick<NewReply, "buttons" | "asksContact">>;
    },
  ): Promise<void> {
    const spoken =
      language ??
      (phone === undefined
        ? deps.language
        : (await converse.begin(tx, { phone, session: undefined })).caller.facts.caller.language);
    const screen = { at: "end", lines: [line(id)], choices: [], takes: "nothing", isBinding: false } as const;
    const shown = renderChat(key.channel, screen, { notes: [], ways: [], hop: 0, language: spoken, zone: deps.zone });
    await messaging.reply(tx, [
      {
        key: `heard:${message.id}${suffix}`,
        channel: key.channel,
        to: key.chat,
        phone,
        language: spoken,
        ...shown,
        ...more,
      },
    ]);
  }

  /** For all who share the phone: whoever reads the messages decides. */
  async function setMessages(
    tx: Tx,
    phone: E164,
    { isService, isMarketing }: { isService: boolean; isMarketing?: boolean },
  ): Promise<void> {
    for (const { id } of await customers.findByPhone(tx, phone)) {
      await customers.setConsent(tx, id, { which: "service", isGiven: isService });
      if (isMarketing !== undefined) await customers.setConsent(tx, id, { which: "marketing", isGiven: isMarketing });
    }
  }

  return {
    async take(messages) {
      if (messages.length === 0) return;
      await db.transaction(async (tx) => {
        const now = clock.now();
        const ids = await store.insertHeard(tx, messages, now);
        await store.openWindows(tx, messages, now);
        const events = ids.map((id) => ({ topic: HEARD_TOPIC, key: eventKey(id), payload: { heardId: id } }));
        await appendEvents(tx, events, now);
      });
    },
    async answer(heardId) {
      const key = await store.findChatOf(db, heardId);
      if (key === undefined) return "unknown_message";
      try {
        while (await deps.simSwaps.askingFirst(() => db.transaction((tx) => answerOldest(tx, key))));
      } catch (error) {
        const conversationId = deps.makeId<"Conversation">();
        await db.transaction((tx) =>
          store.recordFailure(tx, key, { attemptsMax: ATTEMPTS_MAX, conversationId, now: clock.now() }),
        );
        throw error;
      }
      return "answered";
    },
    releaseOverdue: () =>
      db.transaction(async (tx) => {
        const before = new Date(clock.now().getTime() - OVERDUE_MS);
        const overdue = await store.listOverdue(tx, { heardBefore: before, listMax: OVERDUE_MAX });
        return await releaseEvents(tx, { keys: overdue.map(eventKey), relayedBefore: before });
      }),
  };
}

const eventKey = (id: store.HeardId): string => `heard:${id}`;

/** A conversation that begins by itself: nothing was said yet. */
const BEGINS: Understood = { kind: "said", said: [], tellsWords: false };

function saysNothing(understood: Understood): boolean {
  if (understood.kind === "unclear") return !understood.isForPerson;
  return understood.kind === "said" && understood.said.length === 0;
}

/** "sw-KE" is Swahili to us. */
function languageTold({ message }: Turn): Language | undefined {
  return LANGUAGES.find((one) => one === message.language?.slice(0, 2));
}

function noteOf({ step }: Standing): readonly Line[] {
  return step.kind === "screen" && step.note !== undefined ? [step.note] : [];
}

function notesOn(
  understood: Understood,
  { message, isForPerson, isNew }: { message: store.StoredMessage; isForPerson: boolean; isNew: boolean },
): readonly Line[] {
  switch (understood.kind) {
    case "stop":
      return [];
    case "start":
      return [line("chat.started")];
    case "stale":
      return [line("chat.stale")];
    case "said":
      return understood.tellsWords ? [line("chat.words")] : [];
    case "unclear":
      if (message.kind === "other") return [line("chat.only_words")];
      if (isForPerson) return [line("chat.to_person")];
      // Whoever only greets us, in words of their own, is greeted.
      return isNew ? [line("chat.words")] : [line("chat.not_understood")];
  }
}
