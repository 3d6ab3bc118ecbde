import type { StaffId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { InvalidInput } from "../../kernel/refusal.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Db, Tx } from "../../platform/database.ts";
import { handsAccount } from "./cash-accounts.ts";
import * as commissions from "./cash-commission.store.ts";
import * as handOvers from "./cash-hand-over.store.ts";
import { heldMinor, roomMinor } from "./cash-limit.ts";
import type { AgentCash, CashStanding, Holding } from "./cash-records.ts";
import { statementFigures, type CashStatement } from "./cash-statement.ts";
import * as store from "./cash.store.ts";

const RULES_MAX = 500;
const PROVISIONAL_SHOWN_MAX = 500;
/** Some thirty years of an agent's days; beyond it the statement would be wrong, so it is refused. */
const POSTINGS_MAX = 500_000;

/** What is looked up about agents' cash. */
export function makeCashQueries({
  ledger,
}: {
  ledger: Ledger;
}): Pick<
  AgentCash,
  | "findReceipts"
  | "provisional"
  | "standingsOf"
  | "findHandOver"
  | "handOvers"
  | "findCommissionRule"
  | "commissionRules"
  | "statementOf"
> {
  async function standingsOf(db: Db | Tx, agentId: StaffId): Promise<readonly CashStanding[]> {
    const holdings = await store.findHoldings(db, agentId);
    const limits = await store.limitsOf(db, agentId);
    const balances = await ledger.balances(
      db,
      holdings.map(({ commissionAccountId }) => commissionAccountId),
    );
    // Currencies with a limit and nothing in hand are shown too: that is where an agent may begin.
    const currencies = new Set([...holdings.map(({ currency }) => currency), ...limits.keys()]);
    return [...currencies].toSorted().map((currency) => {
      const holding = holdings.find((one) => one.currency === currency);
      const owed = holding === undefined ? 0n : -(balances.get(holding.commissionAccountId) ?? 0n);
      return standingOf({ currency, holding, limitMinor: limits.get(currency), commissionMinor: owed });
    });
  }

  async function statementOf(
    db: Db | Tx,
    { agentId, currency, from, to }: { agentId: StaffId; currency: Currency; from: Date; to: Date },
  ): Promise<CashStatement> {
    if (from >= to) throw new InvalidInput("A statement begins before it ends.", "from");
    const holding = (await store.findHoldings(db, agentId)).find((one) => one.currency === currency);
    const accountIds = holding === undefined ? [] : [holding.clearingAccountId, holding.commissionAccountId];
    const postings = await ledger.statement(db, { accountIds, limit: POSTINGS_MAX });
    if (postings.length === POSTINGS_MAX)
      throw new Error(`The books of agent ${agentId} are too long for a statement.`);
    const standing = (await standingsOf(db, agentId)).find((one) => one.currency === currency);
    const waiting = await store.listProvisional(db, { agentId, limit: PROVISIONAL_SHOWN_MAX });
    return {
      ...statementFigures(postings, { clearingCode: handsAccount(agentId, currency).code, from, to }),
      from,
      to,
      provisional: waiting.filter(({ amount }) => amount.currency === currency),
      standing: standing ?? standingOf({ currency, holding: undefined, limitMinor: undefined, commissionMinor: 0n }),
    };
  }

  return {
    standingsOf,
    statementOf,
    findReceipts: store.findReceipts,
    provisional: store.listProvisional,
    findHandOver: handOvers.findHandOver,
    handOvers: handOvers.listHandOvers,
    findCommissionRule: commissions.findRule,
    commissionRules: (db) => commissions.listRules(db, RULES_MAX),
  };
}

function standingOf({
  currency,
  holding,
  limitMinor,
  commissionMinor,
}: {
  currency: Currency;
  holding: Holding | undefined;
  limitMinor: bigint | undefined;
  commissionMinor: bigint;
}): CashStanding {
  const hand = { bookedMinor: holding?.bookedMinor ?? 0n, provisionalMinor: holding?.provisionalMinor ?? 0n };
  return {
    currency,
    ...hand,
    heldMinor: heldMinor(hand),
    offeredMinor: holding?.offeredMinor ?? 0n,
    limitMinor: limitMinor ?? null,
    roomMinor: roomMinor(limitMinor, hand),
    commissionMinor,
  };
}
