import { execFileSync } from "node:child_process";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";

/** A PostgreSQL with durable commits that can be killed as a power cut would, and comes back on the same port. */
export interface Server {
  /** SIGKILL to the postmaster, and to its children unless they are left to notice by themselves; back when it serves again. */
  killAndRestart(options: { childrenToo: boolean }): Promise<void>;
  readonly current: EmbeddedPostgres;
  /** When it was last killed and came back, on the clock of `performance.now()`; 0 when it never was. */
  readonly goneAt: number;
  readonly backAt: number;
  stop(): Promise<void>;
}

const CHILDREN_GONE_MS = 20_000;

export async function startServer({ folder }: { folder: string }): Promise<Server> {
  // Checkpoints come often, so that some kills fall into one.
  const flags = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "checkpoint_timeout=30s",
    "max_wal_size=64MB",
  ];
  let current = await startEmbeddedPostgres({ folder, flags });
  let goneAt = 0;
  let backAt = 0;
  const port = Number(new URL(current.url("postgres")).port);

  return {
    get current() {
      return current;
    },
    get goneAt() {
      return goneAt;
    },
    get backAt() {
      return backAt;
    },
    async killAndRestart({ childrenToo }) {
      const postmaster = current.processId;
      if (postmaster === undefined) throw new Error("PostgreSQL does not run.");
      // Held still while its children are counted: one that it made a moment later would be missed, and keep the folder.
      signal(postmaster, "SIGSTOP");
      const children = childrenOf(postmaster);
      goneAt = performance.now();
      signal(postmaster, "SIGKILL");
      if (childrenToo) for (const child of children) signal(child, "SIGKILL");
      await untilGone([postmaster, ...children]);
      current = await startEmbeddedPostgres({ folder, flags, port });
      backAt = performance.now();
    },
    stop: () => current.stop(),
  };
}

/** Processes that this one started, as the system knows them. */
export function childrenOf(parent: number): readonly number[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []));
}

/** False when the process is gone. 0 only asks. */
export function signal(pid: number, name: "SIGKILL" | "SIGSTOP" | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false; // it is gone
  }
}

/** A new postmaster refuses the folder while a child of the old one still holds its shared memory. */
async function untilGone(pids: readonly number[]): Promise<void> {
  const until = performance.now() + CHILDREN_GONE_MS;
  while (pids.some((pid) => signal(pid, 0))) {
    if (performance.now() > until) throw new Error("Children of the killed PostgreSQL did not end by themselves.");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
