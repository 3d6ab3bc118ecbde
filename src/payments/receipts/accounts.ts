import type { Currency } from "../../kernel/money.ts";
import type { AccountSpec } from "../../ledger/ledger.ts";

/** The account where a rail's money waits for the provider to pay it out to the bank. */
export const clearingAccount = ({
  rail,
  shortcode,
  currency,
}: {
  rail: string;
  shortcode: string;
  currency: Currency;
}): AccountSpec => ({ code: `system/clearing/${rail}/${shortcode}/${currency}`, kind: "asset", currency });

/** Money that nobody could match yet. */
export const suspenseAccount = (currency: Currency): AccountSpec => ({
  code: `system/suspense/${currency}`,
  kind: "liability",
  currency,
});

/** Money on its way out: set aside, and the provider has not said that it is paid. */
export const payoutsAccount = (currency: Currency): AccountSpec => ({
  code: `system/payouts/${currency}`,
  kind: "liability",
  currency,
});

/** What providers charge us. */
export const feesAccount = (rail: string, currency: Currency): AccountSpec => ({
  code: `system/fees/${rail}/${currency}`,
  kind: "expense",
  currency,
});

/** The company's bank account, where providers pay out to. */
export const bankAccount = (currency: Currency): AccountSpec => ({
  code: `system/bank/${currency}`,
  kind: "asset",
  currency,
});
