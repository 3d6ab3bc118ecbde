import type { Jobs } from "../../src/platform/jobs.ts";

/**
 * Jobs that only lie there, for tests that run them by hand. Like the real ones, it takes an id once per topic.
 * `failNextAdd` makes the next `addAll` throw: before anything was added, or after everything was.
 */
export function makeHeldJobs(): Pick<Jobs, "addAll"> & {
  readonly held: { topic: string; id: string; payload: unknown }[];
  readonly addCalls: number;
  failNextAdd(when: "before" | "after"): void;
  /** Resolves when a job with this id is (or already was) added. */
  untilAdded(id: string): Promise<void>;
  /** What an erased queue remembers. */
  erase(): void;
} {
  const held: { topic: string; id: string; payload: unknown }[] = [];
  const waiting = new Map<string, () => void>();
  let failure: "before" | "after" | undefined;
  let addCalls = 0;
  return {
    held,
    get addCalls() {
      return addCalls;
    },
    addAll(topic, jobs) {
      addCalls++;
      const fails = failure;
      failure = undefined;
      if (fails === "before") return Promise.reject(new Error("the queue is away"));
      for (const { id, payload } of jobs) {
        if (held.some((job) => job.topic === topic && job.id === id)) continue;
        held.push({ topic, id, payload });
        waiting.get(id)?.();
      }
      return fails === "after" ? Promise.reject(new Error("killed before it was marked")) : Promise.resolve();
    },
    failNextAdd(when) {
      failure = when;
    },
    untilAdded(id) {
      if (held.some((job) => job.id === id)) return Promise.resolve();
      return new Promise((resolve) => waiting.set(id, resolve));
    },
    erase() {
      held.length = 0;
    },
  };
}
