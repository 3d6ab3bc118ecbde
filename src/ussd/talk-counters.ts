import { Counter, Histogram, type Registry } from "prom-client";
import type { UssdObserver } from "./channels/ussd.http.ts";

/** What the USSD door tells of conversations, for whoever watches the program. */
export function watchUssdDoor(registry: Registry): Required<Omit<UssdObserver, "onFault">> {
  const registers = [registry];
  const started = new Counter({
    name: "washa_ussd_sessions_started_total",
    help: "USSD sessions that began.",
    registers,
  });
  const ended = new Counter({
    name: "washa_ussd_sessions_ended_total",
    help: "USSD sessions that we or their gateway ended, by outcome.",
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
    onHop({ isFirst = false, outcome }, took) {
      seconds.observe(took);
      if (isFirst) started.inc();
      if (outcome !== undefined) ended.inc({ outcome });
    },
    onCut: (outcome) => ended.inc({ outcome }),
    onOutcome: (outcome) => hops.inc({ outcome }),
  };
}

/** Those that nobody went on with, on any channel; the sweep finds them when their time has run out. */
export function countAbandoned(registry: Registry): (sessions: number) => void {
  const abandoned = new Counter({
    name: "washa_talk_sessions_abandoned_total",
    help: "Conversations that were given up when their time had run out.",
    registers: [registry],
  });
  return (sessions) => abandoned.inc(sessions);
}
