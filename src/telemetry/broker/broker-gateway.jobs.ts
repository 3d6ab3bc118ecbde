import type { Clock } from "../../kernel/time.ts";
import { openDynamicSecurity } from "../../platform/mqtt-broker-dynsec.ts";
import { bridgeCommandFilters, bridgeFilters, type Bridges } from "../frames/bridges.ts";
import type { RawFrame } from "../frames/frame.ts";
import type { Taken } from "../ingest/ingest.commands.ts";
import { startBrokerIngest, type BrokerIngest } from "./broker-ingest.mqtt.ts";
import { startAccountSync, type AccountBooks, type AccountSync } from "./mosquitto-accounts.jobs.ts";
import type { TopicRightsOf } from "./mosquitto-accounts.ts";
import { makeRebirths } from "./rebirths.jobs.ts";
import { DEVICE_FILTERS } from "./topics.ts";

export interface BrokerGateway extends Pick<BrokerIngest, "whenReady" | "inFlight" | "send" | "isHere"> {
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
  topics: further,
  bridges,
  isShared,
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
  /** Filters that the operator asked for, besides those of devices and of the bridges. */
  topics: readonly string[];
  bridges: Bridges;
  isShared: boolean;
  clock: Clock;
  books: AccountBooks;
  rights: TopicRightsOf;
  take(frame: RawFrame, source: string): Promise<Taken>;
  /** A device told something, which is committed: it can be reached, as far as anybody knows. */
  onSpoke(serial: string): void;
  onFault(error: unknown): void;
}): Promise<BrokerGateway> {
  let sync: AccountSync | undefined;
  const topics = [...new Set([...further, ...bridgeFilters(bridges)])];
  const rebirths = makeRebirths({ bridges, clock, publish: (topic, payload) => link.tell(topic, payload), onFault });
  const link = startBrokerIngest({
    url,
    name,
    topics,
    isShared,
    clock,
    onFault(error) {
      onFault(error);
      // A broker that does not know its own gateway has lost its accounts, or never had them.
      if (isRefusal(error)) sync?.checkAll();
    },
    async take(frame, source) {
      const { refusals } = await take(frame, source);
      rebirths.hear(frame.topic, refusals);
      if (frame.serial !== undefined) onSpoke(frame.serial);
    },
  });
  if (controlUrl !== undefined)
    sync = await startAccountSync({
      control: openDynamicSecurity({ url: controlUrl }),
      books,
      rights,
      gateway: gatewayUser(url),
      filters: [...DEVICE_FILTERS, ...topics],
      publishes: bridgeCommandFilters(bridges),
      whenReady: link.whenReady,
      onFault,
    });
  return {
    whenReady: link.whenReady,
    inFlight: link.inFlight,
    send: link.send,
    isHere: link.isHere,
    async stop() {
      await sync?.stop();
      await link.stop();
    },
  };
}

/** Reason codes of MQTT 5: bad user name or password, not authorized. */
const REFUSALS: readonly unknown[] = [134, 135];

function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && REFUSALS.includes(error.code);
}

/** The user in the URL; undefined where it names none. */
export function gatewayUser(url: string): { username: string; password: string } | undefined {
  const { username, password } = new URL(url);
  return username === ""
    ? undefined
    : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
}
