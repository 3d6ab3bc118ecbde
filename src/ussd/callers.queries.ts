import { sql } from "drizzle-orm";
import { dayPriceMinor, formatAccountNumber, type Contract, type Credit, type PlanVersion } from "../credit/credit.ts";
import type { Customer, Customers, E164 } from "../customers/customers.ts";
import type { CustomerId, StaffId } from "../kernel/ids.ts";
import { least } from "../kernel/money.ts";
import { DAY_MS, MINUTE_MS, type Clock } from "../kernel/time.ts";
import type { AgentCash } from "../payments/payments.ts";
import type { Tx } from "../platform/database.ts";
import type { AgentFacts, ContractFacts, Facts } from "./dialogue/facts.ts";
import type { Session } from "./dialogue/place.ts";
import { whoHasPin } from "./pins.store.ts";
import { LANGUAGES, type Language } from "../kernel/language.ts";
import { openFaults } from "./wishes.store.ts";

/** A caller with what acts need and the dialogue does not see. */
export interface KnownCaller {
  readonly facts: Facts;
  readonly phone: E164;
  /** Who acts: of a family that shares a phone, the one who registered first. */
  readonly customer: Customer | undefined;
  readonly contracts: ReadonlyMap<string, Contract>;
  /** Set where the phone is an agent's. */
  readonly agent: Agent | undefined;
}

/** Somebody who works here and calls from the phone that they were given. */
export interface Agent {
  readonly id: StaffId;
  /** For `actor` columns. */
  readonly actor: string;
  readonly name: string;
  readonly area: string;
  readonly language: Language;
}

/** Whoever has more talks to a person. */
const CONTRACTS_MAX = 20;
const TICKETS_MAX = 3;
const NAME_CHARACTERS_MAX = 16;
const AGENT_PROVEN_MS = 15 * MINUTE_MS;

export interface CallersDeps {
  readonly clock: Clock;
  readonly zone: string;
  readonly language: Language;
  readonly customers: Pick<Customers, "findByPhone" | "require">;
  readonly credit: Pick<Credit, "list" | "plans">;
  /** The number that payments of a currency are sent to by hand. */
  readonly paybillOf: (currency: string) => string | undefined;
  /** The agent who has this phone. */
  readonly findAgent: (tx: Tx, phone: E164) => Promise<Agent | undefined>;
  readonly cash: Pick<AgentCash, "standingsOf">;
}

/** Looks a caller up, in one reading for the whole hop. */
export async function findCaller(
  tx: Tx,
  { phone, session }: { phone: E164; session: Session | undefined },
  deps: CallersDeps,
): Promise<KnownCaller> {
  // What does not wait for another answer travels with it: a hop is mostly the way to the database and back.
  const [people, agent, told, tickets] = await Promise.all([
    peopleOf(tx, { phone, session }, deps),
    deps.findAgent(tx, phone),
    session === undefined ? languageOf(tx, phone) : undefined,
    openFaults(tx, phone, TICKETS_MAX),
  ]);
  const [customer] = people;
  const [listed, withPin, inHand] = await Promise.all([
    Promise.all(people.map(({ id }) => deps.credit.list(tx, { customerId: id }, { first: CONTRACTS_MAX }))),
    whoHasPin(tx, [
      ...(customer === undefined ? [] : [{ kind: "customer" as const, id: customer.id }]),
      ...(agent === undefined ? [] : [{ kind: "staff" as const, id: agent.id }]),
    ]),
    agent === undefined ? [] : inHandOf(tx, agent, deps),
  ]);
  const contracts = listed.flat();
  const versions = await deps.credit.plans.versions(tx, [
    ...new Set(contracts.map(({ planVersionId }) => planVersionId)),
  ]);
  const names = new Map(people.map(({ id, name }) => [id, shortName(name)]));
  const now = deps.clock.now();
  return {
    phone,
    customer,
    agent,
    contracts: new Map(contracts.map((contract) => [contract.id, contract])),
    facts: {
      nowMs: now.getTime(),
      zone: deps.zone,
      isProven: session?.isProven ?? false,
      caller: {
        phone,
        name: customer === undefined ? undefined : shortName(customer.name),
        language: session?.language ?? customer?.language ?? told ?? agent?.language ?? deps.language,
        hasPin: customer !== undefined && withPin.has(customer.id),
        takesService: (customer?.serviceConsentAt ?? null) !== null,
        takesMarketing: (customer?.marketingConsentAt ?? null) !== null,
      },
      contracts: contracts
        .toSorted(byUse)
        .slice(0, CONTRACTS_MAX)
        .map((contract) =>
          factsOf(contract, {
            holder: names.get(contract.customerId) ?? "",
            version: versions.get(contract.planVersionId),
            now,
            paybill: deps.paybillOf(contract.currency),
          }),
        ),
      tickets,
      agent:
        agent === undefined
          ? undefined
          : {
              name: shortName(agent.name),
              hasPin: withPin.has(agent.id),
              isProven: isFresh(session?.agentProvenAtMs, now),
              inHand,
            },
    },
  };
}

function isFresh(provenAtMs: number | undefined, now: Date): boolean {
  return provenAtMs !== undefined && now.getTime() - provenAtMs < AGENT_PROVEN_MS;
}

/** What is not offered to the office yet. */
async function inHandOf(tx: Tx, { id }: Agent, { cash }: CallersDeps): Promise<AgentFacts["inHand"]> {
  const standings = await cash.standingsOf(tx, id);
  return standings
    .map(({ currency, heldMinor, offeredMinor }) => ({ currency, minor: heldMinor - offeredMinor }))
    .filter(({ minor }) => minor > 0n)
    .map(({ currency, minor }) => ({ currency, minor: minor.toString() }));
}

/** One contract as an agent looks it up. */
export async function lookUpOf(
  tx: Tx,
  contract: Contract,
  {
    credit,
    customers,
    paybillOf,
    now,
  }: Pick<CallersDeps, "paybillOf"> & {
    credit: Pick<Credit, "plans">;
    customers: Pick<Customers, "require">;
    now: Date;
  },
): Promise<ContractFacts> {
  const { name } = await customers.require(tx, contract.customerId);
  const version = (await credit.plans.versions(tx, [contract.planVersionId])).get(contract.planVersionId);
  return factsOf(contract, { holder: shortName(name), version, now, paybill: paybillOf(contract.currency) });
}

async function peopleOf(
  tx: Tx,
  { phone, session }: { phone: E164; session: Session | undefined },
  { customers }: CallersDeps,
): Promise<readonly Customer[]> {
  const own = await customers.findByPhone(tx, phone);
  const proven = session?.provenCustomerId;
  if (proven === undefined || own.some(({ id }) => id === proven)) return own;
  return [await customers.require(tx, proven as CustomerId), ...own];
}

async function languageOf(tx: Tx, phone: string): Promise<Language | undefined> {
  const [row] = await tx.execute<{ language: string }>(sql`select language from ussd.callers where phone = ${phone}`);
  return LANGUAGES.find((language) => language === row?.language);
}

/** Running contracts first, then by age: the number that leads to each stays the same. */
function byUse(left: Contract, right: Contract): number {
  const rank = ({ state }: Contract): number => (state === "active" ? 0 : 1);
  return rank(left) - rank(right) || left.soldAt.getTime() - right.soldAt.getTime();
}

function factsOf(
  contract: Contract,
  {
    holder,
    version,
    now,
    paybill,
  }: { holder: string; version: PlanVersion | undefined; now: Date; paybill: string | undefined },
): ContractFacts {
  const owed =
    contract.outstandingMinor === null
      ? undefined
      : contract.outstandingMinor - contract.carriedMinor + contract.debtMinor;
  const minimum = version?.minimumPaymentMinor ?? 0n;
  return {
    id: contract.id,
    account: formatAccountNumber(contract.accountNumber),
    holder,
    currency: contract.currency,
    state: contract.state,
    light: lightOf(contract, now),
    owedMinor: owed?.toString(),
    minimumMinor: (owed === undefined ? minimum : least(minimum, owed)).toString(),
    dayPriceMinor: (version === undefined ? 0n : dayPriceMinor(version)).toString(),
    paybill,
  };
}

function lightOf({ state, lampUntilAt, paidUntilAt }: Contract, now: Date): ContractFacts["light"] {
  if (state === "paid_off") return { kind: "forever" };
  const leftMs = (lampUntilAt ?? paidUntilAt ?? now).getTime() - now.getTime();
  return leftMs <= 0 ? { kind: "off" } : { kind: "days", days: Math.ceil(leftMs / DAY_MS) };
}

/** What fits a basic phone beside the rest of a line: the first name, mostly. */
export function shortName(name: string): string {
  if (name.length <= NAME_CHARACTERS_MAX) return name;
  const [first = name] = name.split(" ");
  return first.slice(0, NAME_CHARACTERS_MAX);
}

/** Enough to know a neighbour by, too little to learn who has an account: "W****** N****". */
export function maskName(name: string): string {
  return name
    .split(" ")
    .slice(0, 2)
    .map((word) => `${word.slice(0, 1)}${"*".repeat(Math.min(Math.max(word.length - 1, 0), 6))}`)
    .join(" ");
}
