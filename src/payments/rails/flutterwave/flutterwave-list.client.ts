import { z } from "zod";
import { DAY_MS, localDateOf } from "../../../kernel/time.ts";
import type { OutboundResponse } from "../../../platform/outbound.ts";
import { readEntries } from "../outcomes.ts";
import type { Listing, RailTools, Report } from "../rail.ts";
import { readAs } from "../reading.ts";
import { chargeReport, readExact, refundReport } from "./charge.ts";
import { reasonIn } from "./flutterwave.client.ts";

/** Flutterwave does not say how far back its list goes. What is older than a quarter is left to a person. */
const REACH_MS = 90 * DAY_MS;
const WINDOW_MAX_MS = 7 * DAY_MS;

const page = z.object({
  meta: z.object({ page_info: z.object({ current_page: z.coerce.number(), total_pages: z.coerce.number() }) }),
  data: z.array(z.unknown()),
});
const cursorForm = z.tuple([z.enum(["transactions", "refunds"]), z.int().positive()]);
const itsCurrency = z.object({ currency: z.string() });

/** All transactions of the account between two dates, page by page, then its refunds, which are listed apart. */
export function makeFlutterwaveListing(
  { channel, clock }: Pick<RailTools, "channel" | "clock">,
  get: (path: string) => Promise<OutboundResponse>,
): Listing {
  return {
    reachMs: REACH_MS,
    windowMaxMs: WINDOW_MAX_MS,
    page: async (window) => {
      const [list, number] = cursorForm.parse(
        window.cursor === undefined ? ["transactions", 1] : JSON.parse(window.cursor),
      );
      // Whose midnight the dates mean is not said: a day more on either side, and the window decides.
      const from = localDateOf(new Date(window.from.getTime() - DAY_MS), "UTC");
      const to = localDateOf(new Date(window.to.getTime() + DAY_MS), "UTC");
      const answer = await get(`/v3/${list}?from=${from}&to=${to}&page=${number}&currency=${channel.currency}`);
      if (answer.status >= 300) throw new Error(`Flutterwave's list: ${reasonIn(answer)}`);
      const { meta, data } = readAs(page, readExact(answer.raw));
      const isLast = data.length === 0 || meta.page_info.current_page >= meta.page_info.total_pages;
      const next = !isLast ? [list, number + 1] : list === "transactions" ? ["refunds", 1] : undefined;
      const terms = { channel, now: clock.now() };
      // One account is paid in several currencies, and another channel lists those.
      const isOurs = (item: unknown): boolean =>
        (itsCurrency.safeParse(item).data?.currency ?? channel.currency) === channel.currency;
      const read = (item: unknown): Report =>
        list === "transactions" ? chargeReport(item, terms) : refundReport(item, terms);
      return {
        ...readEntries(data.filter(isOurs), read, window),
        next: next === undefined ? undefined : JSON.stringify(next),
      };
    },
  };
}
