import { sql } from "drizzle-orm";
import {
  dayPriceMinor,
  formatAccountNumber,
  parseAccountNumber,
  type Contract,
  type Credit,
  type LoanRefusal,
} from "../credit/credit.ts";
import { countryOf, type Customers, type E164 } from "../customers/customers.ts";
import type { Devices } from "../devices/devices.ts";
import type { MakeId } from "../kernel/ids.ts";
import { AMOUNT_MINOR_MAX } from "../kernel/money.ts";
import { InvalidInput, NotAllowedNow } from "../kernel/refusal.ts";
import { DAY_MS, HOUR_MS } from "../kernel/time.ts";
import type { Intent, IntentOrder } from "../payments/payments.ts";
import type { Tx } from "../platform/database.ts";
import { makeAgentAsks, type AgentAsksDeps } from "./agent-asks.commands.ts";
import { maskName, type KnownCaller } from "./callers.queries.ts";
import { countOnce } from "./counts.store.ts";
import type { Answer, Ask, RefusalCode } from "./dialogue/asks.ts";
import type { Payee, Session } from "./dialogue/place.ts";
import { makeIdentityAsks, type IdentityAsksDeps } from "./identity-asks.commands.ts";
import { CONTRACT_ACTS_A_DAY } from "./limits.ts";
import { insertQuote, latestQuote } from "./quotes.store.ts";
import { makeWishes, type WishesDeps } from "./wishes.commands.ts";

export interface AsksDeps extends AgentAsksDeps, IdentityAsksDeps, WishesDeps {
  readonly makeId: MakeId;
  readonly credit: Pick<
    Credit,
    "find" | "findByAccountNumber" | "plans" | "latestTokens" | "allocations" | "lendable" | "lend"
  > &
    AgentAsksDeps["credit"];
  readonly customers: Pick<Customers, "require" | "parsePhone" | "setLanguage" | "setConsent"> &
    AgentAsksDeps["customers"];
  readonly devices: Pick<Devices, "tokensByCause"> & AgentAsksDeps["devices"];
  readonly intents: { request(tx: Tx, order: IntentOrder): Promise<{ readonly intent: Intent }> };
}

/** Who asks, in which conversation and at which hop; the key makes each act one. */
export interface Asking {
  readonly caller: KnownCaller;
  readonly session: Session;
  readonly key: string;
  readonly through: Intent["askedThrough"];
}

const refused = (why: RefusalCode): Answer => ({ kind: "refused", why });
const DONE: Answer = { kind: "done" };

/** Carries out what the dialogue asks for, in the transaction of its hop. */
export function makeAsks(deps: AsksDeps): { answer(tx: Tx, ask: Ask, asking: Asking): Promise<Answer> } {
  const { clock, credit, customers } = deps;
  const agentAsks = makeAgentAsks({ ...deps, payeeOf: maskedPayee });
  const { wish, reportFault } = makeWishes(deps);
  const identity = makeIdentityAsks({ ...deps, wish });

  async function answer(tx: Tx, ask: Ask, asking: Asking): Promise<Answer> {
    const { caller, key } = asking;
    switch (ask.kind) {
      case "find_payee":
        return await findPayee(tx, ask.text, asking);
      case "request_payment":
        return await requestPayment(tx, ask, asking);
      case "latest_tokens":
        return await own(caller, ask.contractId, async (contract) =>
          contract.state === "written_off"
            ? refused("account_ended")
            : tokensAnswer(contract, await credit.latestTokens(tx, contract)),
        );
      case "payments":
        return await own(caller, ask.contractId, (contract) => payments(tx, contract));
      case "payment_tokens":
        return await own(caller, ask.contractId, async (contract) =>
          tokensAnswer(contract, await deps.devices.tokensByCause(tx, [ask.cause])),
        );
      case "loan_offer":
        return await own(caller, ask.contractId, (contract) => loanOffer(tx, contract));
      case "borrow":
        return await own(caller, ask.contractId, (contract) =>
          limited(tx, contract, () => borrow(tx, contract, { days: ask.days, asking })),
        );
      case "pay_off_quote":
        return await own(caller, ask.contractId, (contract) =>
          limited(tx, contract, () => payOffQuote(tx, contract, key)),
        );
      case "report_fault":
        return await own(caller, ask.contractId, (contract) => reportFault(tx, contract, { ask, asking }));
      case "call_me":
        return await wish(tx, asking, { kind: "call", detail: { note: ask.note } });
      case "lead":
        return await wish(tx, asking, { kind: "lead", detail: { name: ask.name, place: ask.place } });
      case "refer": {
        const phone = phoneOf(ask.phone, caller.phone);
        if (phone === undefined || phone === caller.phone) return refused("phone_wrong");
        return await wish(tx, asking, { kind: "friend", detail: { phone } });
      }
      case "parse_phone": {
        const phone = phoneOf(ask.text, caller.phone);
        return phone === undefined ? refused("phone_wrong") : { kind: "phone", phone };
      }
      case "set_language":
        if (caller.customer !== undefined) await customers.setLanguage(tx, caller.customer.id, ask.language);
        await tx.execute(sql`
          insert into ussd.callers (phone, language, changed_at) values (${caller.phone}, ${ask.language}, ${clock.now().toISOString()}::timestamptz)
          on conflict (phone) do update set language = excluded.language, changed_at = excluded.changed_at`);
        return { kind: "language", language: ask.language };
      case "set_messages":
        if (caller.customer === undefined) return refused("not_now");
        await customers.setConsent(tx, caller.customer.id, { which: ask.which, isGiven: ask.isWanted });
        return DONE;
      case "check_pin":
        return await identity.checkPin(tx, ask, asking);
      case "set_pin":
        return await identity.setPin(tx, ask, asking);
      case "identify":
        return await identity.identify(tx, ask, asking);
      case "register_customer":
      case "find_buyers":
      case "find_stock":
      case "sell":
      case "find_to_collect":
      case "collect_cash":
      case "hand_over":
      case "look_up":
        return await agentAsks.answer(tx, ask, asking);
    }
  }

  /** Acts on the caller's own contracts only, whatever a session claims. */
  async function own(
    { contracts }: KnownCaller,
    contractId: string,
    act: (contract: Contract) => Promise<Answer>,
  ): Promise<Answer> {
    const contract = contracts.get(contractId);
    return contract === undefined ? refused("account_unknown") : await act(contract);
  }

  async function findPayee(tx: Tx, text: string, { caller }: Asking): Promise<Answer> {
    const tried = await countOnce(tx, { key: `find_payee:${caller.phone}`, now: clock.now(), windowMs: HOUR_MS });
    if (tried > ACCOUNTS_AN_HOUR) return refused("too_often");
    const number = parseAccountNumber(text);
    const contract = number === undefined ? undefined : await credit.findByAccountNumber(tx, number);
    if (contract === undefined) return refused("account_unknown");
    if (contract.state !== "active") return refused("account_ended");
    return { kind: "payee", payee: await payeeOf(tx, contract, caller) };
  }

  async function maskedPayee(tx: Tx, contract: Contract): Promise<Payee> {
    const holder = await customers.require(tx, contract.customerId);
    return await payeeNamed(tx, contract, maskName(holder.name));
  }

  async function payeeOf(tx: Tx, contract: Contract, { contracts }: KnownCaller): Promise<Payee> {
    if (!contracts.has(contract.id)) return await maskedPayee(tx, contract);
    const holder = await customers.require(tx, contract.customerId);
    return await payeeNamed(tx, contract, holder.name);
  }

  async function payeeNamed(tx: Tx, contract: Contract, name: string): Promise<Payee> {
    const version = (await credit.plans.versions(tx, [contract.planVersionId])).get(contract.planVersionId);
    return {
      account: formatAccountNumber(contract.accountNumber),
      name,
      currency: contract.currency,
      minimumMinor: (version?.minimumPaymentMinor ?? 0n).toString(),
      dayPriceMinor: (version === undefined ? 0n : dayPriceMinor(version)).toString(),
    };
  }

  async function requestPayment(
    tx: Tx,
    { account, amountMinor, phone }: Extract<Ask, { kind: "request_payment" }>,
    { caller, through }: Asking,
  ): Promise<Answer> {
    const number = parseAccountNumber(account);
    const contract = number === undefined ? undefined : await credit.findByAccountNumber(tx, number);
    if (contract === undefined) return refused("account_unknown");
    if (contract.state !== "active") return refused("account_ended");
    const country = countryOf(phone as E164);
    const minor = BigInt(amountMinor);
    if (country === undefined) return refused("phone_wrong");
    if (minor > AMOUNT_MINOR_MAX) return refused("amount_too_large");
    // A prompt on somebody's phone is a nuisance: whoever sends them at random is stopped.
    const asked = await countOnce(tx, { key: `request_payment:${caller.phone}`, now: clock.now(), windowMs: HOUR_MS });
    if (asked > PROMPTS_AN_HOUR) return refused("too_often");
    return await limited(tx, contract, async () => {
      try {
        await deps.intents.request(tx, {
          reference: account,
          phone,
          country,
          amount: { minor, currency: contract.currency },
          actor: `customer:${caller.customer?.id ?? "unknown"}`,
          through,
        });
      } catch (error) {
        if (error instanceof NotAllowedNow) return refused("no_rail");
        throw error;
      }
      return DONE;
    });
  }

  /** So much is done with one contract in a day, from whatever phones. */
  async function limited(tx: Tx, { id }: Contract, act: () => Promise<Answer>): Promise<Answer> {
    const done = await countOnce(tx, { key: `acts:${id}`, now: clock.now(), windowMs: DAY_MS });
    return done > CONTRACT_ACTS_A_DAY ? refused("too_often") : await act();
  }

  async function payments(tx: Tx, contract: Contract): Promise<Answer> {
    const rows = (await credit.allocations(tx, contract.id)).filter(
      ({ receivedMinor, effect }) => receivedMinor > 0n && effect !== "none",
    );
    if (rows.length === 0) return refused("no_payments");
    return {
      kind: "payments",
      payments: rows
        .toSorted((left, right) => right.paidAt.getTime() - left.paidAt.getTime())
        .slice(0, PAYMENTS_LISTED)
        .map(({ cause, receivedMinor, paidAt }) => ({
          cause,
          amountMinor: receivedMinor.toString(),
          currency: contract.currency,
          paidAtMs: paidAt.getTime(),
        })),
    };
  }

  async function loanOffer(tx: Tx, contract: Contract): Promise<Answer> {
    const lendable = await credit.lendable(tx, contract.id);
    if (lendable.kind === "none") return refused(LOAN_REFUSALS[lendable.why]);
    const offer = {
      days: lendable.days,
      dayPriceMinor: lendable.dayPriceMinor.toString(),
      currency: contract.currency,
    };
    return { kind: "loan", contractId: contract.id, offer };
  }

  async function borrow(
    tx: Tx,
    contract: Contract,
    { days, asking }: { days: number; asking: Asking },
  ): Promise<Answer> {
    const lendable = await credit.lendable(tx, contract.id);
    if (lendable.kind === "none") return refused(LOAN_REFUSALS[lendable.why]);
    const actor = `customer:${contract.customerId}`;
    const { tokens } = await credit.lend(tx, { contractId: contract.id, days, actor, key: asking.key });
    return tokensAnswer(contract, tokens);
  }

  /** What is left of the price, until the end of the next day: a payment of it unlocks as any last payment does. */
  async function payOffQuote(tx: Tx, contract: Contract, key: string): Promise<Answer> {
    if (contract.state !== "active" || contract.outstandingMinor === null) return refused("nothing_owed");
    const left = contract.outstandingMinor - contract.carriedMinor + contract.debtMinor;
    if (left <= 0n) return refused("nothing_owed");
    const now = clock.now();
    const last = await latestQuote(tx, contract.id);
    // What was promised stands until it runs out, unless something was paid or borrowed since.
    const stands = last !== undefined && last.expiresAt >= now && last.amountMinor === left;
    const kept = stands
      ? last
      : {
          id: deps.makeId<"Quote">(),
          contractId: contract.id,
          amountMinor: left,
          currency: contract.currency,
          quotedAt: now,
          expiresAt: new Date(now.getTime() + QUOTE_MS),
        };
    if (!stands) await insertQuote(tx, kept, key);
    const holder = await customers.require(tx, contract.customerId);
    const account = formatAccountNumber(contract.accountNumber);
    const amountMinor = left.toString();
    const payee = {
      account,
      name: holder.name,
      currency: contract.currency,
      minimumMinor: amountMinor,
      dayPriceMinor: amountMinor,
    };
    const isAnew = last !== undefined && last.expiresAt < now;
    const expiresAtMs = kept.expiresAt.getTime();
    const quote = { id: kept.id, amountMinor, currency: contract.currency, expiresAtMs, payee, isAnew };
    return { kind: "quote", contractId: contract.id, quote };
  }

  function phoneOf(text: string, callerPhone: E164): E164 | undefined {
    try {
      return customers.parsePhone(text, countryOf(callerPhone));
    } catch (error) {
      if (error instanceof InvalidInput) return undefined;
      throw error;
    }
  }

  return { answer };
}

/** Enough for a shop that pays for its neighbours, too few to go through all account numbers. */
const ACCOUNTS_AN_HOUR = 20;
const PROMPTS_AN_HOUR = 10;
const PAYMENTS_LISTED = 5;
const QUOTE_MS = DAY_MS;

const LOAN_REFUSALS: Readonly<Record<LoanRefusal, RefusalCode>> = {
  ended: "account_ended",
  too_new: "loan_not_yet",
  debt: "loan_none_left",
  light_left: "loan_light_left",
  little_left: "loan_little_left",
};

function tokensAnswer(contract: Contract, tokens: readonly { readonly digits: string }[]): Answer {
  if (tokens.length === 0) return refused("no_tokens");
  const account = formatAccountNumber(contract.accountNumber);
  return { kind: "tokens", account, tokens: tokens.map(({ digits }) => digits.replace(/\B(?=(\d{3})+$)/g, " ")) };
}
