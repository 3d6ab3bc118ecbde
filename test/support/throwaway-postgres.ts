import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";

type Server = Awaited<ReturnType<typeof startEmbeddedPostgres>>;

/** Quick and forgetful: nothing in it outlives the run. */
const FORGETFUL = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/** Gives `use` a PostgreSQL of its own, and clears it away whatever happens, Ctrl-C too. `clearFirst` ends what still speaks to it. */
export async function withThrowawayPostgres<Result>(
  {
    name,
    flags = [],
    isKept = false,
    clearFirst = () => undefined,
  }: { name: string; flags?: readonly string[]; isKept?: boolean; clearFirst?: () => void },
  use: (server: Server) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), `washa-${name}-`));
  const server = await startEmbeddedPostgres({ folder, flags: [...FORGETFUL, ...flags] });
  async function clear(): Promise<void> {
    clearFirst();
    await server.stop();
    if (isKept) process.stdout.write(`The databases are left in ${folder}.\n`);
    else rmSync(folder, { recursive: true, force: true });
  }
  // PostgreSQL stands in a process group of its own: a Ctrl-C that only ended us would leave it behind.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void clear().finally(() => process.exit(130)));
  try {
    return await use(server);
  } finally {
    await clear();
  }
}
