import type { StaffId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import type { Clock } from "../../kernel/time.ts";
import type { AccountId, AccountSpec, Ledger } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { earnedAccount, handsAccount } from "./cash-accounts.ts";
import type { Holding } from "./cash-records.ts";
import * as store from "./cash.store.ts";

export interface CashHoldings {
  /** Locks an agent for this transaction: the first thing every act does. */
  lock(tx: Tx, agentId: StaffId): Promise<{ readonly code: number; readonly nextSequence: number }>;
  /** What a locked agent has in hand; opened with its accounts when it is the first in this currency. */
  require(tx: Tx, agentId: StaffId, currency: Currency): Promise<Holding>;
  /** The number of one account. */
  account(tx: Tx, spec: AccountSpec): Promise<AccountId>;
}

/** The rows that decide how much an agent has in hand. */
export function makeCashHoldings({ ledger, clock }: { ledger: Ledger; clock: Clock }): CashHoldings {
  async function account(tx: Tx, spec: AccountSpec): Promise<AccountId> {
    const [id] = await ledger.openAccounts(tx, [spec]);
    if (id === undefined) throw new Error(`Bug: the account ${spec.code} was not opened.`);
    return id;
  }

  async function find(tx: Tx, agentId: StaffId, currency: Currency): Promise<Holding | undefined> {
    return (await store.findHoldings(tx, agentId)).find((holding) => holding.currency === currency);
  }

  return {
    account,
    lock: (tx, agentId) => store.lockAgent(tx, agentId, clock.now()),
    async require(tx, agentId, currency) {
      const found = await find(tx, agentId, currency);
      if (found !== undefined) return found;
      const clearingAccountId = await account(tx, handsAccount(agentId, currency));
      const commissionAccountId = await account(tx, earnedAccount(agentId, currency));
      await store.insertHolding(tx, { agentId, currency, clearingAccountId, commissionAccountId });
      const made = await find(tx, agentId, currency);
      if (made === undefined) throw new Error(`Bug: agent ${agentId} has no holding in ${currency}.`);
      return made;
    },
  };
}
