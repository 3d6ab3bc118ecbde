import type { Books } from "./books.ts";
import { groupBy, over, sum, type Check } from "./check.ts";
import type { Outside } from "./checks.ts";

type Allocation = Books["allocations"][number];

/** Every minor unit of a receipt is at one place, contracts stand where their money put them, and tokens hold what was bought. */
export function checkContracts(books: Books, outside: Outside): readonly Check[] {
  return [...checkPlaces(books), ...checkStandings(books, outside), ...checkTokens(books, outside)];
}

function checkPlaces(books: Books): readonly Check[] {
  const allocated = groupBy(books.allocations, ({ cause }) => cause);
  const suspended = groupBy(books.suspense, ({ receiptId }) => receiptId);
  const moved = groupBy(books.movements, ({ receiptId }) => receiptId);
  const causes = new Set([...books.receipts.map(({ id }) => id), ...books.movements.map(({ cause }) => cause)]);
  return [
    over("a receipt goes to one place: a contract, or suspense", books.receipts, ({ id, providerId }) => {
      const places = (allocated.get(id)?.length ?? 0) + (suspended.get(id)?.length ?? 0);
      return places === 1 ? undefined : `${providerId} is at ${places} places`;
    }),
    over("every unit of a receipt is at a contract, in suspense or gone back", books.receipts, (receipt) => {
      const movements = moved.get(receipt.id) ?? [];
      const own = [receipt.id, ...movements.map(({ cause }) => cause)].flatMap((cause) => allocated.get(cause) ?? []);
      const gone = sum(
        movements.filter(({ kind }) => kind === "reversed"),
        ({ amountMinor }) => amountMinor,
      );
      const open = sum(suspended.get(receipt.id) ?? [], ({ openMinor }) => openMinor);
      const placed = sum(own, ({ receivedMinor }) => receivedMinor) + open + gone;
      return placed === receipt.amountMinor
        ? undefined
        : `${receipt.providerId}: ${receipt.amountMinor} came, ${placed} are placed`;
    }),
    over("an allocation divides its money without remainder, and has its cause", books.allocations, (row) => {
      const parts = row.debtMinor + row.depositMinor + row.spentMinor + row.carriedChangeMinor + row.refundableMinor;
      return parts === row.receivedMinor && causes.has(row.cause) ? undefined : `allocation of ${row.cause}`;
    }),
    over("a suspense item is closed when nothing of it is open, and only then", books.suspense, (item) =>
      (item.openMinor === 0n) === (item.resolvedAt !== null) ? undefined : `item of ${item.receiptId}`,
    ),
  ];
}

function checkStandings(books: Books, { village }: Outside): readonly Check[] {
  const byContract = groupBy(books.allocations, ({ contractId }) => contractId);
  const contracts = new Map(books.contracts.map((contract) => [contract.id, contract]));
  const paidOut = groupBy(
    books.payouts.filter(({ state }) => state !== "failed"),
    ({ contractId }) => contractId ?? "",
  );
  return [
    over("a contract stands where its allocations put it", village, (household) => {
      const contract = contracts.get(household.contractId);
      if (contract === undefined) return `${household.accountNumber} is gone`;
      const rows = byContract.get(contract.id) ?? [];
      const total = (amountOf: (row: Allocation) => bigint): bigint => sum(rows, amountOf);
      const refunded = sum(paidOut.get(contract.id) ?? [], ({ amountMinor }) => amountMinor);
      const due = household.outstandingMinor === undefined ? undefined : BigInt(household.outstandingMinor);
      const expected = {
        received: total(({ receivedMinor }) => receivedMinor),
        carried: total(({ carriedChangeMinor }) => carriedChangeMinor),
        refundable: total(({ refundableMinor }) => refundableMinor) - refunded,
        debt: -total(({ debtMinor }) => debtMinor),
        outstanding:
          due === undefined ? null : due - total(({ depositMinor, spentMinor }) => depositMinor + spentMinor),
        isPaidOff: rows.some(({ effect }) => effect === "unlock"),
      };
      const found = {
        received: contract.receivedMinor,
        carried: contract.carriedMinor,
        refundable: contract.refundableMinor,
        debt: contract.debtMinor,
        outstanding: contract.outstandingMinor,
        isPaidOff: contract.state === "paid_off",
      };
      const differing = (Object.keys(expected) as (keyof typeof expected)[]).filter(
        (key) => expected[key] !== found[key],
      );
      return differing.length === 0
        ? undefined
        : `${household.accountNumber}: ${differing.map((key) => `${key} ${found[key]} and not ${expected[key]}`).join(", ")}`;
    }),
  ];
}

function checkTokens(books: Books, { village }: Outside): readonly Check[] {
  const byDevice = groupBy(books.tokens, ({ deviceId }) => deviceId);
  const byCause = groupBy(books.tokens, ({ cause }) => cause);
  const devices = new Map(books.devices.map((device) => [device.id, device]));
  const causes = new Set(books.allocations.map(({ cause }) => cause));
  const deviceOf = new Map(village.map(({ contractId, deviceId }) => [contractId, deviceId]));
  return [
    over("a device's counts go on without gap or repeat", village, ({ deviceId, startCount }) => {
      let count = startCount;
      for (const token of (byDevice.get(deviceId) ?? []).toSorted((left, right) => left.count - right.count)) {
        if (token.count !== countAfter(token.kind, count))
          return `device ${deviceId}: count ${token.count} (${token.kind}) after ${count}`;
        count = token.count;
      }
      const stands = devices.get(deviceId)?.count;
      return stands === count ? undefined : `device ${deviceId} stands at ${stands}, its last token at ${count}`;
    }),
    over("tokens hold what the money bought, once, for its own device", books.allocations, (row) => {
      const { cause, contractId, units, effect } = row;
      const tokens = byCause.get(cause) ?? [];
      const held = tokens.reduce((total, token) => total + token.units, 0);
      const isRight =
        held === units &&
        tokens.every(({ kind }) => kind === (effect === "unlock" ? "disable" : "add")) &&
        (effect === "unlock" ? tokens.length === 1 : tokens.length > 0 === units > 0) &&
        tokens.every(({ deviceId }) => deviceId === deviceOf.get(contractId)) &&
        tokens
          .map(({ part }) => part)
          .toSorted((left, right) => left - right)
          .every((part, at) => part === at);
      return isRight ? undefined : `${cause}: ${units} units bought, ${held} in ${tokens.length} tokens`;
    }),
    over("no token without money behind it", books.tokens, ({ cause, deviceId, count }) =>
      causes.has(cause) ? undefined : `device ${deviceId}, count ${count}`,
    ),
  ];
}

/** OpenPAYGO: time is added on even counts, everything else stands on odd ones. */
function countAfter(kind: string, count: number): number {
  return (count + 1) % 2 === (kind === "add" ? 0 : 1) ? count + 1 : count + 2;
}
