import { Refusal } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { History } from "../../platform/history/history.ts";
import {
  bind,
  clearForeignNumbers,
  holdsForeignNumbers,
  readBookmark,
  readFinal,
  type Link,
} from "./bookmark.store.ts";
import { readSource, writeSource } from "./copy.client.ts";

/** PostgreSQL and this history do not belong together as they are; following would mix or lose readings. A person decides. */
export class NotOurHistory extends Refusal {
  readonly code = "NOT_OUR_HISTORY";
}

interface Holder {
  readonly link: Link;
  readonly pid: number;
}
interface Rooms {
  readonly history: History;
  readonly clock: Clock;
  readonly makeToken: () => string;
}

/**
 * Makes sure that this database fills this history. An empty history is taken, and filled from what PostgreSQL holds where
 * another was filled before (it may be erased at any time). Throws NotOurHistory for one that another database fills, and
 * where this database was restored into another cluster: its transaction numbers mean nothing there.
 */
export async function beginBinding(holder: Holder, { history, clock, makeToken }: Rooms): Promise<void> {
  const bookmark = await readBookmark(holder.link);
  const source = await history.use((client) => readSource(client, history.topology));
  const isMoved = bookmark.systemIdentifier !== undefined && bookmark.systemIdentifier !== bookmark.systemIdentifierNow;
  if (isMoved)
    throw new NotOurHistory(
      "This database was restored or copied into another PostgreSQL cluster, so its bookmark does not hold here. If this is now the real one, run: washa history resync. If it is a copy, give it a history of its own (WASHA_DATA or CLICKHOUSE_URL).",
    );
  if (source !== undefined) {
    if (source.sourceId === bookmark.sourceId && source.historyId === bookmark.historyId) return;
    throw new NotOurHistory(
      source.sourceId === bookmark.sourceId
        ? "This history is an older or another copy of the one that this database fills. Run: washa history resync."
        : "Another database fills this history. Choose another with WASHA_DATA or CLICKHOUSE_URL, or run washa history resync if this database replaces that one.",
    );
  }
  if (bookmark.historyId === undefined && (await holdsForeignNumbers(holder.link))) {
    await bindAnew(holder, { history, clock, makeToken });
    return;
  }
  const historyId = makeToken();
  await bind(holder.link, holder.pid, {
    historyId,
    systemIdentifier: bookmark.systemIdentifierNow,
    at: clock.now(),
    fills: bookmark.done > 0n,
  });
  await history.use((client) => writeSource(client, history.topology, { historyId, sourceId: bookmark.sourceId }));
}

/**
 * Binds this database to this history whatever both say, and has every day that PostgreSQL holds compared with it: nothing is
 * copied twice, nothing is left out. Numbers that a restore brought from another cluster are set to zero, below every bookmark.
 */
export async function bindAnew(holder: Holder, { history, clock, makeToken }: Rooms): Promise<void> {
  const bookmark = await readBookmark(holder.link);
  const done = await readFinal(holder.link);
  await clearForeignNumbers(holder.link, done);
  const historyId = makeToken();
  await bind(holder.link, holder.pid, {
    historyId,
    systemIdentifier: bookmark.systemIdentifierNow,
    at: clock.now(),
    fills: true,
    done,
  });
  await history.use((client) => writeSource(client, history.topology, { historyId, sourceId: bookmark.sourceId }));
}
