import type { Clock } from "../../kernel/time.ts";
import { makeTwoAges } from "../../platform/two-ages.ts";
import { rebirthTopic, type Bridges } from "../frames/bridges.ts";
import type { FrameRefusal } from "../frames/frame.ts";
import { writeRebirth } from "../frames/sparkplug-payload.ts";

/** A node that does not hear is asked again after this; one that floods us with data is not flooded back. */
const ASKED_AGAIN_MS = 60_000;
const NODES_MAX = 10_000;

/**
 * Asks Sparkplug edge nodes for a new birth where their data name metrics by aliases that nobody explained to this process: after
 * a start, mostly. What was refused until the birth comes lies in quarantine with its bytes.
 */
export function makeRebirths({
  bridges,
  clock,
  publish,
  onFault,
}: {
  bridges: Bridges;
  clock: Clock;
  /** Without acknowledgement, as Sparkplug has its commands. */
  publish(topic: string, payload: Uint8Array): Promise<void>;
  onFault(error: unknown): void;
}): { hear(topic: string, refusals: readonly FrameRefusal[]): void } {
  const asked = makeTwoAges<string, number>(NODES_MAX);
  return {
    hear(topic, refusals) {
      if (!refusals.some(({ reason }) => reason === "unknown_format")) return;
      const command = rebirthTopic(topic, bridges);
      if (command === undefined) return;
      const now = clock.now().getTime();
      if (now - (asked.get(command) ?? -Infinity) < ASKED_AGAIN_MS) return;
      asked.set(command, now);
      publish(command, writeRebirth(now)).catch((error: unknown) => {
        asked.delete(command);
        onFault(error);
      });
    },
  };
}
