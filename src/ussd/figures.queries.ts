import type { LocalDate } from "../kernel/time.ts";
import type { Db } from "../platform/database.ts";
import { figuresOf, type TalkFigures } from "./figures.ts";
import { readFigures } from "./figures.store.ts";

export interface TalkFigureQueries {
  /**
   * Figures of conversations that ended on these days of the operator's zone, both included, on one channel or on all. A
   * conversation is in them at the latest a minute after its end, an abandoned one after its time has run out.
   */
  figures(days: {
    readonly from: LocalDate;
    readonly to: LocalDate;
    readonly channel?: string | undefined;
  }): Promise<TalkFigures>;
}

export function makeTalkFigures({ db }: { db: Db }): TalkFigureQueries {
  return {
    async figures({ from, to, channel }) {
      const rows = await readFigures(db, { from, to });
      return figuresOf(channel === undefined ? rows : rows.filter((row) => row.channel === channel));
    },
  };
}
