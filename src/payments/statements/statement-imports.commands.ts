import type { MakeId } from "../../kernel/ids.ts";
import { Refusal, TooMany } from "../../kernel/refusal.ts";
import { MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { StatementReport } from "./statement-report.ts";
import type { ImportOrder, Statements } from "./statements.commands.ts";

/** `receiving`: the file comes in. `failed`: the upload broke off or something broke on our side; give the file again. */
export type StatementImportState = "receiving" | "importing" | "imported" | "refused" | "failed";

/** One file that somebody gave to this process. */
export interface StatementImport {
  readonly id: string;
  readonly rail: string;
  readonly fileName: string;
  readonly startedBy: string;
  readonly startedAt: Date;
  readonly state: StatementImportState;
  /** How many were read so far. */
  readonly lines: number;
  readonly statementId: string | undefined;
  readonly refusal: Refusal | undefined;
}

export interface RunningImport {
  readonly id: string;
  /** The whole file is here. Never settles when it does not come whole. */
  readonly received: Promise<void>;
  /** Rejects as `importStatement` does. */
  readonly done: Promise<StatementReport>;
}

/**
 * Imports that run in this process, and how the last ones ended. They live in its memory alone: an import is one
 * transaction, so when the process dies nothing was imported and the person gives the file again.
 */
export interface StatementImports {
  /** Throws TooMany while as many run as may. */
  begin(file: AsyncIterable<Uint8Array>, order: ImportOrder): RunningImport;
  find(id: string): StatementImport | undefined;
}

/** Each holds a database connection for minutes and up to 1.5 GB of disk. */
const RUNNING_MAX = 2;
const KEPT_MAX = 100;

export function makeStatementImports({
  statements,
  clock,
  makeId,
}: {
  statements: Pick<Statements, "importStatement">;
  clock: Clock;
  makeId: MakeId;
}): StatementImports {
  const imports = new Map<string, StatementImport>();
  const running = new Set<string>();

  function update(id: string, change: Partial<StatementImport>): void {
    const before = imports.get(id);
    if (before !== undefined) imports.set(id, { ...before, ...change });
  }

  function remember(one: StatementImport): void {
    imports.set(one.id, one);
    for (const id of imports.keys()) {
      if (imports.size <= KEPT_MAX) break;
      if (!running.has(id)) imports.delete(id);
    }
  }

  async function run(id: string, file: AsyncIterable<Uint8Array>, order: ImportOrder): Promise<StatementReport> {
    running.add(id);
    try {
      const onProgress = ({ lines }: { readonly lines: number }): void => update(id, { lines });
      const report = await statements.importStatement(file, { ...order, onProgress });
      update(id, { state: "imported", lines: report.linesTotal, statementId: report.statementId });
      return report;
    } catch (error) {
      update(id, error instanceof Refusal ? { state: "refused", refusal: error } : { state: "failed" });
      throw error;
    } finally {
      running.delete(id);
    }
  }

  return {
    begin(file, order) {
      const startedAt = clock.now();
      if (running.size >= RUNNING_MAX)
        throw new TooMany(
          "Other statements are being imported. Wait until they are done.",
          new Date(startedAt.getTime() + MINUTE_MS),
        );
      const id: string = makeId<"StatementImport">();
      remember({
        id,
        rail: order.channel.name,
        fileName: order.fileName,
        startedBy: order.actor,
        startedAt,
        state: "receiving",
        lines: 0,
        statementId: undefined,
        refusal: undefined,
      });
      const { promise: received, resolve } = Promise.withResolvers<undefined>();
      const watched = endNoticed(file, () => {
        update(id, { state: "importing" });
        resolve(undefined);
      });
      return { id, received, done: run(id, watched, order) };
    },
    find: (id) => imports.get(id),
  };
}

async function* endNoticed(file: AsyncIterable<Uint8Array>, onEnd: () => void): AsyncGenerator<Uint8Array> {
  yield* file;
  onEnd();
}
