import type { ContractId } from "../kernel/ids.ts";
import { least, type Currency } from "../kernel/money.ts";
import { NotAllowedNow } from "../kernel/refusal.ts";
import { addDays, localDateOf, type Clock } from "../kernel/time.ts";
import type { Devices } from "../devices/devices.ts";
import type { Db, Tx } from "../platform/database.ts";
import { parseAccountNumber } from "./account-number.ts";
import * as store from "./contracts.store.ts";
import type { Contract, Credit } from "./credit.ts";
import { arrears, instalments } from "./instalments.ts";
import { nearAccountNumbers } from "./near-account-numbers.ts";
import type { Plans } from "./plans.commands.ts";
import { timeline } from "./timeline.ts";

export type ContractQueries = Pick<
  Credit,
  | "findPayable"
  | "find"
  | "findMany"
  | "findByAccountNumber"
  | "list"
  | "allocations"
  | "timelineOf"
  | "lockState"
  | "instalmentsOf"
  | "accountsOf"
  | "latestTokens"
  | "allocationsByCauses"
  | "findAccountsNear"
  | "findActiveOf"
  | "findByReferences"
>;

/** How far ahead a calendar of a rent without end is shown. */
const RENT_CALENDAR_DAYS = 365;
const TOKENS_READ_MAX = 20;

export function makeContractQueries({
  db: wholeDb,
  clock,
  zoneOf,
  devices,
  plans,
}: {
  db: Db;
  clock: Clock;
  zoneOf: (currency: Currency) => string;
  devices: Devices;
  plans: Plans;
}): ContractQueries {
  const findPayable: ContractQueries["findPayable"] = async (reference) => {
    const number = parseAccountNumber(reference);
    const contract = number === undefined ? undefined : await store.findByAccountNumber(wholeDb, number);
    if (contract === undefined) return { kind: "unknown" };
    if (contract.state !== "active") return { kind: "ended" };
    const terms = (await store.findTerms(wholeDb, [contract.id])).get(contract.id) ?? [];
    // The contract names the terms of its last payment; what is asked of the next one may have changed since.
    const { planVersionId } = terms.findLast(({ effectiveAt }) => effectiveAt <= clock.now()) ?? contract;
    const version = (await plans.versions(wholeDb, [planVersionId])).get(planVersionId);
    const minimum = version?.minimumPaymentMinor ?? 0n;
    // The last payment may be as small as what is left.
    const left =
      contract.outstandingMinor === null
        ? minimum
        : contract.outstandingMinor - contract.carriedMinor + contract.debtMinor;
    return { kind: "payable", currency: contract.currency, minimumMinor: least(minimum, left) };
  };

  const timelineOf: ContractQueries["timelineOf"] = async (db, contractId) => {
    const contract = (await store.findMany(db, [contractId])).get(contractId);
    const rows = await store.findAllocations(db, contractId);
    const stretches = rows.flatMap(({ paidFromAt, paidUntilAt, effect }) =>
      effect === "unlock" || paidFromAt === null || paidUntilAt === null
        ? []
        : [{ fromAt: paidFromAt, untilAt: paidUntilAt }],
    );
    stretches.sort((left, right) => left.fromAt.getTime() - right.fromAt.getTime());
    const endedAt = contract?.endedAt ?? undefined;
    return timeline(
      {
        stretches,
        unlockedAt: contract?.state === "paid_off" ? endedAt : undefined,
        writtenOffAt: contract?.state === "written_off" ? endedAt : undefined,
      },
      clock.now(),
    );
  };

  const lockState: ContractQueries["lockState"] = (contract: Contract) => {
    switch (contract.state) {
      case "paid_off":
        return "UNLOCKED";
      case "written_off":
        return "WRITTEN_OFF";
      case "active":
        if (contract.paidUntilAt === null) return "CREATED";
        return contract.paidUntilAt > clock.now() ? "ENABLED" : "DISABLED";
    }
  };

  const instalmentsOf: ContractQueries["instalmentsOf"] = async (db, contract) => {
    const version = (await plans.versions(db, [contract.planVersionId])).get(contract.planVersionId);
    if (version === undefined) throw new Error(`Bug: plan version ${contract.planVersionId} is missing.`);
    const zone = zoneOf(contract.currency);
    const today = localDateOf(clock.now(), zone);
    const through = version.totalMinor === null ? addDays(today, RENT_CALENDAR_DAYS) : addDays(today, 3_660);
    const calendar = instalments(version, { startedAt: contract.startedAt ?? contract.soldAt, zone, through });
    const paidMinor =
      contract.state === "paid_off" ? (calendar.at(-1)?.cumulativeMinor ?? 0n) : await paidTowardPrice(db, contract);
    return { calendar, arrears: arrears(calendar, { paidMinor, on: today, graceDays: version.graceDays }) };
  };

  /** Money that was taken back and came again stands twice in what was received, and counts once here. */
  async function paidTowardPrice(db: Db | Tx, contract: Contract): Promise<bigint> {
    const rows = await store.findAllocations(db, contract.id);
    const priced = rows.reduce((sum, row) => sum + row.receivedMinor - row.debtMinor - row.refundableMinor, 0n);
    return priced - contract.debtMinor;
  }

  return {
    findPayable,
    allocationsByCauses: store.findAllocationsByCauses,
    async findAccountsNear(db, reference) {
      const near = new Map(nearAccountNumbers(reference).map(({ number, slip }) => [number, slip]));
      if (near.size === 0) return [];
      const found = await store.findByAccountNumbers(db, [...near.keys()]);
      return found.map((contract) => ({ contract, slip: near.get(contract.accountNumber) ?? "other_words" }));
    },
    async findActiveOf(db, customerIds) {
      return (await store.findActiveOf(db, customerIds)).map(({ id }) => id);
    },
    async findByReferences(db, references) {
      const numbers = new Map(references.map((reference) => [reference, parseAccountNumber(reference)]));
      const found = await store.findByAccountNumbers(
        db,
        [...numbers.values()].filter((number) => number !== undefined),
      );
      const ids = new Map(found.map(({ accountNumber, id }) => [accountNumber, id]));
      return new Map(
        [...numbers].flatMap(([reference, number]): [string, ContractId][] => {
          const id = number === undefined ? undefined : ids.get(number);
          return id === undefined ? [] : [[reference, id]];
        }),
      );
    },
    async find(db, id) {
      return (await store.findMany(db, [id])).get(id);
    },
    findMany: store.findMany,
    findByAccountNumber: store.findByAccountNumber,
    list: store.list,
    allocations: store.findAllocations,
    timelineOf,
    lockState,
    instalmentsOf,
    async accountsOf(db, contractId: ContractId) {
      const contract = (await store.findMany(db, [contractId])).get(contractId);
      return contract === undefined
        ? []
        : [
            contract.receivableAccountId,
            contract.creditAccountId,
            contract.refundableAccountId,
            contract.debtAccountId,
          ];
    },
    async latestTokens(db, contract) {
      if (contract.state === "written_off")
        throw new NotAllowedNow("This contract has ended: no token is given for it.");
      const newest = await devices.tokensOf(db, { deviceId: contract.deviceId, limit: TOKENS_READ_MAX });
      // A swapped device may have had another owner: only what this contract's own time brought is shown.
      const own = newest.find(
        ({ issuedAt, kind }) => issuedAt >= contract.soldAt && (kind === "add" || kind === "set" || kind === "disable"),
      );
      if (own === undefined) return [];
      // A large payment gives more tokens than are read to find it.
      const tokens = await devices.tokensByCause(db, [own.cause]);
      return tokens.filter(({ deviceId }) => deviceId === contract.deviceId);
    },
  };
}
