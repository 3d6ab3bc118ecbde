import type { Clock } from "../../kernel/time.ts";
import { startBrokerLink, type BrokerSettings } from "../../platform/mqtt-broker.ts";
import type { RawFrame } from "../frames/frame.ts";
import { DEVICE_FILTERS, GROUP, commandTopic, readContentType, readTopic, senderOf } from "./topics.ts";

/** The way in through a broker outside: what our own gateway offers too. */
export interface BrokerIngest {
  /** Resolves as soon as the subscriptions stand: what devices tell from then on is kept for us. Rejects when stopped. */
  whenReady(): Promise<void>;
  readonly inFlight: { readonly messages: number; readonly bytes: number };
  /** Hands a command to the broker, which keeps it for a device that is away where that has a lasting session. */
  send(serial: string, channel: "cmd", payload: Uint8Array): Promise<void>;
  /** Says something to a bridge, without acknowledgement. */
  tell(topic: string, payload: Uint8Array): Promise<void>;
  /** Every device can be reached through the broker, as far as anybody knows. */
  isHere(serial: string): true;
  stop(): Promise<void>;
}

/** A device that comes back after a week is sent anew what still holds for it. */
const COMMAND_SECONDS = 7 * 86_400;

/**
 * Takes what devices tell from the broker at `url` and acknowledges it to the broker after `take` resolved. `topics` are further filters, of vendors' devices or bridges.
 */
export function startBrokerIngest({
  clock,
  take,
  topics = [],
  ...settings
}: {
  clock: Clock;
  /** The ingest: resolves when the frame is committed or set aside. */
  take(frame: RawFrame, source: string): Promise<unknown>;
  topics?: readonly string[];
} & Pick<BrokerSettings, "url" | "name" | "isShared" | "onFault"> &
  Partial<
    Pick<BrokerSettings, "messagesMax" | "bytesMax" | "protocolVersion" | "retryPauseMs" | "reconnectMs" | "drainMs">
  >): BrokerIngest {
  const link = startBrokerLink({
    ...settings,
    group: GROUP,
    filters: [...DEVICE_FILTERS, ...topics],
    senderOf,
    take({ topic, payload, contentType }) {
      const told = readTopic(topic);
      const frame = {
        ...told,
        payload,
        contentType: readContentType(contentType),
        receivedAtMs: clock.now().getTime(),
      };
      return take(frame, `broker ${senderOf(topic)}`);
    },
  });
  return {
    whenReady: link.whenReady,
    inFlight: link.inFlight,
    // Our own books end a command that is too old; the broker forgets what it could not deliver by about the same time.
    send: (serial, _channel, payload) =>
      link.publish(commandTopic(serial), payload, { expirySeconds: COMMAND_SECONDS }),
    tell: (topic, payload) => link.publish(topic, payload, { qos: 0 }),
    isHere: () => true,
    stop: link.stop,
  };
}
