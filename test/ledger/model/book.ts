import type { AccountId, AccountSpec } from "../../../src/ledger/ledger.ts";
import { ACCOUNTS } from "./programs.ts";

/** The accounts, keys and receipts of one run carry its name; reading gives them back without it. */
export interface Book {
  readonly name: string;
  readonly ids: ReadonlyMap<string, AccountId>;
}
export const codeIn = (book: string, code: string): string =>
  code.startsWith("system/") ? code.replace("system/", `system/${book}/`) : `${book}/${code}`;
export const plainCode = (book: string, code: string): string => code.replace(`${book}/`, "");
export const specOf = (book: string, code: string): AccountSpec => ({
  code: codeIn(book, code),
  kind: ACCOUNTS.get(code)?.kind ?? "asset",
  currency: ACCOUNTS.get(code)?.currency ?? "KES",
});
