/** A sender that can be told to wait. aedes has both, but not in its types. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

export interface FlowLimits {
  /** Of all senders together. */
  readonly messagesMax: number;
  readonly bytesMax: number;
  /** Of one sender, so that one that floods does not stop the others. */
  readonly messagesOfOneMax: number;
}

/** What is in flight, and who has to wait until it is less. */
export interface Flow<Sender extends Pausable> {
  /** A message of this sender came in. It may have to wait from here on. */
  begin(sender: Sender, bytes: number): void;
  /** It is done with, well or not. */
  end(sender: Sender, bytes: number): void;
  /** The sender is gone. */
  forget(sender: Sender): void;
  readonly state: { readonly messages: number; readonly bytes: number; readonly paused: number };
}

interface Share {
  messages: number;
  /** Messages that ended since the sender last went on, no more than matter. */
  ended: number;
}

/**
 * aedes (1.2) reads on when all packets that it gave out were counted back, and counts none while it is paused: one that ends
 * meanwhile would be waited for for ever. Each resume counts one, and one too many only reads a little earlier. More packets than
 * this do not fit in what one sender may have in flight and one read of its socket; some of them are pings.
 */
const ENDED_MAX = 4_000;
const PINGS_MAX = 50;

/**
 * Back-pressure by not reading: a paused connection's bytes stay in its socket, then in the network, then in the device, which
 * has more room for them than we have when the database is away. Senders go on when half of the limit is free again.
 */
export function makeFlow<Sender extends Pausable>(
  { messagesMax, bytesMax, messagesOfOneMax }: FlowLimits,
  /** Who may send. When the limit is reached all of them wait: each that were read once more would bring a whole socket's worth. */
  everyone: () => Iterable<Sender>,
): Flow<Sender> {
  const shares = new Map<Sender, Share>();
  const paused = new Set<Sender>();
  const state = { messages: 0, bytes: 0 };
  /** Whether everybody waits, since the limit of all was reached. */
  let isHeld = false;

  function hold(sender: Sender): void {
    if (paused.has(sender)) return;
    paused.add(sender);
    sender.pause();
  }

  const isRoomy = (): boolean => state.messages <= messagesMax / 2 && state.bytes <= bytesMax / 2;

  function release(sender: Sender, share: Share | undefined): void {
    paused.delete(sender);
    const times = (share?.ended ?? 0) + PINGS_MAX;
    if (share !== undefined) share.ended = 0;
    for (let time = 0; time < times && !paused.has(sender); time++) sender.resume();
  }

  return {
    begin(sender, bytes) {
      const share = shares.get(sender) ?? { messages: 0, ended: 0 };
      shares.set(sender, share);
      share.messages += 1;
      state.messages += 1;
      state.bytes += bytes;
      if (share.messages >= messagesOfOneMax) hold(sender);
      if (state.messages < messagesMax && state.bytes < bytesMax) return;
      hold(sender);
      if (isHeld) return;
      isHeld = true;
      for (const other of everyone()) hold(other);
    },
    end(sender, bytes) {
      state.messages -= 1;
      state.bytes -= bytes;
      const share = shares.get(sender);
      if (share !== undefined) {
        share.messages -= 1;
        share.ended = Math.min(share.ended + 1, ENDED_MAX);
      }
      if (paused.size === 0 || !isRoomy()) return;
      isHeld = false;
      // Whoever goes on is read at once and may have to wait again, at the end of the set: each is looked at once.
      let left = paused.size;
      for (const waiting of paused) {
        if (left-- === 0) return;
        const waitingShare = shares.get(waiting);
        if ((waitingShare?.messages ?? 0) <= messagesOfOneMax / 2) release(waiting, waitingShare);
        if (!isRoomy()) return;
      }
    },
    forget(sender) {
      paused.delete(sender);
      shares.delete(sender);
    },
    get state() {
      return { ...state, paused: paused.size };
    },
  };
}
