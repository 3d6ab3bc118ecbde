import { randomInt } from "node:crypto";
import { makeDarajaFace } from "../simulators/rail/daraja.ts";
import { noFaults } from "../simulators/rail/faults.ts";
import { startRailSimulator, type RailSimulator } from "../simulators/rail/rail-simulator.ts";
import type { Config } from "./config.ts";
import type { ChannelConfig } from "./payments/payments.ts";

const CHANNEL = "mpesa";
const SEEDS = 2 ** 31;

/** What the provider's side of the demonstration asks of the program, and how the program reaches it. */
export interface DemoRail {
  readonly simulator: RailSimulator;
  readonly channel: ChannelConfig;
  readonly paybill: string;
}

/**
 * M-Pesa from the other side, whose prompts wait for people at their phones. `doorUrl` is asked when there is something to deliver:
 * the program that it leads to starts later.
 */
export async function startDemoRail(
  config: Config,
  doors: { secret: string; doorUrl: () => string },
): Promise<DemoRail> {
  const place = { country: config.country, currency: config.currency, zone: config.zone };
  const simulator = await startRailSimulator({
    channels: [{ name: CHANNEL, ...place, makeFace: makeDarajaFace }],
    doorUrlOf: (_channel, door) => `${doors.doorUrl()}/${door}`,
    // Another one at each start: a seed brings the same numbers of transactions, and the books of the last start hold these.
    seed: randomInt(SEEDS),
    faults: noFaults,
    clock: "real",
    payers: "wait",
  });
  const { baseUrl, shortcodes, consumerKey, consumerSecret, stk } = simulator.face(CHANNEL).settings();
  const [paybill] = shortcodes as readonly string[];
  const channel: ChannelConfig = {
    name: CHANNEL,
    adapter: "daraja",
    path: "daraja",
    secret: doors.secret,
    sources: ["127.0.0.0/8", "::1"],
    confirmByEnquiry: false,
    ...place,
    // Its lists begin anew with each start, so the program is not told that it could ask for them.
    settings: { baseUrl, shortcodes, consumerKey, consumerSecret, stk },
  };
  return { simulator, channel, paybill: paybill ?? "" };
}
