import { localDateOf, type Clock } from "../../kernel/time.ts";
import type { Database, Tx } from "../../platform/database.ts";
import { makeRuleBook } from "./rules.ts";
import { readSettings } from "./rules.store.ts";
import { decideTelling, isQuiet, type AlertMessage, type Reader } from "./telling.ts";
import * as store from "./telling.store.ts";

/** Writes messages in the caller's transaction; filled by the composition root from messaging. */
export type SendAlerts = (tx: Tx, reader: Reader, messages: readonly AlertMessage[]) => Promise<void>;

/**
 * Tells every reader what they were not told yet, within their number of messages a day: one transaction a reader, so one
 * whose phone makes trouble does not hold up the others, and none is told twice. Answers how many messages were written.
 */
export function makeTelling({
  database,
  clock,
  send,
}: {
  database: Database;
  clock: Clock;
  send: SendAlerts;
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
    let written = 0;
    for (const { actor } of await store.listReaders(database.db)) written += await tell(actor);
    return written;
  };
}
