import { createHash } from "node:crypto";

/** The facts of one payment, in whichever dress it comes. */
export const SHORTCODE = "600966";
export const PAYER = "254708374149";
export const PAYER_SHA256 = createHash("sha256").update(PAYER).digest("hex");

const base = {
  TransactionType: "Pay Bill",
  TransID: "SKL41ZDR7A",
  TransTime: "20231121121325",
  TransAmount: "50.00",
  BusinessShortCode: SHORTCODE,
  BillRefNumber: "PG-10230",
  InvoiceNumber: "",
  OrgAccountBalance: "25.00",
  ThirdPartyTransID: "",
  MSISDN: "2547 ***** 149",
  FirstName: "WANJIRU",
  MiddleName: "",
  LastName: "",
};

/** Every form that M-Pesa's C2B call is documented in, or was seen in, as bodies of our own. */
export const DOCUMENTED_BODIES = {
  "version 2 validation: no balance yet, amount without decimals": {
    ...base,
    TransAmount: "50",
    OrgAccountBalance: "",
  },
  "version 2 validation of an account nobody has": {
    ...base,
    TransAmount: "50",
    OrgAccountBalance: "",
    BillRefNumber: "99999999",
  },
  "version 2 confirmation: masked payer, amount with decimals": base,
  "version 1 confirmation: the payer as a hash": { ...base, MSISDN: PAYER_SHA256 },
  "legacy confirmation: the payer in clear, a whole amount": {
    ...base,
    TransAmount: "1500",
    MSISDN: PAYER,
    LastName: "KAMAU",
    BillRefNumber: "202020",
  },
  "confirmation of an account typed by hand": { ...base, BillRefNumber: " pg-1o230 " },
  "confirmation of a till payment: no account": {
    ...base,
    TransactionType: "Buy Goods",
    BillRefNumber: "",
    TransAmount: "100.00",
  },
  "confirmation delivered a second time": base,
} as const;

export const VALID_BODY: Readonly<Record<string, unknown>> = base;
