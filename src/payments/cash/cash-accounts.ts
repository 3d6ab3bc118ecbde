import type { StaffId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import type { AccountSpec } from "../../ledger/ledger.ts";
import { clearingAccount } from "../receipts/accounts.ts";

/** The channel that agents' cash enters by, in the inbox and in the books. */
export const CASH_RAIL = "cash";

/** The cash in an agent's hands: the clearing account of the cash rail, as the settle loop debits it. */
export const handsAccount = (agentId: StaffId, currency: Currency): AccountSpec =>
  clearingAccount({ rail: CASH_RAIL, shortcode: agentId, currency });

/** What the company owes an agent for sales and collections. */
export const earnedAccount = (agentId: StaffId, currency: Currency): AccountSpec => ({
  code: `agent/${agentId}/commission/${currency}`,
  kind: "liability",
  currency,
});

/** The office's cash box. */
export const officeAccount = (currency: Currency): AccountSpec => ({
  code: `system/cash_office/${currency}`,
  kind: "asset",
  currency,
});

/** What commissions cost the company. */
export const commissionsAccount = (currency: Currency): AccountSpec => ({
  code: `system/commissions/${currency}`,
  kind: "expense",
  currency,
});
