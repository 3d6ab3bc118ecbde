import { Refusal } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { History } from "../../platform/history/history.ts";
import { bind, holdsForeignNumbers, readBookmark, readFinal, type Link } from "./bookmark.store.ts";
import { forgetNumbersBeyond, readSource, writeSource } from "./copy.client.ts";
import { whyOtherNumbers } from "./numbering.ts";

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
 * where the bookmark was counted in other transaction numbers: after a restore, be it in the same cluster, and after a standby
 * took over. A number may have been given twice there, and what is beyond the bookmark may be in history already.
 */
export async function beginBinding(holder: Holder, { history, clock, makeToken }: Rooms): Promise<void> {
  const bookmark = await readBookmark(holder.link);
  const source = await history.use((client) => readSource(client, history.topology));
  const why = whyOtherNumbers(bookmark.numbering ?? bookmark.numberingNow, bookmark.numberingNow);
  if (why !== undefined)
    throw new NotOurHistory(
      `${why}, so its bookmark does not hold here. If this is now the real one, run: washa history resync. If it is a copy, give it a history of its own (WASHA_DATA or CLICKHOUSE_URL).`,
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
    numbering: bookmark.numberingNow,
    at: clock.now(),
    fills: bookmark.done > 0n,
  });
  await history.use((client) => writeSource(client, history.topology, { historyId, sourceId: bookmark.sourceId }));
}

/**
 * Binds this database to this history whatever both say, and has every day that PostgreSQL holds compared with it: nothing is
 * copied twice, nothing is left out. Numbers of another numbering are set to zero, below every bookmark, on both sides: in
 * PostgreSQL a dump brought them, and in history they would meet the new ones, and be taken out with these by a repair. Cut off
 * anywhere, it leaves what is refused until it is done again.
 */
export async function bindAnew(holder: Holder, { history, clock, makeToken }: Rooms): Promise<void> {
  const bookmark = await readBookmark(holder.link);
  const done = await readFinal(holder.link);
  const historyId = makeToken();
  await bind(holder.link, holder.pid, {
    historyId,
    numbering: bookmark.numberingNow,
    at: clock.now(),
    fills: true,
    done,
  });
  // From here until history knows the new name too, nobody follows; so numbers beyond the bookmark are all of the old numbering.
  await history.use((client) => forgetNumbersBeyond(client, history.topology, done));
  await history.use((client) => writeSource(client, history.topology, { historyId, sourceId: bookmark.sourceId }));
}
