import type { ContractId, MakeId, StaffId, TransactionId } from "../../kernel/ids.ts";
import { money, type Currency, type Money } from "../../kernel/money.ts";
import { InvalidInput, NotAllowedNow } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Entry, Ledger, Line } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { commissionsAccount, officeAccount } from "./cash-accounts.ts";
import * as store from "./cash-commission.store.ts";
import type { CashHoldings } from "./cash-holdings.commands.ts";
import { requireAmount } from "./cash-limit.ts";
import { saleCause, type AgentCash, type Officer } from "./cash-records.ts";
import { COMMISSION, COMMISSION_BACK, COMMISSION_PAID } from "./cash-statement.ts";
import { requireOffice } from "./cash-second-person.ts";
import { earn, requireCommissionTerms, ruleInForce, type CommissionKind } from "./commission.ts";

/** One act that may earn something. */
export interface Earning {
  readonly cause: string;
  readonly baseMinor: bigint;
  readonly at: Date;
}

export interface Commissions extends Pick<
  AgentCash,
  "setCommissionRule" | "accrueSale" | "reverseCommission" | "payCommission"
> {
  /**
   * Works out and notes what acts of a locked agent earn, each cause once; the caller posts the entries with its own, in one
   * statement, so that accounts are always locked in one order.
   */
  accrue(tx: Tx, acts: Acts): Promise<readonly Entry[]>;
}

interface Acts {
  readonly agentId: StaffId;
  readonly kind: CommissionKind;
  readonly currency: Currency;
  readonly earnings: readonly Earning[];
  readonly actor: string;
}

/** Commissions: exact, once for each cause, and taken back at most once. */
export function makeCommissions({
  ledger,
  clock,
  makeId,
  holdings,
}: {
  ledger: Ledger;
  clock: Clock;
  makeId: MakeId;
  holdings: CashHoldings;
}): Commissions {
  async function accrue(tx: Tx, { agentId, kind, currency, earnings, actor }: Acts): Promise<readonly Entry[]> {
    const rules = await store.rulesFor(tx, { agentId, kind, currency });
    if (rules.length === 0) return [];
    const known = await store.findCommissions(
      tx,
      earnings.map(({ cause }) => cause),
    );
    const carried = new Map(await store.fractionsOf(tx, agentId));
    const changed = new Map<string, bigint>();
    const commissions: store.Commission[] = [];
    for (const { cause, baseMinor, at } of earnings) {
      const rule = ruleInForce(rules, at);
      if (rule === undefined || known.has(cause)) continue;
      const carriedFraction = carried.get(rule.id) ?? 0n;
      const earned = earn(rule, { baseMinor, carriedFraction, sign: 1n });
      carried.set(rule.id, earned.carriedFraction);
      changed.set(rule.id, earned.carriedFraction);
      const { amountMinor } = earned;
      const transactionId = amountMinor === 0n ? undefined : makeId<"Transaction">();
      commissions.push({
        cause,
        agentId,
        ruleId: rule.id,
        baseMinor,
        amountMinor,
        currency,
        earnedAt: at,
        transactionId,
      });
    }
    if (commissions.length === 0) return [];
    await store.insertCommissions(tx, commissions);
    await store.keepFractions(tx, agentId, changed);
    const linesOf = await liner(tx, agentId, currency);
    return commissions.flatMap(({ cause, amountMinor, earnedAt, transactionId }) =>
      transactionId === undefined
        ? []
        : [
            {
              id: transactionId,
              kind: COMMISSION,
              memo: `Commission for ${cause}`,
              reference: cause,
              idempotencyKey: `commission:${cause}`,
              currency,
              effectiveAt: earnedAt,
              actor,
              lines: linesOf(amountMinor),
            },
          ],
    );
  }

  /** Lines of an amount that the company owes a locked agent from now on; below zero for one that it owes no more. */
  async function liner(
    tx: Tx,
    agentId: StaffId,
    currency: Currency,
  ): Promise<(amountMinor: bigint) => readonly Line[]> {
    const { commissionAccountId } = await holdings.require(tx, agentId, currency);
    const costAccountId = await holdings.account(tx, commissionsAccount(currency));
    return (amountMinor) => [
      { accountId: costAccountId, amountMinor },
      { accountId: commissionAccountId, amountMinor: -amountMinor },
    ];
  }

  async function accrueSale(
    tx: Tx,
    sale: { agentId: StaffId; contractId: ContractId; price: Money; at: Date; actor: string },
  ): Promise<Money | undefined> {
    const { agentId, price, at, actor } = sale;
    await holdings.lock(tx, agentId);
    const cause = saleCause(sale.contractId);
    const earnings = [{ cause, baseMinor: price.minor, at }];
    await ledger.post(tx, await accrue(tx, { agentId, kind: "sale", currency: price.currency, earnings, actor }));
    const earned = (await store.findCommissions(tx, [cause])).get(cause);
    return earned === undefined ? undefined : money(earned.amountMinor, earned.currency);
  }

  async function reverseCommission(
    tx: Tx,
    { cause, reason, actor }: { cause: string; reason: string; actor: string },
  ): Promise<Money | undefined> {
    const agentId = (await store.findCommissions(tx, [cause])).get(cause)?.agentId;
    if (agentId === undefined) return undefined;
    await holdings.lock(tx, agentId);
    const earned = (await store.findCommissions(tx, [cause])).get(cause);
    const rule = earned === undefined ? undefined : await store.findRule(tx, earned.ruleId);
    if (earned === undefined || rule === undefined) throw new Error(`Bug: the commission for ${cause} is gone.`);
    const { currency, baseMinor } = earned;
    if (earned.takenBackMinor !== undefined) return money(earned.takenBackMinor, currency);
    const carriedFraction = (await store.fractionsOf(tx, agentId)).get(rule.id) ?? 0n;
    const back = earn(rule, { baseMinor, carriedFraction, sign: -1n });
    const transactionId = back.amountMinor === 0n ? undefined : makeId<"Transaction">();
    const at = clock.now();
    const minor = -back.amountMinor;
    if (!(await store.markTakenBack(tx, { cause, minor, at, reason, transactionId })))
      throw new Error(`Bug: the commission for ${cause} was taken back by somebody who did not wait.`);
    await store.keepFractions(tx, agentId, new Map([[rule.id, back.carriedFraction]]));
    if (transactionId !== undefined)
      await ledger.post(tx, [
        {
          id: transactionId,
          kind: COMMISSION_BACK,
          memo: reason,
          reference: cause,
          idempotencyKey: `commission_back:${cause}`,
          currency,
          effectiveAt: at,
          actor,
          lines: (await liner(tx, agentId, currency))(back.amountMinor),
        },
      ]);
    return money(minor, currency);
  }

  async function payCommission(
    tx: Tx,
    { agentId, amount, by, key }: { agentId: StaffId; amount: Money; by: Officer; key: string },
  ): Promise<TransactionId> {
    requireOffice(by, agentId);
    requireAmount(amount.minor, "amountMinor");
    const { currency, minor } = amount;
    await holdings.lock(tx, agentId);
    const { commissionAccountId } = await holdings.require(tx, agentId, currency);
    const [posted] = await ledger.post(tx, [
      {
        id: makeId(),
        kind: COMMISSION_PAID,
        memo: "Commission paid in cash",
        reference: agentId,
        idempotencyKey: `commission_payment:${key}`,
        currency,
        effectiveAt: clock.now(),
        actor: by.actor,
        lines: [
          { accountId: commissionAccountId, amountMinor: minor },
          { accountId: await holdings.account(tx, officeAccount(currency)), amountMinor: -minor },
        ],
      },
    ]);
    if (posted === undefined) throw new Error("Bug: a payment of commission gave no transaction.");
    // Looked at after the posting, so that a repetition of a payment that emptied the account is no refusal.
    const owed = -((await ledger.balances(tx, [commissionAccountId])).get(commissionAccountId) ?? 0n);
    if (!posted.repeated && owed < 0n)
      throw new NotAllowedNow(`The agent has earned ${owed + minor} minor units, which is less than this.`);
    return posted.id;
  }

  return {
    accrue,
    accrueSale,
    reverseCommission,
    payCommission,
    async setCommissionRule(tx, terms, by) {
      requireOffice(by, terms.agentId ?? undefined);
      requireCommissionTerms(terms);
      const setAt = clock.now();
      const effectiveAt = terms.effectiveAt ?? setAt;
      // A rule for the past would leave two answers to what an act has earned.
      if (effectiveAt < setAt) throw new InvalidInput("A commission rule takes effect now or later.", "effectiveAt");
      const rule = { ...terms, effectiveAt, id: makeId<"CommissionRule">(), setAt };
      await store.insertRule(tx, rule, by.actor);
      return rule;
    },
  };
}
