import { Counter, Histogram, type Registry } from "prom-client";
import type { UssdDoorOutcome, UssdObserver } from "./channels/ussd.http.ts";

/** What the doors and the sweep tell of conversations, for whoever watches the program. */
export interface TalkCounters {
  readonly door: Required<Pick<UssdObserver, "onHop" | "onCut" | "onOutcome">>;
  readonly onAbandoned: (sessions: number) => void;
}

export function makeTalkCounters(registry: Registry): TalkCounters {
  const registers = [registry];
  const started = new Counter({
    name: "washa_talk_sessions_started_total",
    help: "Conversations that began.",
    registers,
  });
  const ended = new Counter({
    name: "washa_talk_sessions_ended_total",
    help: "Conversations that ended, by outcome.",
    labelNames: ["outcome"],
    registers,
  });
  const hops = new Counter({
    name: "washa_ussd_hops_total",
    help: "Hops at the USSD door, by what became of them.",
    labelNames: ["outcome"],
    registers,
  });
  const seconds = new Histogram({
    name: "washa_ussd_hop_seconds",
    help: "Time from a parsed hop to its answer, its commit included.",
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  return {
    door: {
      onHop({ isFirst = false, outcome }, took) {
        seconds.observe(took);
        if (isFirst) started.inc();
        if (outcome !== undefined) ended.inc({ outcome });
      },
      onCut: (outcome) => ended.inc({ outcome }),
      onOutcome: (outcome: UssdDoorOutcome) => hops.inc({ outcome }),
    },
    onAbandoned: (sessions) => ended.inc({ outcome: "abandoned" }, sessions),
  };
}
