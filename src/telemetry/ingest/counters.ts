import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { IngestObserver } from "./ingest.commands.ts";

/** What an operator sees of ingest at /metrics, and what reaches the log. */
export function makeIngestCounters({
  registry,
  inFlight,
  warn,
}: {
  registry: Registry;
  /** Read when the metrics are asked for. */
  inFlight: () => { readonly messages: number; readonly bytes: number };
  /** The database is away, or refused a frame. At most once in ten seconds for each text. */
  warn: (error: unknown, text: string) => void;
}): IngestObserver {
  const registers = [registry];
  const frames = new Counter({
    name: "washa_frames_total",
    help: "Frames that were committed, by outcome.",
    labelNames: ["outcome"],
    registers,
  });
  const readings = new Counter({ name: "washa_readings_total", help: "Readings that were committed.", registers });
  const refused = new Counter({
    name: "washa_frames_refused_total",
    help: "Frames, and parts of frames, that were set aside, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const seconds = new Histogram({
    name: "washa_ingest_commit_seconds",
    help: "Time of a group from its first statement to its commit.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const groups = new Histogram({
    name: "washa_ingest_group_frames",
    help: "Messages in one commit.",
    buckets: [1, 3, 10, 30, 100, 300, 1_000, 3_000],
    registers,
  });
  new Gauge({
    name: "washa_ingest_in_flight",
    help: "Messages that are not committed yet.",
    registers,
    collect() {
      this.set(inFlight().messages);
    },
  });
  new Gauge({
    name: "washa_ingest_in_flight_bytes",
    help: "Bytes of messages that are not committed yet.",
    registers,
    collect() {
      this.set(inFlight().bytes);
    },
  });
  return {
    committed(group, took) {
      seconds.observe(took);
      groups.observe(group.taken.length);
      readings.inc(group.readings);
      for (const { frames: taken } of group.taken) for (const { outcome } of taken) frames.inc({ outcome });
    },
    setAside: ({ reason }) => refused.inc({ reason }),
    waiting: (error) => warn(error, "Ingest waits for the database."),
    refused: (error) => warn(error, "The database refused a frame; it is in quarantine."),
  };
}
