import type { Language } from "../../kernel/language.ts";
import { formatMoney } from "../../kernel/money.ts";
import { NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import type { Tx } from "../../platform/database.ts";
import type { DeskPerson } from "./desk-records.ts";
import type { Desk, DeskDeps, Letter } from "./desk.ts";
import { findPayer } from "./desk-suggestions.store.ts";
import { findReceipts } from "../receipts/receipts.store.ts";

/** Writes to the payer of a receipt, or to a customer that a person chose. */
export function makeLetters(
  { contracts, makeId, send }: DeskDeps,
  { requireOffice }: { requireOffice: (by: DeskPerson) => void },
): Desk["write"] {
  async function addressee(tx: Tx, { receiptId, contractId }: Letter): Promise<{ phone: string; language: Language }> {
    if (contractId !== undefined) {
      if (!(await contracts.find(tx, [contractId])).has(contractId)) throw new NotFound("contract", "contractId");
      const { phone, language } = await contracts.contactOf(tx, contractId);
      if (phone === undefined) throw new NotAllowedNow("This customer has no phone.");
      return { phone, language };
    }
    const payer = await findPayer(tx, receiptId);
    if (payer?.phone === undefined)
      throw new NotAllowedNow("The payer's number is not known. Choose a customer to write to.");
    const { language } = payer.hash === undefined ? { language: undefined } : await contracts.ofPhone(tx, payer.hash);
    return { phone: payer.phone, language: language ?? "en" };
  }

  return async (tx, letter) => {
    requireOffice(letter.by);
    const { receiptId, template } = letter;
    const receipt = (await findReceipts(tx, [receiptId])).get(receiptId);
    if (receipt === undefined) throw new NotFound("receipt", "receiptId");
    const { phone, language } = await addressee(tx, letter);
    await send(tx, {
      key: `desk:${makeId<"Letter">()}`,
      toPhone: phone,
      language,
      template,
      values: { amount: formatMoney(receipt.amount) },
      about: { receiptId },
    });
    return { phone };
  };
}
