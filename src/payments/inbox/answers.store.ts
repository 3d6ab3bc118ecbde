import type { MakeId } from "../../kernel/ids.ts";
import type { Money } from "../../kernel/money.ts";
import { localDateOf } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import type { Report } from "../rails/rail.ts";
import { openExceptions } from "../reconciliation/exceptions.store.ts";
import { storeArrivals } from "./arrivals.store.ts";

/** What a provider answered when it was asked. */
export interface ProviderAnswer {
  readonly rail: string;
  readonly zone: string;
  /** The payment first. */
  readonly reports: readonly Report[];
  readonly raw: Uint8Array;
  readonly at: Date;
  /** What was asked about: it names the exception when the answer has no reference or amount. */
  readonly subject: string;
  readonly amount: Money | undefined;
}

/** Stores an answer as evidence. Where the payment is booked at another amount already, the difference is named for a person. */
export async function storeAnswer(tx: Tx, answer: ProviderAnswer, makeId: MakeId): Promise<void> {
  const { rail, zone, reports, raw, at, subject } = answer;
  const [stored] = await storeArrivals(
    tx,
    reports.map((report) => ({
      rail,
      form: "enquiry",
      source: "enquiry",
      isEvidence: true,
      report,
      raw,
      sourceAddress: "-",
      receivedAt: at,
    })),
  );
  const [payment] = reports;
  const amount = payment?.amount ?? answer.amount;
  if (stored !== "conflict" || amount === undefined) return;
  await openExceptions(tx, {
    at,
    exceptions: [
      {
        id: makeId(),
        rail,
        kind: "amount_differs",
        subject: payment?.transactionReference ?? subject,
        onDate: localDateOf(at, zone),
        amount,
        detail: "The provider's answer names another amount than the payment that is booked.",
      },
    ],
  });
}
