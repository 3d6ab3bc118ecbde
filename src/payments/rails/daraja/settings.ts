import { z } from "zod";
import { baseUrl, parseBy, secret } from "../settings.ts";

/** Safaricom refuses to register addresses with these words in them, whatever their case. */
export const FORBIDDEN_IN_DARAJA_URL: readonly string[] = ["mpesa", "safaricom", "exe", "cmd", "sql", "query"];

const shortcode = z.string().regex(/^\d{5,8}$/, "expected five to eight digits");

const schema = z
  .strictObject({
    /** https://api.safaricom.co.ke, or the sandbox. */
    baseUrl,
    /** Paybills and tills that are ours. Money for any other is quarantined. */
    shortcodes: z.array(shortcode).min(1, "expected at least one paybill or till"),
    consumerKey: secret().optional(),
    consumerSecret: secret().optional(),
    /** For prompts (Lipa na M-Pesa online). */
    stk: z
      .strictObject({
        shortcode,
        passkey: secret(),
        transactionType: z.enum(["CustomerPayBillOnline", "CustomerBuyGoodsOnline"]),
        /** The till, where `shortcode` is the head office of tills. */
        partyB: shortcode.optional(),
      })
      .optional(),
    /** An API user of the organisation: pay-outs, reversals, transaction status. */
    initiator: z.strictObject({ name: secret(), securityCredential: secret(), b2cShortcode: shortcode }).optional(),
    /** The Pull Transactions API; the shortcode must be registered for it. */
    pull: z
      .strictObject({
        shortcode,
        nominatedNumber: z
          .string()
          .regex(/^\d{9,12}$/)
          .optional(),
      })
      .optional(),
  })
  .superRefine((settings, context) => {
    if ((settings.consumerKey === undefined) !== (settings.consumerSecret === undefined))
      context.addIssue({ code: "custom", path: ["consumerKey"], message: "goes together with consumerSecret" });
    const ours = new Set(settings.shortcodes);
    for (const [path, number] of [
      ["stk", settings.stk?.partyB ?? settings.stk?.shortcode],
      ["pull", settings.pull?.shortcode],
    ] as const) {
      // Otherwise the C2B copy of a payment that we ourselves asked for would be quarantined.
      if (number !== undefined && !ours.has(number))
        context.addIssue({ code: "custom", path: [path], message: `${number} is paid, but is not among shortcodes` });
    }
  });

/** How one M-Pesa organisation is reached. What is missing is a thing the rail cannot do. */
export type DarajaSettings = z.infer<typeof schema>;

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export const parseDarajaSettings = (given: unknown): DarajaSettings => parseBy(schema, given);
