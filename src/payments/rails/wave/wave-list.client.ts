import { z } from "zod";
import { DAY_MS, addDays, localDateOf, type LocalDate } from "../../../kernel/time.ts";
import type { OutboundResponse } from "../../../platform/outbound.ts";
import { readEntries } from "../outcomes.ts";
import type { Channel, Listing, ListWindow, RailTools } from "../rail.ts";
import { readAs, readJson } from "../reading.ts";
import { entry } from "./wave-objects.ts";
import { entryReport } from "./wave-reports.ts";
import { reasonIn } from "./wave.client.ts";

/** Wave does not say how far back its list goes. What is older than a month is left to a person and the portal. */
const REACH_MS = 31 * DAY_MS;
const WINDOW_MAX_MS = 7 * DAY_MS;

const page = z.object({
  page_info: z.object({ end_cursor: z.string().nullish(), has_next_page: z.boolean() }),
  items: z.array(z.unknown()),
});
const cursorForm = z.tuple([z.iso.date(), z.string().nullable()]);

/** The wallet's list is asked for day by day, and a day page by page. */
export function makeWaveListing(
  { channel, clock }: Pick<RailTools, "channel" | "clock">,
  get: (path: string) => Promise<OutboundResponse>,
): Listing {
  return {
    reachMs: REACH_MS,
    windowMaxMs: WINDOW_MAX_MS,
    page: async (window) => {
      const { first, last } = daysOf(window, channel);
      const [day, after] = window.cursor === undefined ? [first, null] : readCursor(window.cursor);
      const answer = await get(
        `/v1/transactions?date=${day}${after === null ? "" : `&after=${encodeURIComponent(after)}`}`,
      );
      if (answer.status >= 300) throw new Error(`Wave's list: ${reasonIn(answer)}`);
      const read = readAs(page, readJson(answer.raw));
      const { end_cursor: end, has_next_page: hasNext } = read.page_info;
      const next = hasNext && typeof end === "string" ? [day, end] : day < last ? [addDays(day, 1), null] : undefined;
      const ofEntry = (item: unknown) => entryReport(readAs(entry, item), { channel, now: clock.now() });
      return {
        ...readEntries(read.items, ofEntry, window),
        next: next === undefined ? undefined : JSON.stringify(next),
      };
    },
  };
}

/** Wave does not say whose midnight ends its day, so the window's days are counted by both clocks. */
function daysOf({ from, to }: ListWindow, { zone }: Channel): { first: LocalDate; last: LocalDate } {
  const earlier = (left: LocalDate, right: LocalDate): LocalDate => (left < right ? left : right);
  const later = (left: LocalDate, right: LocalDate): LocalDate => (left > right ? left : right);
  return {
    first: earlier(localDateOf(from, "UTC"), localDateOf(from, zone)),
    last: later(localDateOf(to, "UTC"), localDateOf(to, zone)),
  };
}

function readCursor(cursor: string): [LocalDate, string | null] {
  const [day, after] = cursorForm.parse(JSON.parse(cursor));
  return [day as LocalDate, after];
}
