import type { OutboundHttp } from "../platform/outbound.ts";
import type { Clock } from "../kernel/time.ts";
import type { Channel, Rail } from "./rails/rail.ts";
import { ADAPTERS } from "./rails/registry.ts";

/** One channel as the operator configured it. */
export interface ChannelConfig extends Channel {
  readonly adapter: string;
  /** First part of its doors' path; M-Pesa refuses addresses with its own name in them, so it may differ from the name. */
  readonly path: string;
  /** Second part of the path: who does not know it finds nothing. */
  readonly secret: string;
  /** Addresses and CIDR ranges that may call; empty allows all. */
  readonly sources: readonly string[];
  /** Ask the provider before an unsigned callback is booked. */
  readonly confirmByEnquiry: boolean;
  /** What the provider allows this process; undefined where it sets no limit. */
  readonly requestsPerSecond?: number | undefined;
  readonly settings: unknown;
}

/** A rail that stands: the adapter with its channel, and how the operator wants its callbacks treated. */
export interface OpenRail {
  readonly rail: Rail;
  readonly config: ChannelConfig;
}

export type OpenRails = ReadonlyMap<string, OpenRail>;

/**
 * Opens every configured channel by name. Throws `InvalidSettings` of the adapter. `publicUrl` is how providers reach us;
 * `httpFor` makes the outgoing side of one channel.
 */
export function openRails({
  channels,
  publicUrl,
  httpFor,
  clock,
}: {
  channels: readonly ChannelConfig[];
  publicUrl: () => string;
  httpFor: (channel: ChannelConfig) => OutboundHttp;
  clock: Clock;
}): OpenRails {
  return new Map(
    channels.map((config): [string, OpenRail] => {
      const adapter = ADAPTERS.find(({ name }) => name === config.adapter);
      if (adapter === undefined) throw new Error(`There is no adapter "${config.adapter}".`);
      const { name, country, currency, zone } = config;
      const rail = adapter.open(adapter.parseSettings(config.settings), {
        channel: { name, country, currency, zone },
        http: httpFor(config),
        clock,
        callbackUrl: (door, parameter) =>
          [
            publicUrl().replace(/\/$/, ""),
            "rails",
            config.path,
            config.secret,
            door,
            ...(parameter === undefined ? [] : [parameter]),
          ].join("/"),
      });
      return [name, { rail, config }];
    }),
  );
}
