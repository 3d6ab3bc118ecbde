/** How far a message of the program's has come, as WhatsApp tells it. */
export type ChatState = "accepted" | "sent" | "delivered" | "read";

export interface DeliveryNews {
  /** A message was taken: it is sent and delivered at once, and the program is told of both. */
  arrived(message: { readonly id: string; readonly to: string }): void;
  /** The chat was looked at: what was not read before is read now. */
  read(to: string): void;
  /** As far as the program has been told, which is what it can know. */
  stateOf(id: string): ChatState;
  /** Resolves when all news so far were taken or given up. */
  settled(): Promise<void>;
}

export interface News {
  readonly id: string;
  readonly to: string;
  readonly state: Exclude<ChatState, "accepted">;
}

/**
 * Tells the program one thing after the other. `tell` answers whether the program took it; what it did not take is given up, and
 * a message stays where it was until the next news of it.
 */
export function makeDeliveryNews(tell: (news: News) => Promise<boolean>): DeliveryNews {
  const known = new Map<string, { readonly to: string; readonly state: ChatState }>();
  let queue: Promise<void> = Promise.resolve();

  function enqueue(news: News): void {
    queue = queue.then(async () => {
      if (stateOf(news.id) === news.state) return;
      const isTaken = await tell(news).catch(() => false);
      if (isTaken) known.set(news.id, { to: news.to, state: news.state });
    });
  }

  const stateOf = (id: string): ChatState => known.get(id)?.state ?? "accepted";

  return {
    arrived({ id, to }) {
      known.set(id, { to, state: "accepted" });
      for (const state of ["sent", "delivered"] as const) enqueue({ id, to, state });
    },
    read(reader) {
      // After what is under way: news of a message are told in their order.
      for (const [id, { to }] of known) if (to === reader) enqueue({ id, to, state: "read" });
    },
    stateOf,
    settled: () => queue,
  };
}
