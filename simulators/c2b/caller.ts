import { randomInt } from "node:crypto";

/** Safaricom's side of C2B: posts confirmations and validations as the provider does. */
export interface C2bCaller {
  /** Posts a confirmation; answers what the door said. The same `transId` again is a repetition. */
  confirm(payment: C2bPayment): Promise<C2bAnswer>;
  validate(payment: C2bPayment): Promise<C2bAnswer>;
}

export interface C2bPayment {
  readonly transId: string;
  /** As the payer typed it. */
  readonly account: string;
  /** Decimal text in the shortcode's currency, such as "150.00". */
  readonly amount: string;
  readonly msisdn: string;
  readonly paidAt: Date;
  readonly firstName: string;
}

export interface C2bAnswer {
  readonly status: number;
  readonly body: string;
  readonly isSuccess: boolean;
}

/** M-Pesa's ids have ten capital letters and digits. */
export function makeTransId(): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]).join("");
}

const NAIROBI_AHEAD_MS = 3 * 3_600_000;
const TIMEOUT_MS = 10_000;

/** `doorUrl` is the C2B address with its secret, without /confirmation. */
export function makeC2bCaller({ doorUrl, shortcode }: { doorUrl: string; shortcode: string }): C2bCaller {
  async function post(door: "confirmation" | "validation", payment: C2bPayment): Promise<C2bAnswer> {
    const response = await fetch(`${doorUrl}/${door}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      body: JSON.stringify({
        TransactionType: "Pay Bill",
        TransID: payment.transId,
        TransTime: new Date(payment.paidAt.getTime() + NAIROBI_AHEAD_MS).toISOString().replace(/\D/g, "").slice(0, 14),
        TransAmount: payment.amount,
        BusinessShortCode: shortcode,
        BillRefNumber: payment.account,
        InvoiceNumber: "",
        OrgAccountBalance: door === "validation" ? "" : "25.00",
        ThirdPartyTransID: "",
        MSISDN: payment.msisdn,
        FirstName: payment.firstName,
        MiddleName: "",
        LastName: "",
      }),
    });
    const body = await response.text();
    return { status: response.status, body, isSuccess: response.status === 200 && /"ResultCode":"?0"?[,}]/.test(body) };
  }
  return { confirm: (payment) => post("confirmation", payment), validate: (payment) => post("validation", payment) };
}
