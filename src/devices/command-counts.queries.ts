import { sql } from "drizzle-orm";
import type { Db } from "../platform/database.ts";
import type { CommandState } from "./command-life.ts";
import type { CommandKind } from "./command-payload.ts";

export interface CommandCount {
  readonly kind: CommandKind;
  readonly state: CommandState;
  readonly commands: number;
}

/** The smallest id of a time: ids begin with their milliseconds, so the key finds what was asked since. */
function firstIdOf(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`;
}

/** What became of the commands that were asked since an instant, by kind and state. */
export async function countCommands(db: Db, since: Date): Promise<readonly CommandCount[]> {
  const rows = await db.execute<{ kind: CommandKind; state: CommandState; commands: number }>(sql`
    select kind, state, count(*)::integer as commands from devices.commands
    where id >= ${firstIdOf(since)}::uuid group by 1, 2 order by 1, 2`);
  return [...rows];
}
