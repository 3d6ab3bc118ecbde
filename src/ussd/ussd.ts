/** Talking with customers: one dialogue, whatever they hold in their hand. */
export { makeChats, type Chats } from "./chats.commands.ts";
export { telegramChatsOf } from "./chats.store.ts";
export {
  makeInbox,
  WindowShut,
  type Conversation,
  type ConversationMessage,
  type ConversationState,
  type Inbox,
} from "./inbox.commands.ts";
export { makePins, type PinOwner, type Pins } from "./pins.commands.ts";
export { makeSimSwapClient } from "./sim-swap.client.ts";
export { makeSimSwaps, type SimSwaps } from "./sim-swap.commands.ts";
export type { Bar, ScreenFigures, TalkFigures } from "./figures.ts";
export { makeTalkFigures, type TalkFigureQueries } from "./figures.queries.ts";
export { makeSessionEnds, type SessionEnds } from "./sessions/ends.commands.ts";
export { makeTalkSeal, type TalkSeal } from "./sessions/sealing.ts";
export type { Agent } from "./callers.queries.ts";
export { makeTickets, type Ticket, type TicketNote, type Tickets } from "./tickets.commands.ts";
export type { DeviceReadings, TellTicket } from "./wishes.store.ts";
export { makeTalk, type Talk, type UssdAnswer, type UssdHop } from "./talk.commands.ts";
