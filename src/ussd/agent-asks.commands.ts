import {
  dayPriceMinor,
  formatAccountNumber,
  parseAccountNumber,
  type Contract,
  type Credit,
  type PlanVersion,
} from "../credit/credit.ts";
import { countryOf, type Customers } from "../customers/customers.ts";
import type { Audit, Devices } from "../devices/devices.ts";
import type { CustomerId } from "../kernel/ids.ts";
import { formatMoney, money, parseCurrency } from "../kernel/money.ts";
import { InvalidInput, NotAllowedNow, Refusal } from "../kernel/refusal.ts";
import { HOUR_MS, type Clock } from "../kernel/time.ts";
import type { AgentCash } from "../payments/payments.ts";
import type { Tx } from "../platform/database.ts";
import { once, type Json } from "../platform/idempotency.ts";
import { lookUpOf, type Agent, type CallersDeps, type KnownCaller } from "./callers.queries.ts";
import { countOnce } from "./counts.store.ts";
import type { AgentAsk, Answer, RefusalCode } from "./dialogue/asks.ts";
import type { FoundContract, Payee, PlanOffer } from "./dialogue/place.ts";

export interface AgentAsksDeps {
  readonly clock: Clock;
  readonly credit: Pick<Credit, "find" | "findByAccountNumber" | "list" | "plans" | "sell" | "allocations">;
  readonly customers: Pick<Customers, "require" | "parsePhone" | "register" | "findByPhone">;
  readonly devices: Pick<Devices, "exists" | "requireBySerial">;
  readonly cash: Pick<AgentCash, "collect" | "handOver" | "accrueSale">;
  readonly audit: Audit;
  readonly paybillOf: CallersDeps["paybillOf"];
}

/** An agent at work; the key of the hop makes each act one. */
interface Working {
  readonly agent: Agent;
  readonly caller: KnownCaller;
  readonly key: string;
}

/** More people with one phone are told apart at the office. */
const LISTED_MAX = 5;
/** A day in the field has room; whoever goes through all customers of an area is stopped. */
const LOOK_UPS_AN_HOUR = 120;

const refused = (why: RefusalCode): Answer => ({ kind: "refused", why });

/** Carries out what agents ask, by the commands that their mutations call: the same rules, the same audit, their own area only. */
export function makeAgentAsks(deps: AgentAsksDeps & { payeeOf: (tx: Tx, contract: Contract) => Promise<Payee> }): {
  answer(tx: Tx, ask: AgentAsk, asking: { caller: KnownCaller; key: string }): Promise<Answer>;
} {
  const { clock, credit, customers } = deps;

  async function answer(tx: Tx, ask: AgentAsk, { caller, key }: { caller: KnownCaller; key: string }): Promise<Answer> {
    const { agent, facts } = caller;
    // Whatever a session claims: the PIN was given, and this phone is an agent's now.
    if (agent === undefined || facts.agent?.isProven !== true) return refused("not_now");
    const working = { agent, caller, key };
    switch (ask.kind) {
      case "register_customer":
        return await register(tx, ask, working);
      case "find_buyers":
        return await findBuyers(tx, ask.phone, working);
      case "find_stock":
        return await findStock(tx, ask.serial);
      case "sell":
        return await sell(tx, ask, working);
      case "find_to_collect":
        return await forContract(tx, { account: ask.text, agent }, async (contract) => ({
          kind: "payee",
          payee: await deps.payeeOf(tx, contract),
        }));
      case "collect_cash":
        return await forContract(tx, { account: ask.account, agent }, (contract) =>
          collect(tx, contract, { amountMinor: BigInt(ask.amountMinor), working }),
        );
      case "hand_over":
        return await handOver(tx, ask, working);
      case "look_up":
        return await lookUp(tx, ask.text, working);
    }
  }

  async function register(
    tx: Tx,
    { name, phone, language, takesService }: Extract<AgentAsk, { kind: "register_customer" }>,
    { agent, key }: Working,
  ): Promise<Answer> {
    const input = { name, phone, language, takesService };
    return await act(tx, { agent, key, input }, async (inner) => {
      const { id, area } = await customers.register(inner, {
        name,
        language,
        area: agent.area,
        phones: [phone],
        serviceConsent: takesService,
        marketingConsent: false,
        actor: agent.actor,
      });
      await audit(inner, agent, { action: "customer.register", subject: ["customer", id], detail: { area } });
      return { kind: "done" };
    });
  }

  async function findBuyers(tx: Tx, text: string, { agent, caller }: Working): Promise<Answer> {
    const phone = phoneOf(text, caller);
    if (phone === undefined) return refused("phone_wrong");
    const people = (await customers.findByPhone(tx, phone)).filter(({ area }) => area === agent.area);
    if (people.length === 0) return refused("customer_unknown");
    const now = clock.now();
    const plans = (await credit.plans.list(tx)).filter(({ effectiveAt }) => effectiveAt <= now).map(offerOf);
    if (plans.length === 0) return refused("no_plans");
    const buyers = people.slice(0, LISTED_MAX).map(({ id, name }) => ({ id, name: name.slice(0, NAME_SHOWN_MAX) }));
    return { kind: "buyers", buyers, plans };
  }

  async function findStock(tx: Tx, text: string): Promise<Answer> {
    const device = await deviceOf(tx, text);
    return device?.state === "stock" ? { kind: "stock", serial: device.serial } : refused("not_in_stock");
  }

  /** As it was typed, or in capitals as most labels are. */
  async function deviceOf(tx: Tx, text: string) {
    for (const serial of new Set([text, text.toUpperCase()]))
      if (await deps.devices.exists(tx, serial)) return await deps.devices.requireBySerial(tx, serial);
    return undefined;
  }

  async function sell(
    tx: Tx,
    { customerId, planCode, serial }: Extract<AgentAsk, { kind: "sell" }>,
    { agent, key }: Working,
  ): Promise<Answer> {
    const customer = await customers.require(tx, customerId as CustomerId);
    if (customer.area !== agent.area) return refused("customer_unknown");
    return await act(tx, { agent, key, input: { customerId, planCode, serial } }, async (inner) => {
      const { actor } = agent;
      const contract = await credit.sell(inner, { customerId: customer.id, serial, planCode, actor });
      const price = money(contract.outstandingMinor ?? contract.depositDueMinor, contract.currency);
      await deps.cash.accrueSale(inner, {
        agentId: agent.id,
        contractId: contract.id,
        price,
        at: contract.soldAt,
        actor,
      });
      await audit(inner, agent, {
        action: "contract.sell",
        subject: ["contract", contract.id],
        detail: { serial, planCode },
      });
      return { kind: "sold", account: formatAccountNumber(contract.accountNumber) };
    });
  }

  async function collect(
    tx: Tx,
    contract: Contract,
    { amountMinor, working: { agent, key } }: { amountMinor: bigint; working: Working },
  ): Promise<Answer> {
    return await act(tx, { agent, key, input: { contractId: contract.id, amountMinor } }, async (inner) => {
      const { number, state } = await deps.cash.collect(inner, {
        agentId: agent.id,
        actor: agent.actor,
        clientKey: key,
        contractId: contract.id,
        amount: money(amountMinor, contract.currency),
        takenAt: clock.now(),
      });
      const detail = { contractId: contract.id, state, amountMinor: String(amountMinor), currency: contract.currency };
      await audit(inner, agent, { action: "cash.collect", subject: ["cash_receipt", number], detail });
      return { kind: "cash", number, isWaiting: state === "provisional" };
    });
  }

  async function handOver(
    tx: Tx,
    { amountMinor, currency }: Extract<AgentAsk, { kind: "hand_over" }>,
    { agent, key }: Working,
  ): Promise<Answer> {
    const amount = money(BigInt(amountMinor), parseCurrency(currency));
    return await act(
      tx,
      { agent, key, input: { amountMinor, currency }, notAllowed: "more_than_in_hand" },
      async (inner) => {
        const { id } = await deps.cash.handOver(inner, { agentId: agent.id, amount, clientKey: key });
        const detail = { amountMinor, currency };
        await audit(inner, agent, { action: "cash.offer", subject: ["cash_hand_over", id], detail });
        return { kind: "done" };
      },
    );
  }

  async function lookUp(tx: Tx, text: string, { agent, caller }: Working): Promise<Answer> {
    const now = clock.now();
    const looked = await countOnce(tx, { key: `look_up:${agent.id}`, now, windowMs: HOUR_MS });
    if (looked > LOOK_UPS_AN_HOUR) return refused("too_often");
    const contracts = (await contractsNamed(tx, text, { agent, caller })).slice(0, LISTED_MAX);
    if (contracts.length === 0) return refused("nothing_found");
    const found: FoundContract[] = [];
    for (const contract of contracts)
      found.push({
        ...(await lookUpOf(tx, contract, { ...deps, now })),
        lastPayment: await lastPaymentOf(tx, contract),
      });
    return { kind: "found", contracts: found };
  }

  /** An account number, else everything of a phone, else what hangs on a device. */
  async function contractsNamed(
    tx: Tx,
    text: string,
    { agent: { area }, caller }: { agent: Agent; caller: KnownCaller },
  ): Promise<readonly Contract[]> {
    const account = await contractOf(tx, text);
    if (account !== undefined) return account.area === area ? [account] : [];
    const phone = phoneOf(text, caller);
    const contracts: Contract[] = [];
    if (phone !== undefined)
      for (const { id } of await customers.findByPhone(tx, phone))
        contracts.push(...(await credit.list(tx, { customerId: id, area }, { first: LISTED_MAX })));
    if (contracts.length > 0) return contracts;
    const device = await deviceOf(tx, text);
    return device === undefined ? [] : await credit.list(tx, { deviceId: device.id, area }, { first: LISTED_MAX });
  }

  async function lastPaymentOf(tx: Tx, { id }: Contract): Promise<FoundContract["lastPayment"]> {
    const paid = (await credit.allocations(tx, id)).filter(({ receivedMinor }) => receivedMinor > 0n);
    const latest = paid.toSorted((left, right) => right.paidAt.getTime() - left.paidAt.getTime())[0];
    return latest === undefined
      ? undefined
      : { amountMinor: latest.receivedMinor.toString(), paidAtMs: latest.paidAt.getTime() };
  }

  async function contractOf(tx: Tx, text: string): Promise<Contract | undefined> {
    const number = parseAccountNumber(text);
    return number === undefined ? undefined : await credit.findByAccountNumber(tx, number);
  }

  /** A contract of the agent's area that still takes money. One elsewhere is unknown here. */
  async function forContract(
    tx: Tx,
    { account, agent: { area } }: { account: string; agent: Agent },
    then: (contract: Contract) => Promise<Answer>,
  ): Promise<Answer> {
    const contract = await contractOf(tx, account);
    if (contract === undefined || contract.area !== area) return refused("account_unknown");
    return contract.state === "active" ? await then(contract) : refused("account_ended");
  }

  /** Acts once a key. What is refused half-way leaves nothing behind, and the conversation goes on. */
  async function act(
    tx: Tx,
    {
      agent,
      key,
      input,
      notAllowed = "not_accepted",
    }: { agent: Agent; key: string; input: object; notAllowed?: RefusalCode },
    work: (inner: Tx) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await tx.transaction(
        async (inner) =>
          (await once(inner, { actor: agent.actor, key, input, now: clock.now() }, async () => {
            const done = await work(inner);
            return done as Answer & Json;
          })) as Answer,
      );
    } catch (error) {
      if (error instanceof NotAllowedNow) return refused(notAllowed);
      if (error instanceof Refusal) return refused("not_accepted");
      throw error;
    }
  }

  async function audit(
    tx: Tx,
    { actor }: Agent,
    {
      action,
      subject: [subjectKind, subjectId],
      detail,
    }: { action: string; subject: readonly [string, string]; detail: Parameters<Audit>[1]["detail"] },
  ): Promise<void> {
    await deps.audit(tx, { actor, action, subjectKind, subjectId, detail });
  }

  function phoneOf(text: string, { phone }: KnownCaller) {
    try {
      return customers.parsePhone(text, countryOf(phone));
    } catch (error) {
      if (error instanceof InvalidInput) return undefined;
      throw error;
    }
  }

  return { answer };
}

const NAME_SHOWN_MAX = 24;

/** All of the price, or a day's where it has no end. */
function offerOf(version: PlanVersion): PlanOffer {
  const { code, name, totalMinor, currency } = version;
  return {
    code,
    name: name.slice(0, NAME_SHOWN_MAX),
    price: formatMoney(money(totalMinor ?? dayPriceMinor(version), currency)),
  };
}
