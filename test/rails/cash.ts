import type { App } from "../../src/app.ts";
import type { ContractId, StaffId } from "../../src/kernel/ids.ts";
import { AMOUNT_MINOR_MAX, parseCurrency } from "../../src/kernel/money.ts";
import type { Collection } from "./day.ts";
import type { TruePayment } from "./truth.ts";
import type { Household } from "./village.ts";

/** An agent who takes cash in every country, for as much as a rail moves. */
export async function employAgent(app: App, village: readonly Household[]): Promise<StaffId> {
  const agentId = app.makeId<"Staff">();
  const id = app.makeId<"Staff">();
  const by = { id, role: "operations", actor: `staff:${id}` } as const;
  for (const currency of new Set(village.map((household) => household.currency)))
    await app.database.db.transaction((tx) =>
      app.cash.setLimit(tx, { agentId, currency: parseCurrency(currency), limitMinor: AMOUNT_MINOR_MAX, by }),
    );
  return agentId;
}

/** The agent's phone sends each collection at once as often as it thinks it must; answers what the agent holds for it. */
export async function collectCash(
  app: App,
  { agentId, collections, faulty }: { agentId: StaffId; collections: readonly Collection[]; faulty: string[] },
): Promise<readonly TruePayment[]> {
  const taken: TruePayment[] = [];
  for (const { at, household, amountMinor, times, key } of collections) {
    const send = () =>
      app.database.db.transaction((tx) =>
        app.cash.collect(tx, {
          agentId,
          actor: `staff:${agentId}`,
          clientKey: key,
          contractId: household.contractId as ContractId,
          amount: { minor: amountMinor, currency: parseCurrency(household.currency) },
          takenAt: at,
        }),
      );
    const receipts = await Promise.all(Array.from({ length: times }, send));
    const numbers = new Set(receipts.map(({ number }) => number));
    const [number = ""] = numbers;
    if (numbers.size !== 1) faulty.push(`one cash payment has ${numbers.size} receipts`);
    const { accountNumber: account, currency } = household;
    const money = { amountMinor, currency, account, beganAt: at, at, correlation: undefined };
    taken.push({ rail: "cash", id: number.toUpperCase(), ...money });
  }
  return taken;
}
