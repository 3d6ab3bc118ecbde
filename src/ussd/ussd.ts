/** Talking with customers: one dialogue, whatever they hold in their hand. */
export { makePins, type Pins } from "./pins.commands.ts";
export { makeTalkSeal, type TalkSeal } from "./sessions/sealing.ts";
export { makeTalk, type Talk, type UssdAnswer, type UssdHop } from "./talk.commands.ts";
