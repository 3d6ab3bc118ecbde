import type { Clock } from "../../kernel/time.ts";
import { openDynamicSecurity } from "../../platform/mqtt-broker-dynsec.ts";
import type { RawFrame } from "../frames/frame.ts";
import { startBrokerIngest, type BrokerIngest } from "./broker-ingest.mqtt.ts";
import { startAccountSync, type AccountBooks } from "./mosquitto-accounts.jobs.ts";
import type { TopicRightsOf } from "./mosquitto-accounts.ts";
import { DEVICE_FILTERS } from "./topics.ts";

export interface BrokerGateway extends Pick<BrokerIngest, "ready" | "inFlight" | "send" | "isHere"> {
  stop(): Promise<void>;
}

/**
 * The gateway where devices come to a broker outside: takes what they tell, hands it their commands and, where the broker is a
 * Mosquitto that we may control, keeps their accounts there. Starts whether or not the broker is there.
 */
export async function startBrokerGateway({
  url,
  controlUrl,
  name,
  topics,
  clock,
  books,
  rights,
  take,
  onSpoke,
  onFault,
}: {
  url: string;
  controlUrl: string | undefined;
  name: string;
  topics: readonly string[];
  clock: Clock;
  books: AccountBooks;
  rights: TopicRightsOf;
  take(frame: RawFrame, source: string): Promise<unknown>;
  /** A device told something, which is committed: it can be reached, as far as anybody knows. */
  onSpoke(serial: string): void;
  onFault(error: unknown): void;
}): Promise<BrokerGateway> {
  const sync =
    controlUrl === undefined
      ? undefined
      : await startAccountSync({
          control: openDynamicSecurity({ url: controlUrl }),
          books,
          rights,
          gateway: gatewayUser(url),
          filters: [...DEVICE_FILTERS, ...topics],
          onFault,
        });
  const link = startBrokerIngest({
    url,
    name,
    topics,
    clock,
    onFault,
    async take(frame, source) {
      await take(frame, source);
      if (frame.serial !== undefined) onSpoke(frame.serial);
    },
  });
  return {
    ready: link.ready,
    inFlight: link.inFlight,
    send: link.send,
    isHere: link.isHere,
    async stop() {
      await link.stop();
      await sync?.stop();
    },
  };
}

/** The user in the URL; undefined where it names none. */
export function gatewayUser(url: string): { username: string; password: string } | undefined {
  const { username, password } = new URL(url);
  return username === ""
    ? undefined
    : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
}
