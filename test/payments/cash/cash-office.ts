import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { makeIds, type ContractId, type StaffId } from "../../../src/kernel/ids.ts";
import { money, type Currency } from "../../../src/kernel/money.ts";
import { NotFound } from "../../../src/kernel/refusal.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeLedger } from "../../../src/ledger/ledger.ts";
import { makeAgentCash } from "../../../src/payments/cash/cash.commands.ts";
import type { Collection, Officer } from "../../../src/payments/cash/cash-records.ts";
import type { Tx } from "../../../src/platform/database.ts";
import { useDatabase } from "../../support/database.ts";

export const START = new Date("2026-03-02T06:00:00Z");

/** An office with agents, contracts that are only numbers, and a settle loop that books every cash payment to one account. */
export function useCashOffice() {
  const database = useDatabase();
  const clock = makeManualClock(START);
  const makeId = makeIds(clock);
  const ledger = makeLedger({ clock, makeId });
  const contracts = new Map<ContractId, { reference: string; currency: Currency }>();
  const cash = makeAgentCash({
    ledger,
    clock,
    makeId,
    zone: "Africa/Nairobi",
    requireContract: (_tx, id) => {
      const found = contracts.get(id);
      return found === undefined ? Promise.reject(new NotFound("contract", "contractId")) : Promise.resolve(found);
    },
  });
  const inTransaction = <Outcome>(work: (tx: Tx) => Promise<Outcome>) => database.current.db.transaction(work);

  function contract(currency: Currency = "KES"): ContractId {
    const id = makeId<"Contract">();
    contracts.set(id, { reference: `PG-${contracts.size + 1}`, currency });
    return id;
  }

  function officer(role: Officer["role"] = "operations"): Officer {
    const id = makeId<"Staff">();
    return { id, role, actor: `staff:${id}` };
  }

  const office = officer();

  /** An agent who may hold so much, and the shortest way for the phone to speak. */
  function agent() {
    const id: StaffId = makeId();
    const person: Officer = { id, role: "agent", actor: `staff:${id}` };
    const collect = (minor: bigint, more: Partial<Collection> = {}) =>
      inTransaction((tx) =>
        cash.collect(tx, {
          agentId: id,
          actor: person.actor,
          clientKey: randomUUID(),
          contractId: more.contractId ?? contract(more.amount?.currency ?? "KES"),
          amount: money(minor, "KES"),
          takenAt: clock.now(),
          ...more,
        }),
      );
    return {
      id,
      person,
      collect,
      limit: (limitMinor: bigint, currency: Currency = "KES") =>
        inTransaction((tx) => cash.setLimit(tx, { agentId: id, currency, limitMinor, by: office })),
      numbers: (count: number) => inTransaction((tx) => cash.takeReceiptNumbers(tx, { agentId: id, count })),
      offer: (minor: bigint, clientKey: string = randomUUID()) =>
        inTransaction((tx) => cash.handOver(tx, { agentId: id, amount: money(minor, "KES"), clientKey })),
      standing: async (currency: Currency = "KES") =>
        (await cash.standingsOf(database.current.db, id)).find((one) => one.currency === currency),
      waiting: async () =>
        (await cash.provisional(database.current.db, { agentId: id, limit: 100 })).map(({ number }) => number),
      /** Numbers that entered the inbox, in the order in which they did. */
      entered: async () => {
        const rows = await database.current.db.execute<{ provider_id: string }>(
          sql`select provider_id from payments.callbacks where rail = 'cash' and shortcode = ${id} order by id`,
        );
        return rows.map(({ provider_id }) => provider_id);
      },
    };
  }

  const accept = (handOverId: string, countedMinor: bigint, by: Officer = office) =>
    inTransaction((tx) => cash.acceptHandOver(tx, { handOverId, countedMinor, by }));

  /** What the settle loop does with them, as far as the agent's account goes. */
  const settle = () =>
    inTransaction(async (tx) => {
      const rows = await tx.execute<{
        provider_id: string;
        shortcode: string;
        amount_minor: string;
        currency: Currency;
      }>(
        sql`with due as (delete from payments.pending returning callback_id)
            select provider_id, shortcode, amount_minor, currency from payments.callbacks join due on callback_id = id`,
      );
      for (const row of rows) {
        const [hands = 0n, customers = 0n] = await ledger.openAccounts(tx, [
          { code: `system/clearing/cash/${row.shortcode}/${row.currency}`, kind: "asset", currency: row.currency },
          { code: `test/customers/${row.currency}`, kind: "liability", currency: row.currency },
        ]);
        await ledger.post(tx, [
          {
            id: makeId(),
            kind: "payment",
            memo: `cash ${row.provider_id}`,
            reference: row.provider_id,
            idempotencyKey: `payment:cash:${row.provider_id}`,
            currency: row.currency,
            effectiveAt: clock.now(),
            actor: "settle",
            lines: [
              { accountId: hands, amountMinor: BigInt(row.amount_minor) },
              { accountId: customers, amountMinor: -BigInt(row.amount_minor) },
            ],
          },
        ]);
      }
      return rows.length;
    });

  /** Balance of an account by its code; debit above zero. */
  async function balance(code: string): Promise<bigint> {
    const rows = await ledger.trialBalance(database.current.db, { codePrefix: code });
    return rows.find((row) => row.code === code)?.balanceMinor ?? 0n;
  }

  return { database, clock, makeId, cash, office, officer, agent, contract, accept, settle, balance, inTransaction };
}
