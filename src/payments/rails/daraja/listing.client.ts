import { DAY_MS, HOUR_MS } from "../../../kernel/time.ts";
import type { Listing, RailTools } from "../rail.ts";
import type { DarajaClient } from "./daraja.client.ts";
import { readPullPage } from "./pull.ts";
import type { DarajaSettings } from "./settings.ts";
import { dateAndTime } from "./wall-clock.ts";

const REACH_MS = 48 * HOUR_MS;
const WINDOW_MAX_MS = DAY_MS;
const SOME = "1000";
const NONE = "1001";

/** The Pull Transactions API: what was paid within the last 48 hours, with or without a confirmation. */
export function makeListing(
  client: DarajaClient,
  { settings, pull }: { settings: DarajaSettings; pull: NonNullable<DarajaSettings["pull"]> },
  { channel, clock }: RailTools,
): Listing {
  return {
    reachMs: REACH_MS,
    windowMaxMs: WINDOW_MAX_MS,
    async page({ from, to, cursor }) {
      const offset = cursor === undefined ? 0 : Number(cursor);
      const answer = await client.post(
        "/pulltransactions/v1/query",
        {
          ShortCode: pull.shortcode,
          StartDate: dateAndTime(from, channel.zone),
          // Whole seconds are told, so the last one is asked for in full.
          EndDate: dateAndTime(new Date(to.getTime() + 999), channel.zone),
          OffSetValue: String(offset),
        },
        "safe",
      );
      const { status, body, error } = answer;
      const said = body?.["ResponseCode"];
      const code = typeof said === "string" || typeof said === "number" ? String(said) : "";
      if (body !== undefined && status === 200 && code === NONE) return { items: [], unreadable: [], next: undefined };
      if (body === undefined || status !== 200 || code !== SOME)
        throw new Error(
          `M-Pesa did not list transactions: HTTP ${status} ${error?.code ?? code} ${error?.message ?? ""}`.trim(),
        );
      return readPullPage(body, {
        shortcodes: new Set(settings.shortcodes),
        currency: channel.currency,
        zone: channel.zone,
        now: clock.now(),
        creditParty: pull.shortcode,
        country: channel.country,
        offset,
      });
    },
  };
}
