import { randomUUID } from "node:crypto";
import type { ChatSimulator, ShownMessage, Update } from "../chat/chat-simulator.ts";
import { NotOnStage, type Outcome } from "./outcome.ts";
import type { ChatMessageView } from "./views.ts";

/** What a person does in a chat: they write, or press what stands below a message. */
export type Said = { readonly text: string } | { readonly messageId: string; readonly buttonId: string };

export interface ChatThreads {
  /** What was said and what came, oldest first. */
  thread(number: string): readonly ChatMessageView[];
  /** Posts it to the program's door, signed as WhatsApp signs. Throws NotOnStage where there is no such button. */
  say(number: string, said: Said): Promise<Outcome>;
  read(number: string): void;
}

/** What somebody said, and how many messages had come to them before. */
interface Written {
  readonly view: ChatMessageView;
  readonly after: number;
}

/** The chats of all people as their phones show them. Numbers are E.164 here, and without plus at WhatsApp. */
export function makeChatThreads({ chat, clock }: { chat: ChatSimulator; clock: { now(): Date } }): ChatThreads {
  const written = new Map<string, readonly Written[]>();
  const writtenBy = (number: string): readonly Written[] => written.get(number) ?? [];
  const shownTo = (number: string): readonly ShownMessage[] =>
    chat.shown(waId(number)).filter(({ channel }) => channel === "whatsapp");

  function viewOf({ id, text, at, buttons, list }: ShownMessage): ChatMessageView {
    const state = chat.news?.stateOf(id) ?? "accepted";
    return { id, direction: "in", text, at, state, buttons, list: list ?? null };
  }

  function updateOf(number: string, said: Said): { readonly text: string; readonly update: Update } {
    const from = waId(number);
    if ("text" in said) return { text: said.text, update: chat.whatsapp.writes(from, said.text) };
    const message = shownTo(number).find(({ id }) => id === said.messageId);
    const button = message?.buttons.find(({ id }) => id === said.buttonId);
    if (message === undefined || button === undefined) throw new NotOnStage("button");
    const kind = message.list === undefined ? "button_reply" : "list_reply";
    return { text: button.label, update: chat.whatsapp.taps(from, button.id, { kind, title: button.label }) };
  }

  return {
    thread(number) {
      const shown = shownTo(number);
      const own = writtenBy(number);
      // By what had come before, not by the clock: an answer may come in the millisecond of its question.
      return [...shown.keys(), shown.length].flatMap((at) => [
        ...own.filter(({ after }) => after === at).map(({ view }) => view),
        ...shown.slice(at, at + 1).map(viewOf),
      ]);
    },
    async say(number, said) {
      const { text, update } = updateOf(number, said);
      const id = randomUUID();
      const view = { id, direction: "out", text, at: clock.now().toISOString(), buttons: [], list: null } as const;
      const after = shownTo(number).length;
      written.set(number, [...writtenBy(number), { view: { ...view, state: "sent" }, after }]);
      const { status } = await chat.post(update).catch(() => ({ status: 0 }));
      const isTaken = status === 200;
      const become = isTaken ? [{ view: { ...view, state: "delivered" as const }, after }] : [];
      written.set(
        number,
        writtenBy(number).flatMap((one) => (one.view.id === id ? become : [one])),
      );
      return isTaken ? { isDone: true, words: "Sent." } : { isDone: false, words: "The message was not sent." };
    },
    read: (number) => chat.news?.read(waId(number)),
  };
}

/** As WhatsApp writes a number. */
const waId = (number: string): string => number.slice(1);
