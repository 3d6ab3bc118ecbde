import type { ChannelSetup } from "./rail-simulator.ts";

/** One channel of every provider, for a person who tries them out. */
export const everyChannel: readonly ChannelSetup[] = [];
