import type { Answer, EnquiryOutcome, ListPage, ListWindow, Outcome, Parsed, Report, RequestOutcome } from "./rail.ts";
import { Unusable } from "./reading.ts";

type Accepted = Extract<RequestOutcome, { kind: "accepted" }>;

/** The provider took the request; what it said besides is `known`. */
export const accepted = (known: Partial<Omit<Accepted, "kind">> = {}): RequestOutcome => ({
  kind: "accepted",
  providerCorrelation: undefined,
  payAt: undefined,
  memory: undefined,
  ...known,
});

/** The provider certainly does not act. */
export const refused = (reason: string, isDuplicate = false): RequestOutcome => ({
  kind: "refused",
  reason,
  isDuplicate,
});

export const unreachable = (reason: string): Extract<EnquiryOutcome, { kind: "unreachable" }> => ({
  kind: "unreachable",
  reason,
});

/** What the HTTP status of an answer proves that is no yes, where the provider documents nothing else. */
export function outcomeOfStatus(
  status: number,
  { reason, isDuplicate }: { reason: string; isDuplicate: boolean },
): RequestOutcome {
  // 408 and 425 are said by proxies that gave up waiting for somebody who may have acted.
  if (status >= 500 || status === 408 || status === 425) return { kind: "unknown", reason };
  // Not about this request: our key is wrong, or we ask too often. It may go out later.
  if ([401, 403, 429].includes(status)) return { kind: "not_sent", reason };
  return refused(reason, isDuplicate);
}

/** What an answer to an enquiry tells. One that cannot be read leaves the question open. */
export function told(parsed: Parsed, raw: Uint8Array): EnquiryOutcome {
  if (!parsed.ok) return unreachable(`${parsed.reason}: ${parsed.detail}`);
  const [report] = parsed.reports;
  return report === undefined ? unreachable("The answer told nothing.") : { kind: "report", report, raw };
}

/** Reads the entries of a list: one that cannot be read does not hide the others, one outside of the window is left out. */
export function readEntries(
  entries: readonly unknown[],
  read: (entry: unknown) => Report,
  window?: ListWindow,
): Omit<ListPage, "next"> {
  const items: ListPage["items"][number][] = [];
  const unreadable: ListPage["unreadable"][number][] = [];
  for (const entry of entries) {
    const raw = Buffer.from(JSON.stringify(entry) ?? "null");
    try {
      const report = read(entry);
      if (isWithin(report.at, window)) items.push({ report, raw });
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      unreadable.push({ detail: `${error.reason}: ${error.message}`, raw });
    }
  }
  return { items, unreadable };
}

const isWithin = (at: Date | undefined, window: ListWindow | undefined): boolean =>
  at === undefined || window === undefined || (at >= window.from && at <= window.to);

/**
 * The HTTP status for providers that read nothing else. What we keep in quarantine is theirs no more: they would send the
 * same bytes again, some for days, so it is answered like what was stored.
 */
export function statusFor({ kind }: Outcome): Pick<Answer, "status"> {
  return { status: kind === "busy" ? 503 : kind === "not_allowed" ? 403 : 200 };
}
