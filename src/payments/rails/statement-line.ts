import type { Report } from "./rail.ts";

/**
 * One line of a statement that a provider gives its organisation, in this program's words. The importer compares it with
 * the books; it is never money by itself. Amounts are minor units of the channel's currency, signed: what came in is
 * above zero, what went out below.
 */
export interface StatementLine {
  /** The provider's name of this line, upper case: the receipt number where a line has one. Unique within a channel. */
  readonly lineReference: string;
  /** `other`: nothing that the books should hold, such as a transaction that did not complete. */
  readonly kind: "payment" | "reversal" | "fee" | "disbursement" | "settlement" | "other";
  /** Which report a line that moves a customer's money stands for; undefined for fees, settlements and the rest. */
  readonly type: Report["type"] | undefined;
  readonly amountMinor: bigint;
  /** When it was over, by the provider's clock. */
  readonly at: Date;
  /** The account as the payer typed it; "" when there is none. */
  readonly reference: string;
  /** E.164 with plus, when the statement shows it in clear. */
  readonly payerPhone?: string | undefined;
  /** SHA-256 of the digits without plus, when the statement shows the number or its hash. */
  readonly payerHash?: Uint8Array | undefined;
  readonly payerName?: string | undefined;
  /** The transaction that this line belongs to: the payment of a reversal, of a fee. Upper case. */
  readonly linked?: string | undefined;
  /** The provider's own words, for a person. */
  readonly details: string;
  /** What the account held after this line, when the statement says so. */
  readonly balanceMinor?: bigint | undefined;
}

/** Why a line was not taken, in a sentence for a person, without the payer's number. */
export interface RefusedLine {
  readonly refused: string;
}

export const isRefusedLine = (line: StatementLine | RefusedLine): line is RefusedLine => "refused" in line;
