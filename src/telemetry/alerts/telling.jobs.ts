import { localDateOf, type Clock } from "../../kernel/time.ts";
import type { Database, Tx } from "../../platform/database.ts";
import { makeRuleBook } from "./rules.ts";
import { readSettings } from "./rules.store.ts";
import { decideTelling, isQuiet, type AlertMessage, type Reader } from "./telling.ts";
import * as store from "./telling.store.ts";

/** Writes messages in the caller's transaction; filled by the composition root from messaging. */
export type SendAlerts = (tx: Tx, reader: Reader, messages: readonly AlertMessage[]) => Promise<void>;

/**
 * Tells every reader what they were not told yet, within their number of messages a day: one transaction a reader, so that none
 * is told twice, and one who makes trouble does not hold up the others: its fault is thrown when they were told. Who does not work
 * here any more (`mayBeTold`) is told nothing, whatever is set for them. Answers how many messages were written.
 */
export function makeTelling({
  database,
  clock,
  send,
  mayBeTold,
}: {
  database: Database;
  clock: Clock;
  send: SendAlerts;
  /** Those of the readers who work here now; filled by the composition root from access. */
  mayBeTold: (actors: readonly string[]) => Promise<ReadonlySet<string>>;
}): () => Promise<number> {
  async function tell(actor: string): Promise<number> {
    return await database.db.transaction(async (tx) => {
      const reader = await store.claimReader(tx, actor);
      if (reader === undefined) return 0;
      const now = clock.now();
      const book = makeRuleBook(await readSettings(tx));
      const due = await store.readDue(tx, { reader, book, now, urgentOnly: isQuiet(now, reader.zone) });
      if (due.length === 0) return 0;
      const on = localDateOf(now, reader.zone);
      const messages = decideTelling({ reader, due, sentToday: await store.countSent(tx, { actor, on }) }, now);
      if (messages.length === 0) return 0;
      await store.saveTellings(tx, { messages, actor, on, now });
      await send(tx, reader, messages);
      return messages.length;
    });
  }

  return async () => {
    const readers = (await store.listReaders(database.db)).map(({ actor }) => actor);
    const working = readers.length === 0 ? new Set<string>() : await mayBeTold(readers);
    const failures: unknown[] = [];
    let written = 0;
    for (const actor of readers.filter((one) => working.has(one))) {
      try {
        written += await tell(actor);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `${failures.length} readers of alerts were not told.`);
    return written;
  };
}
