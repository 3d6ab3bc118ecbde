import { Readable } from "node:stream";

/**
 * What aedes wants to be remembered of sessions, remembered not at all: a device's commands wait in PostgreSQL until it answers,
 * its last status is a row there, and a frame that comes twice is stored once. So a broker with a million devices behind it
 * keeps nothing for those that are away, and every session begins anew. Only packet numbers of QoS 2 are kept while its four
 * steps last.
 */
export function makeForgetfulSessions({ onAcknowledged }: { onAcknowledged(client: object, packetId: number): void }) {
  const incoming = new WeakMap<object, Set<number>>();
  const nothing = async (): Promise<void> => undefined;
  return {
    // aedes looks whether this one is declared async.
    async setup(): Promise<void> {
      await Promise.resolve();
    },
    storeRetained: nothing,
    createRetainedStreamCombi: () => Readable.from([]),
    createRetainedStream: () => Readable.from([]),
    addSubscriptions: nothing,
    removeSubscriptions: nothing,
    cleanSubscriptions: nothing,
    subscriptionsByClient: async () => [],
    subscriptionsByTopic: async () => [],
    countOffline: async () => ({ subsCount: 0, clientsCount: 0 }),
    outgoingEnqueue: nothing,
    outgoingEnqueueCombi: nothing,
    outgoingUpdate: nothing,
    outgoingStream: () => Readable.from([]),
    async outgoingClearMessageId(client: object, packet: { messageId?: number }): Promise<undefined> {
      if (packet.messageId !== undefined) onAcknowledged(client, packet.messageId);
      return undefined;
    },
    async incomingStorePacket(client: object, { messageId }: { messageId: number }): Promise<void> {
      const numbers = incoming.get(client) ?? new Set();
      incoming.set(client, numbers.add(messageId));
    },
    async incomingGetPacket(client: object, packet: { messageId: number }): Promise<object> {
      if (incoming.get(client)?.has(packet.messageId) !== true) throw new Error("This packet was not begun.");
      return packet;
    },
    async incomingDelPacket(client: object, { messageId }: { messageId: number }): Promise<void> {
      incoming.get(client)?.delete(messageId);
    },
    async cleanIncoming(client: object): Promise<void> {
      incoming.delete(client);
    },
    putWill: nothing,
    getWill: async () => undefined,
    delWill: nothing,
    streamWill: () => Readable.from([]),
    destroy: nothing,
  };
}
