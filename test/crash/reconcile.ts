import type { Books } from "./books.ts";
import type { Told } from "./load.ts";
import type { Ordered } from "./staff-load.ts";
import type { Household } from "./village.ts";

/** What the callers, the village and the SMS gateway know without asking the program. */
export interface Outside {
  readonly told: readonly Told[];
  readonly households: readonly Household[];
  readonly arrived: readonly { readonly to: string; readonly text: string }[];
  /** What the simulated providers hold: completed payments, by rail and reference. */
  readonly held: readonly {
    readonly rail: string;
    readonly id: string;
    readonly amountMinor: bigint;
    readonly phone: string;
  }[];
  readonly ordered: readonly Ordered[];
}

/** The rail of the callers that post confirmations directly; the others are the simulated providers' and the agents'. */
const DIRECT = "mpesa";
const CASH = "cash";

/** One promise, how many things it was checked on, and each that broke it. */
export interface Check {
  readonly promise: string;
  readonly checked: number;
  readonly broken: readonly string[];
}

/** Compares the books with what the outside knows. Pure: the same input gives the same findings. */
export function reconcile(books: Books, outside: Outside): readonly Check[] {
  return [
    ...checkPayments(books, outside),
    ...checkRails(books, outside),
    ...checkLedger(books),
    ...checkContracts(books, outside),
    ...checkTokens(books, outside),
    ...checkMessages(books, outside),
  ];
}

const over = <Item>(promise: string, items: readonly Item[], fault: (item: Item) => string | undefined): Check => ({
  promise,
  checked: items.length,
  broken: items.map(fault).filter((text) => text !== undefined),
});

const groups = <Item>(items: readonly Item[], keyOf: (item: Item) => string): ReadonlyMap<string, readonly Item[]> =>
  Map.groupBy(items, keyOf);

const sum = <Item>(items: readonly Item[], amountOf: (item: Item) => bigint): bigint =>
  items.reduce((total, item) => total + amountOf(item), 0n);

function checkRails(books: Books, { held, ordered }: Outside): readonly Check[] {
  const railReceipts = books.receipts.filter(({ rail }) => rail !== DIRECT && rail !== CASH);
  const receipts = groups(books.receipts, ({ rail, providerId }) => `${rail}/${providerId}`);
  const truth = new Map(held.map((payment) => [`${payment.rail}/${payment.id.toUpperCase()}`, payment]));
  const cash = groups(books.cash, ({ clientKey }) => clientKey);
  const intents = new Map(books.intents.map((intent) => [intent.id, intent]));
  const answered = ordered.filter(({ answers }) => answers.length > 0);
  return [
    over("what a provider holds is not lost, and booked at its amount", [...truth], ([name, { amountMinor }]) => {
      const [only, ...others] = receipts.get(name) ?? [];
      return only?.amountMinor === amountMinor && others.length === 0
        ? undefined
        : `${name} has ${only === undefined ? "no receipt" : "another amount, or two receipts"}`;
    }),
    over("what no provider holds is not booked", railReceipts, ({ rail, providerId }) =>
      truth.has(`${rail}/${providerId}`) ? undefined : `${rail}/${providerId}`,
    ),
    over("every request to pay is over, one way or the other", books.intents, ({ id, state }) =>
      ["completed", "failed", "expired"].includes(state) ? undefined : `${id} is ${state}`,
    ),
    over("a request that is paid names a payment that is booked", books.intents, ({ id, rail, state, providerId }) =>
      (state === "completed") === (providerId !== null && receipts.has(`${rail}/${providerId}`)) ? undefined : id,
    ),
    over("an order that was answered was done once", answered, ({ kind, key, answers, amountMinor }) => {
      if (kind === "request")
        return answers.every((answer) => intents.has(answer)) ? undefined : `${key}: ${answers.join(", ")}`;
      const [only, ...others] = cash.get(key) ?? [];
      const isSame = only?.amountMinor === amountMinor && answers.every((answer) => answer === only.number);
      return isSame && others.length === 0
        ? undefined
        : `${key}: ${others.length + (only === undefined ? 0 : 1)} cash receipts`;
    }),
    over("cash that an agent took is not lost, and booked once", books.cash, ({ number, amountMinor, state }) => {
      const [only, ...others] = receipts.get(`${CASH}/${number}`) ?? [];
      return state === "booked" && only?.amountMinor === amountMinor && others.length === 0
        ? undefined
        : `${number} (${state})`;
    }),
    over(
      "no cash is booked that no agent took",
      books.receipts.filter(({ rail }) => rail === CASH),
      ({ providerId }) => (books.cash.some(({ number }) => number === providerId) ? undefined : providerId),
    ),
  ];
}

function checkPayments(books: Books, { told }: Outside): readonly Check[] {
  const direct = books.receipts.filter(({ rail }) => rail === DIRECT);
  const receipts = groups(direct, ({ providerId }) => providerId);
  const all = new Set(books.receipts.map(({ callbackId }) => callbackId));
  const posted = new Map(told.map((about) => [about.payment.transId, about]));
  const keyed = groups(books.transactions, ({ idempotencyKey }) => idempotencyKey);
  const suspended = new Set(books.suspense.map(({ receiptId }) => receiptId));
  const allocated = groups(books.allocations, ({ cause }) => cause);
  const acknowledged = told.filter(({ successes }) => successes > 0);
  return [
    over("an acknowledged payment is not lost", acknowledged, ({ payment: { transId } }) =>
      receipts.has(transId) ? undefined : `${transId} has no receipt`,
    ),
    over("a payment is not doubled", [...receipts], ([id, found]) =>
      found.length === 1 ? undefined : `${id} has ${found.length} receipts`,
    ),
    over("a receipt is of a payment that was made, at its amount", direct, ({ providerId, amountMinor, reference }) => {
      const payment = posted.get(providerId)?.payment;
      if (payment === undefined) return `${providerId} was never paid`;
      return payment.amountMinor === amountMinor && payment.reference === reference
        ? undefined
        : `${providerId} is booked with other facts`;
    }),
    over("a receipt has one ledger transaction", books.receipts, ({ id, rail, providerId, transactionId }) => {
      const [only, ...others] = keyed.get(`payment:${rail}:${providerId}`) ?? [];
      return only?.id === transactionId && only.reference === id && others.length === 0 ? undefined : `${providerId}`;
    }),
    over("money goes where it belongs, and to one place", direct, ({ id, providerId }) => {
      const belongs = posted.get(providerId)?.payment.belongs;
      const places = [
        ...(allocated.get(id) ?? []).map(({ contractId }) => contractId),
        ...(suspended.has(id) ? ["suspense"] : []),
      ];
      const allowed =
        belongs === undefined || belongs.to === "suspense"
          ? ["suspense"]
          : belongs.to === "payer"
            ? [belongs.contractId, "suspense"]
            : [belongs.contractId];
      return places.length === 1 && allowed.includes(places[0] ?? "")
        ? undefined
        : `${providerId} is at ${places.join(" and ") || "no place"}`;
    }),
    over("each stored callback is settled", books.callbacks, ({ id, providerId }) =>
      all.has(id) ? undefined : `${providerId} is stored and not booked`,
    ),
    over("nothing waits or is set aside", [...books.pending, undefined], (row) =>
      row === undefined ? undefined : `callback ${row.callbackId}: ${row.failure ?? "waits"}`,
    ),
  ];
}

function checkLedger(books: Books): readonly Check[] {
  const byTransaction = groups(books.postings, ({ transactionId }) => transactionId);
  const byAccount = groups(books.postings, ({ accountId }) => accountId);
  const receiptOf = new Map(books.receipts.map((receipt) => [receipt.transactionId, receipt]));
  const balanced = new Map(books.balances.map((row) => [row.accountId, row]));
  return [
    over(
      "postings of a transaction sum to zero and are as many as declared",
      books.transactions,
      ({ id, postingCount }) => {
        const lines = byTransaction.get(id) ?? [];
        return lines.length === postingCount && sum(lines, ({ amountMinor }) => amountMinor) === 0n
          ? undefined
          : `transaction ${id}`;
      },
    ),
    over("a payment's transaction moves its amount", books.receipts, ({ transactionId, providerId, amountMinor }) => {
      const debits = (byTransaction.get(transactionId) ?? []).filter((line) => line.amountMinor > 0n);
      return receiptOf.has(transactionId) && debits[0]?.amountMinor === amountMinor ? undefined : providerId;
    }),
    over(
      "a balance is the sum of its postings",
      [...new Set([...byAccount.keys(), ...balanced.keys()])],
      (accountId) => {
        const lines = byAccount.get(accountId) ?? [];
        const row = balanced.get(accountId);
        const same =
          row !== undefined &&
          row.balanceMinor === sum(lines, ({ amountMinor }) => amountMinor) &&
          row.postingCount === BigInt(lines.length);
        return same ? undefined : `account ${accountId}`;
      },
    ),
    over("all balances sum to zero", [books.balances], (rows) =>
      sum(rows, ({ balanceMinor }) => balanceMinor) === 0n ? undefined : "they do not",
    ),
  ];
}

function checkContracts(books: Books, { households }: Outside): readonly Check[] {
  const byContract = groups(books.allocations, ({ contractId }) => contractId);
  const receipts = new Map(books.receipts.map((receipt) => [receipt.id, receipt]));
  const contracts = new Map(books.contracts.map((contract) => [contract.id, contract]));
  return [
    over("an allocation divides its receipt without remainder", books.allocations, (row) => {
      const parts = row.debtMinor + row.depositMinor + row.spentMinor + row.carriedChangeMinor + row.refundableMinor;
      return parts === row.receivedMinor && receipts.get(row.cause)?.amountMinor === row.receivedMinor
        ? undefined
        : `allocation of ${row.cause}`;
    }),
    over("a contract stands where its allocations put it", households, ({ contractId, accountNumber }) => {
      const contract = contracts.get(contractId);
      const rows = byContract.get(contractId) ?? [];
      const same =
        contract !== undefined &&
        contract.receivedMinor === sum(rows, ({ receivedMinor }) => receivedMinor) &&
        contract.carriedMinor === sum(rows, ({ carriedChangeMinor }) => carriedChangeMinor) &&
        contract.refundableMinor === sum(rows, ({ refundableMinor }) => refundableMinor) &&
        contract.debtMinor === 0n &&
        (contract.state === "paid_off") === rows.some(({ effect }) => effect === "unlock");
      return same ? undefined : accountNumber;
    }),
  ];
}

function checkTokens(books: Books, { households }: Outside): readonly Check[] {
  const byDevice = groups(books.tokens, ({ deviceId }) => deviceId);
  const byCause = groups(books.tokens, ({ cause }) => cause);
  const devices = new Map(books.devices.map((device) => [device.id, device]));
  const causes = new Set(books.allocations.map(({ cause }) => cause));
  const deviceOf = new Map(households.map(({ contractId, deviceId }) => [contractId, deviceId]));
  return [
    over("a device's counts go on without gap or repeat", households, ({ deviceId, startCount }) => {
      let count = startCount;
      for (const token of (byDevice.get(deviceId) ?? []).toSorted((left, right) => left.count - right.count)) {
        const expected = countAfter(token.kind, count);
        if (token.count !== expected) return `device ${deviceId}: count ${token.count} (${token.kind}) after ${count}`;
        count = token.count;
      }
      return devices.get(deviceId)?.count === count
        ? undefined
        : `device ${deviceId} stands at ${String(devices.get(deviceId)?.count)}, its last token at ${count}`;
    }),
    over(
      "tokens hold what the allocation bought, once, for its own device",
      books.allocations,
      ({ cause, contractId, units, effect }) => {
        const tokens = byCause.get(cause) ?? [];
        const device = deviceOf.get(contractId);
        const parts = tokens.map(({ part }) => part).toSorted((left, right) => left - right);
        const held = tokens.reduce((total, token) => total + token.units, 0);
        const kindsAreRight = tokens.every(({ kind }) => kind === (effect === "unlock" ? "disable" : "add"));
        const numberIsRight = effect === "unlock" ? tokens.length === 1 : tokens.length > 0 === units > 0;
        const right =
          held === units &&
          kindsAreRight &&
          numberIsRight &&
          tokens.every(({ deviceId }) => deviceId === device) &&
          parts.every((part, at) => part === at);
        return right ? undefined : `${cause}: ${units} units bought, ${held} in ${tokens.length} tokens`;
      },
    ),
    over("no token without an allocation", books.tokens, ({ cause, deviceId, count }) =>
      causes.has(cause) ? undefined : `device ${deviceId}, count ${count}`,
    ),
  ];
}

/** OpenPAYGO: time is added on even counts, everything else stands on odd ones. */
function countAfter(kind: string, count: number): number {
  return (count + 1) % 2 === (kind === "add" ? 0 : 1) ? count + 1 : count + 2;
}

function checkMessages(books: Books, { told, households, arrived, held }: Outside): readonly Check[] {
  const messages = groups(books.messages, ({ key }) => key);
  const events = groups(books.outbox, ({ key }) => key);
  const payerPhone = new Map<string, string | undefined>([
    ...told.map(({ payment }): [string, string | undefined] => [payment.transId, payment.payerPhone]),
    ...held.map(({ id, phone }): [string, string] => [id.toUpperCase(), `+${phone}`]),
  ]);
  const phoneOf = new Map(households.map(({ contractId, phone }) => [contractId, phone]));
  const contractOf = new Map(books.allocations.map(({ cause, contractId }) => [cause, contractId]));
  const tokens = groups(books.tokens, ({ cause }) => cause);
  const letter = ({ to, text }: { to: string; text: string }): string => `${to}\n${text}`;
  const written = groups(books.messages, ({ toPhone, text }) => letter({ to: toPhone, text: text ?? "" }));
  const received = groups(arrived, letter);
  return [
    over(
      "a receipt whose payer can be reached has one message, another has none",
      books.receipts,
      ({ id, providerId }) => {
        const contract = contractOf.get(id);
        const phone = contract === undefined ? payerPhone.get(providerId) : phoneOf.get(contract);
        const found = [...(messages.get(`receipt:${id}`) ?? []), ...(messages.get(`unknown:${id}`) ?? [])];
        if (phone === undefined) return found.length === 0 ? undefined : `${providerId}: a message to nobody`;
        return found.length === 1 && found[0]?.toPhone === phone
          ? undefined
          : `${providerId}: ${found.length} messages to ${phone}`;
      },
    ),
    over("a message is once in the outbox", books.messages, ({ key, id }) => {
      const [only, ...others] = events.get(`message:${key}`) ?? [];
      return only?.messageId === id && others.length === 0
        ? undefined
        : `${key}: ${others.length + (only === undefined ? 0 : 1)} rows`;
    }),
    over("an outbox row has its message and was handed over", books.outbox, ({ key, relayed }) =>
      relayed && messages.has(key.slice("message:".length)) ? undefined : key,
    ),
    over("a message names its receipt's tokens, in order", books.messages, ({ key, text }) => {
      const digits = (tokens.get(key.slice("receipt:".length)) ?? [])
        .toSorted((left, right) => left.part - right.part)
        .map((token) => token.digits);
      let from = 0;
      const plain = (text ?? "").replace(/(?<=\d) (?=\d)/g, "");
      const named = digits.every((token) => {
        from = plain.indexOf(token, from);
        return from >= 0;
      });
      return named ? undefined : key;
    }),
    over("each message arrived, with the text that is written down", [...written], ([text, rows]) =>
      (received.get(text)?.length ?? 0) >= rows.length
        ? undefined
        : `${rows[0]?.key ?? ""} (${rows[0]?.state ?? ""}) did not arrive`,
    ),
    over("nothing arrived that is not written down", [...received.keys()], (text) =>
      written.has(text) ? undefined : text.replace("\n", ": "),
    ),
  ];
}
