import type { ContractId, MakeId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import { DAY_MS, type Clock } from "../kernel/time.ts";
import type { Customer, Customers } from "../customers/customers.ts";
import type { Devices, Whereabouts } from "../devices/devices.ts";
import type { AccountKind, Ledger, Line } from "../ledger/ledger.ts";
import type { Tx } from "../platform/database.ts";
import { formatAccountNumber, makeAccountNumber } from "./account-number.ts";
import type { ContractQueries } from "./contracts.queries.ts";
import * as store from "./contracts.store.ts";
import type { ContractRow } from "./contracts.store.ts";
import type { Announce, Contract, Credit } from "./credit.ts";
import type { Plans } from "./plans.commands.ts";
import type { ReceiptJobs } from "./receipts.jobs.ts";

type Commands = Pick<Credit, "sell" | "adjust" | "writeOff" | "payOff" | "swapDevice" | "changeTerms" | "resendTokens">;

const CONTRACT_ACCOUNTS = [
  { name: "receivable", kind: "asset" },
  { name: "credit", kind: "liability" },
  { name: "refundable", kind: "liability" },
  { name: "debt", kind: "asset" },
] as const satisfies readonly { name: string; kind: AccountKind }[];

export function makeContractCommands({
  clock,
  makeId,
  ledger,
  customers,
  devices,
  plans,
  queries,
  receiptJobs,
  announce,
}: {
  clock: Clock;
  makeId: MakeId;
  ledger: Ledger;
  customers: Customers;
  devices: Devices;
  plans: Plans;
  queries: ContractQueries;
  receiptJobs: ReceiptJobs;
  announce: Announce;
}): Commands {
  async function lockOne(tx: Tx, contractId: ContractId, allowed: readonly Contract["state"][]): Promise<ContractRow> {
    const [contract] = await store.lock(tx, { ids: [contractId] });
    if (contract === undefined) throw new NotFound("contract", "contractId");
    if (!allowed.includes(contract.state))
      throw new NotAllowedNow(`This contract is ${contract.state.replace("_", " ")}.`);
    return contract;
  }

  async function systemAccount(
    tx: Tx,
    contract: Contract,
    { name, kind }: { name: string; kind: AccountKind },
  ): Promise<bigint> {
    const [id] = await ledger.openAccounts(tx, [
      { code: `system/${name}/${contract.currency}`, kind, currency: contract.currency },
    ]);
    if (id === undefined) throw new Error("Bug: an account was not opened.");
    return id;
  }

  async function post(
    tx: Tx,
    contract: Contract,
    entry: { kind: string; memo: string; key: string; actor: string; at: Date; lines: readonly Line[] },
  ): Promise<void> {
    if (entry.lines.every(({ amountMinor }) => amountMinor === 0n)) return;
    await ledger.post(tx, [
      {
        id: makeId(),
        kind: entry.kind,
        memo: entry.memo,
        reference: contract.id,
        idempotencyKey: entry.key,
        currency: contract.currency,
        effectiveAt: entry.at,
        actor: entry.actor,
        lines: entry.lines,
      },
    ]);
  }

  const sell: Commands["sell"] = async (tx, { customerId, serial, planCode, actor, soldAt = clock.now() }) => {
    const customer = await customers.require(tx, customerId);
    const version = await plans.requireInForce(tx, planCode, soldAt);
    const device = await devices.requireBySerial(tx, serial);
    const id = makeId<"Contract">();
    const home = { deviceId: device.id, from: "stock", to: "installed", whereabouts: whereaboutsOf(customer) } as const;
    await devices.move(tx, { ...home, reason: "Sold", actor, contractId: id, since: soldAt });
    const accounts = await ledger.openAccounts(
      tx,
      CONTRACT_ACCOUNTS.map(({ name, kind }) => ({ code: `contract/${id}/${name}`, kind, currency: version.currency })),
    );
    const [receivableAccountId = 0n, creditAccountId = 0n, refundableAccountId = 0n, debtAccountId = 0n] = accounts;
    const contract: ContractRow = {
      id,
      accountNumber: makeAccountNumber(await store.nextSerial(tx)),
      customerId,
      deviceId: device.id,
      planVersionId: version.id,
      currency: version.currency,
      area: customer.area,
      state: "active",
      soldBy: actor,
      soldAt,
      startedAt: null,
      endedAt: null,
      receivedMinor: 0n,
      depositDueMinor: version.depositMinor,
      outstandingMinor: version.totalMinor,
      carriedMinor: 0n,
      carriedFraction: 0n,
      refundableMinor: 0n,
      debtMinor: 0n,
      paidUntilAt: null,
      lampUntilAt: null,
      receivableAccountId,
      creditAccountId,
      refundableAccountId,
      debtAccountId,
    };
    await store.insert(tx, contract);
    await store.insertTerms(tx, { contractId: id, effectiveAt: soldAt, planVersionId: version.id, actor });
    await store.insertEvent(tx, {
      id: makeId<"ContractEvent">(),
      contractId: id,
      kind: "sold",
      at: soldAt,
      actor,
      detail: { serial, plan: `${version.code} v${version.version}` },
    });
    if (version.totalMinor !== null) {
      const sales = await systemAccount(tx, contract, { name: "sales", kind: "income" });
      const lines = [
        { accountId: receivableAccountId, amountMinor: version.totalMinor },
        { accountId: sales, amountMinor: -version.totalMinor },
      ];
      await post(tx, contract, {
        kind: "sale",
        memo: `Sale of ${device.model}`,
        key: `sale:${id}`,
        actor,
        at: soldAt,
        lines,
      });
    }
    return contract;
  };

  const adjust: Commands["adjust"] = async (tx, { contractId, amountMinor, reason, actor, key, at = clock.now() }) => {
    if (amountMinor === 0n) throw new InvalidInput("An adjustment of zero changes nothing.", "amountMinor");
    if (reason.trim() === "") throw new InvalidInput("An adjustment needs a reason.", "reason");
    const contract = await lockOne(tx, contractId, ["active", "paid_off"]);
    const adjustments = await systemAccount(tx, contract, { name: "adjustments", kind: "expense" });
    const cause = `adjustment:${key}`;
    const workspace = await receiptJobs.open(tx, [contract]);
    let lines: readonly Line[];
    if (amountMinor < 0n) {
      workspace.contracts.set(contractId, { ...contract, debtMinor: contract.debtMinor - amountMinor });
      workspace.allocations.push({
        id: makeId<"Allocation">(),
        contractId,
        cause,
        paidAt: at,
        receivedMinor: amountMinor,
        debtMinor: amountMinor,
        depositMinor: 0n,
        spentMinor: 0n,
        carriedChangeMinor: 0n,
        refundableMinor: 0n,
        units: 0,
        effect: "none",
        paidFromAt: null,
        paidUntilAt: null,
      });
      lines = [{ accountId: contract.debtAccountId, amountMinor: -amountMinor }];
    } else {
      lines = receiptJobs.buy(workspace, contractId, {
        cause,
        receiptId: undefined,
        amount: { minor: amountMinor, currency: contract.currency },
        paidAt: at,
      });
    }
    await post(tx, contract, {
      kind: "adjustment",
      memo: reason,
      key: cause,
      actor,
      at,
      lines: [{ accountId: adjustments, amountMinor }, ...lines],
    });
    await receiptJobs.save(tx, workspace);
    await store.insertEvent(tx, {
      id: makeId<"ContractEvent">(),
      contractId,
      kind: "adjusted",
      at,
      actor,
      detail: { amountMinor: amountMinor.toString(), reason },
    });
    return workspace.contracts.get(contractId) ?? contract;
  };

  const writeOff: Commands["writeOff"] = async (tx, { contractId, reason, actor }) => {
    const contract = await lockOne(tx, contractId, ["active"]);
    const at = clock.now();
    const loss = (contract.outstandingMinor ?? 0n) + contract.debtMinor;
    const lost = await systemAccount(tx, contract, { name: "written_off", kind: "expense" });
    const lines = [
      { accountId: lost, amountMinor: loss },
      { accountId: contract.receivableAccountId, amountMinor: -(contract.outstandingMinor ?? 0n) },
      { accountId: contract.debtAccountId, amountMinor: -contract.debtMinor },
    ];
    await post(tx, contract, { kind: "write_off", memo: reason, key: `write_off:${contractId}`, actor, at, lines });
    const after: ContractRow = {
      ...contract,
      state: "written_off",
      endedAt: at,
      outstandingMinor: contract.outstandingMinor === null ? null : 0n,
      debtMinor: 0n,
    };
    await store.update(tx, [after]);
    await store.insertEvent(tx, {
      id: makeId<"ContractEvent">(),
      contractId,
      kind: "written_off",
      at,
      actor,
      detail: { reason, lossMinor: loss.toString() },
    });
    return after;
  };

  const payOff: Commands["payOff"] = async (tx, { contractId, reason, actor }) => {
    const contract = await lockOne(tx, contractId, ["active"]);
    if (contract.debtMinor > 0n) throw new NotAllowedNow("The debt on this contract must be paid first.");
    const at = clock.now();
    const outstanding = contract.outstandingMinor ?? 0n;
    // Held money pays its part of a price; a rent has none, so what was held is still the customer's.
    const refunded = contract.outstandingMinor === null ? contract.carriedMinor : 0n;
    const waived = outstanding + refunded - contract.carriedMinor;
    const waivers = await systemAccount(tx, contract, { name: "waived", kind: "expense" });
    const lines = [
      { accountId: waivers, amountMinor: waived },
      { accountId: contract.creditAccountId, amountMinor: contract.carriedMinor },
      { accountId: contract.receivableAccountId, amountMinor: -outstanding },
      { accountId: contract.refundableAccountId, amountMinor: -refunded },
    ];
    await post(tx, contract, { kind: "pay_off", memo: reason, key: `pay_off:${contractId}`, actor, at, lines });
    const cause = `pay_off:${contractId}`;
    const issuer = await devices.lockForTokens(tx, [contract.deviceId]);
    const tokens = issuer.issue({ deviceId: contract.deviceId, kind: "disable", cause });
    await issuer.save();
    const after: ContractRow = {
      ...contract,
      state: "paid_off",
      endedAt: at,
      depositDueMinor: 0n,
      outstandingMinor: contract.outstandingMinor === null ? null : 0n,
      carriedMinor: 0n,
      carriedFraction: 0n,
      refundableMinor: contract.refundableMinor + refunded,
    };
    await store.update(tx, [after]);
    await store.insertEvent(tx, {
      id: makeId<"ContractEvent">(),
      contractId,
      kind: "paid_off",
      at,
      actor,
      detail: { reason, waivedMinor: waived.toString() },
    });
    await tell(tx, after, { key: cause, event: { kind: "unlocked", tokens } });
    return after;
  };

  const swapDevice: Commands["swapDevice"] = async (tx, { contractId, serial, reason, actor }) => {
    const contract = await lockOne(tx, contractId, ["active", "paid_off"]);
    const device = await devices.requireBySerial(tx, serial);
    const at = clock.now();
    const whereabouts = whereaboutsOf(await customers.require(tx, contract.customerId));
    const why = { reason, actor, contractId };
    await devices.move(tx, { deviceId: device.id, from: "stock", to: "installed", whereabouts, ...why });
    // One that is in the workshop stays there, and is nobody's from now on.
    const old = await devices.find(tx, contract.deviceId);
    if (old?.state !== "repair")
      await devices.move(tx, { deviceId: contract.deviceId, from: "installed", to: "swapped", ...why });
    const leftMs = Math.max(0, (contract.lampUntilAt?.getTime() ?? 0) - at.getTime());
    const units = Math.floor((leftMs * device.timeDivider) / DAY_MS);
    const eventId = makeId<"ContractEvent">();
    const cause = `swap:${eventId}`;
    const issuer = await devices.lockForTokens(tx, [device.id]);
    const tokens =
      contract.state === "paid_off"
        ? issuer.issue({ deviceId: device.id, kind: "disable", cause })
        : issuer.issue({ deviceId: device.id, kind: "add", units, cause });
    await issuer.save();
    const after: ContractRow = { ...contract, deviceId: device.id, carriedFraction: 0n };
    await store.update(tx, [after]);
    await store.insertEvent(tx, {
      id: eventId,
      contractId,
      kind: "device_swapped",
      at,
      actor,
      detail: { serial, reason },
    });
    if (tokens.length > 0) await tell(tx, after, { key: cause, event: { kind: "token_again", tokens } });
    return after;
  };

  async function tell(
    tx: Tx,
    contract: Contract,
    { key, event }: { key: string; event: Parameters<Announce>[1][number]["event"] },
  ): Promise<void> {
    const contact = (await customers.contacts(tx, [contract.customerId])).get(contract.customerId);
    if (contact?.phone === undefined) return;
    const amount = { minor: 0n, currency: contract.currency };
    await announce(tx, [
      {
        key,
        contact,
        contractId: contract.id,
        receiptId: undefined,
        amount,
        account: formatAccountNumber(contract.accountNumber),
        event,
      },
    ]);
  }

  const changeTerms: Commands["changeTerms"] = async (tx, { contractId, planVersionId, effectiveAt, actor }) => {
    const contract = await lockOne(tx, contractId, ["active"]);
    const version = (await plans.versions(tx, [planVersionId])).get(planVersionId);
    if (version === undefined) throw new NotFound("plan version", "planVersionId");
    if (version.currency !== contract.currency)
      throw new InvalidInput("The plan is in another currency than the contract.", "planVersionId");
    if (!(await store.insertTerms(tx, { contractId, effectiveAt, planVersionId, actor })))
      throw new InvalidInput("Terms with this effective time exist already.", "effectiveAt");
    await store.insertEvent(tx, {
      id: makeId<"ContractEvent">(),
      contractId,
      kind: "terms_changed",
      at: clock.now(),
      actor,
      detail: { planVersionId, effectiveAt: effectiveAt.toISOString() },
    });
  };

  const resendTokens: Commands["resendTokens"] = async (tx, { contractId, key }) => {
    const contract = await lockOne(tx, contractId, ["active", "paid_off"]);
    const tokens = await queries.latestTokens(tx, contract);
    if (tokens.length === 0) throw new NotAllowedNow("No token was given for this contract yet.");
    await tell(tx, contract, { key: `token_again:${key}`, event: { kind: "token_again", tokens } });
    return tokens;
  };

  return { sell, adjust, writeOff, payOff, swapDevice, changeTerms, resendTokens };
}

/** A lamp is where its family lives. */
function whereaboutsOf({ area, place, latitude, longitude }: Customer): Whereabouts {
  return { area, place, latitude, longitude };
}
