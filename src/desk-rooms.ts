import type { Access } from "./access/access.ts";
import { formatAccountNumber, type Contract, type Credit } from "./credit/credit.ts";
import type { Customers } from "./customers/customers.ts";
import type { Devices } from "./devices/devices.ts";
import type { Messaging } from "./messaging/messaging.ts";
import type { DeskContract, DeskContracts, HistoryEvent, TellHistory } from "./payments/payments.ts";

/** What the desk asks of contracts and customers, which payments does not know. */
export function deskContracts({ credit, customers }: { credit: Credit; customers: Customers }): DeskContracts {
  return {
    find: async (db, ids) =>
      new Map([...(await credit.findMany(db, ids))].map(([id, contract]) => [id, deskContract(contract)])),
    match: credit.matchReceipt,
    takeBack: credit.takeBack,
    takeRefundable: credit.takeRefundable,
    adjust: credit.adjust,
    async contactOf(tx, contractId) {
      const contract = await credit.find(tx, contractId);
      const contact =
        contract === undefined
          ? undefined
          : (await customers.contacts(tx, [contract.customerId])).get(contract.customerId);
      return { phone: contact?.phone, language: contact?.language ?? "en" };
    },
    shares: credit.allocationsByCauses,
    causes: async (db, contractId) => (await credit.allocations(db, contractId)).map(({ cause }) => cause),
    near: async (db, reference) =>
      (await credit.findAccountsNear(db, reference)).map(({ contract, slip }) => ({ contractId: contract.id, slip })),
    async ofPhone(db, hash) {
      const owners = (await customers.findByPhoneHashes(db, [hash])).map(({ customerId }) => customerId);
      const people = await customers.findMany(db, owners);
      return {
        contractIds: await credit.findActiveOf(db, owners),
        language: [...people.values()][0]?.language,
      };
    },
    byReferences: credit.findByReferences,
  };
}

function deskContract({ id, accountNumber, currency, state, refundableMinor }: Contract): DeskContract {
  return { id, account: formatAccountNumber(accountNumber), currency, isActive: state === "active", refundableMinor };
}

/** When a row was written that does not say it itself: our ids begin with the milliseconds of their making. */
function madeAt(id: string): Date {
  return new Date(Number.parseInt(id.replace(/-/g, "").slice(0, 12), 16));
}

const MESSAGES_MAX = 100;
const AUDIT_MAX = 100;

/** What contracts, devices, messages and the audit know about a receipt, each as one sentence. */
export function tellDeskHistory({
  access,
  credit,
  devices,
  messaging,
}: {
  access: Access;
  credit: Credit;
  devices: Devices;
  messaging: Messaging;
}): TellHistory {
  return async (db, { receiptId, causes }) => {
    const allocations = await credit.allocationsByCauses(db, causes);
    const contracts = await credit.findMany(
      db,
      allocations.map(({ contractId }) => contractId),
    );
    const accountOf = (id: Contract["id"]): string => {
      const number = contracts.get(id)?.accountNumber;
      return number === undefined ? id : formatAccountNumber(number);
    };
    const { messages } = await messaging.list(db, { filter: { receiptId }, first: MESSAGES_MAX });
    const audits = await access.listAudit({ limit: AUDIT_MAX, subject: { kind: "receipt", id: receiptId } });
    return [
      ...allocations.map(({ id, contractId, cause, receivedMinor, units, paidUntilAt }): HistoryEvent => ({
        at: madeAt(id),
        kind: "allocation",
        text:
          receivedMinor < 0n
            ? `Account ${accountOf(contractId)} gave back ${-receivedMinor} minor units.`
            : `Account ${accountOf(contractId)} got ${receivedMinor} minor units and bought ${units} units of light.`,
        detail: { id, contractId, cause, paidUntil: paidUntilAt?.toISOString() ?? null },
      })),
      ...(await devices.tokensByCause(db, causes)).map(
        ({ id, deviceId, count, kind, units, cause, issuedAt }): HistoryEvent => ({
          at: issuedAt,
          kind: "token",
          text: `Token number ${count} was made (${kind}, ${units} units).`,
          detail: { id, deviceId, cause },
        }),
      ),
      ...messages.map(({ id, toPhone, template, text, state, createdAt, sentAt }): HistoryEvent => ({
        at: createdAt,
        kind: "message",
        text: `${toPhone} was written to (${template}): ${state}.`,
        detail: { id, state, text, sentAt: sentAt?.toISOString() ?? null },
      })),
      ...audits.map(({ at, actor, action, detail }): HistoryEvent => ({
        at,
        kind: "audit",
        text: `${actor} did ${action}.`,
        detail,
      })),
    ];
  };
}
