import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres.ts";

type Server = Awaited<ReturnType<typeof startEmbeddedPostgres>>;

/** A PostgreSQL that a bench may stop and start again on the same port, and the folder that it lives in. */
export interface BenchPostgres {
  readonly folder: string;
  current(): Server;
  stop(): Promise<void>;
  start(port: number): Promise<void>;
}

/** As an operator runs it: what is committed is on the disk. */
const DURABLE = ["fsync=on", "synchronous_commit=on", "full_page_writes=on"];

/** Gives `use` a PostgreSQL of its own with durable commits, and clears it away whatever happens, Ctrl-C too. */
export async function withPostgres<Result>(
  flags: readonly string[],
  use: (postgres: BenchPostgres) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "washa-bench-"));
  const begin = (port?: number) =>
    startEmbeddedPostgres({ folder, flags: [...DURABLE, ...flags], ...(port === undefined ? {} : { port }) });
  let server = await begin();
  async function clear(): Promise<void> {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  // PostgreSQL stands in a process group of its own: a Ctrl-C that only ended us would leave it behind.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void clear().finally(() => process.exit(130)));
  try {
    return await use({
      folder,
      current: () => server,
      stop: () => server.stop(),
      async start(port) {
        server = await begin(port);
      },
    });
  } finally {
    await clear();
  }
}
