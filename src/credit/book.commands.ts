import { InvalidInput } from "../kernel/refusal.ts";
import type { Currency } from "../kernel/money.ts";
import type { Customers } from "../customers/customers.ts";
import type { Tx } from "../platform/database.ts";
import { parseAccounts, parseGroups } from "./book-csv.ts";
import type { Contract, Credit } from "./credit.ts";

export interface Book {
  readonly groupsCsv: string;
  readonly accountsCsv: string;
  readonly currency: Currency;
}

export interface BookImport {
  /** The seller's own account id to the contract made of it. */
  readonly contracts: ReadonlyMap<string, Contract>;
  readonly plans: number;
}

/** The serial under which the device of a seller's account is expected in stock. */
export const bookSerial = (accountId: string): string => `BOOK-${accountId}`;

/**
 * Takes over another seller's book: price groups become plans, accounts become customers with contracts from their
 * registration on. The devices must be in stock before, with serials as `bookSerial` says. Everything or nothing.
 */
export function makeBookImport({
  customers,
  credit,
}: {
  customers: Customers;
  credit: Pick<Credit, "plans" | "sell">;
}) {
  return async (
    tx: Tx,
    { groupsCsv, accountsCsv, currency }: Book,
    { actor, area, onProgress }: { actor: string; area: string; onProgress?: (done: number, total: number) => void },
  ): Promise<BookImport> => {
    const groups = parseGroups(groupsCsv, currency);
    const accounts = parseAccounts(accountsCsv);
    const earliest = new Date(Math.min(...accounts.map(({ registeredAt }) => registeredAt.getTime())));
    for (const { id, name, terms } of groups)
      await credit.plans.create(tx, { code: `book-${id}`, name, terms, effectiveAt: earliest });
    const known = new Set(groups.map(({ id }) => id));
    const contracts = new Map<string, Contract>();
    for (const { id, groupId, registeredAt } of accounts) {
      if (!known.has(groupId))
        throw new InvalidInput(`accounts.csv names group ${groupId}, which groups.csv does not have.`);
      const customer = await customers.register(tx, {
        name: `Account ${id}`,
        language: "en",
        area,
        phones: [],
        serviceConsent: false,
        marketingConsent: false,
        actor,
      });
      contracts.set(
        id,
        await credit.sell(tx, {
          customerId: customer.id,
          serial: bookSerial(id),
          planCode: `book-${groupId}`,
          actor,
          soldAt: registeredAt,
        }),
      );
      onProgress?.(contracts.size, accounts.length);
    }
    return { contracts, plans: groups.length };
  };
}
