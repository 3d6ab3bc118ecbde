import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { everyChannel } from "../../simulators/rail/channels.ts";
import { usualFaults } from "../../simulators/rail/faults.ts";
import { startRailSimulator, type RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import { doorUrlsBelow, railsFileOf } from "../../simulators/rail/rails-file.ts";

/** All providers, on the run's fast clock, with payers that decide by the seed. */
export interface Rails {
  readonly simulator: RailSimulator;
  /** What WASHA_RAILS names. */
  readonly file: string;
  /** No more news is on its way, but for what comes hours later. */
  isQuiet(now: Date): boolean;
  stop(): Promise<void>;
}

const TICK_MS = 50;
/** M-Pesa signs nothing, so what strangers tell would be booked; the seeds test runs with forgeries and enquiries. */
const HONEST = { forge: 0, forge_unknown: 0, tamper: 0 };

/**
 * Starts the providers. Their news goes to whichever program is there at that moment, or is lost as in life. Money does not go
 * back here: some rails tell of that only in their statements, which the seeds test imports.
 */
export async function startRails({
  seed,
  clock,
  doors,
}: {
  seed: number;
  clock: { now(): Date };
  doors: () => readonly string[];
}): Promise<Rails> {
  const folder = mkdtempSync(join(tmpdir(), "washa-crash-rails-"));
  const nowhere = "http://127.0.0.1:9";
  const simulator = await startRailSimulator({
    channels: everyChannel.map((channel) => (channel.name === "mpesa-ke" ? { ...channel, faults: HONEST } : channel)),
    doorUrlOf: (channel, door, parameter) => doorUrlsBelow(doors()[0] ?? nowhere, seed)(channel, door, parameter),
    seed,
    faults: { ...usualFaults, reverse: 0, slow_login: 0 },
    clock,
    deliveryTimeoutMs: 4_000,
  });
  const file = join(folder, "rails.json");
  writeFileSync(file, JSON.stringify(railsFileOf(simulator, seed)));
  let stopping = false;
  const following = (async () => {
    while (!stopping) {
      await simulator.advanceTo(clock.now());
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  })();
  return {
    simulator,
    file,
    isQuiet: (now) => {
      const next = simulator.nextAt;
      return next === undefined || next > now;
    },
    async stop() {
      stopping = true;
      await following;
      await simulator.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
