import { over, type Check } from "../rails/check.ts";
import type { Ended, Heard } from "./caller.ts";
import type { Act } from "./life.ts";
import { markOf, type Village } from "./village.ts";

/** What the database holds after an evening. */
export interface House {
  readonly wishes: Rows<{ kind: string; phone: string; category: string | null; detail: Record<string, string> }>;
  readonly prompts: Rows<{ account: string; phone: string; minor: number }>;
  readonly loans: Rows<{ contractId: string; debtMinor: number; times: number }>;
  readonly customers: Rows<{ id: string; language: string; service: boolean; marketing: boolean; hasPin: boolean }>;
  readonly sessions: Rows<{ phone: string; sessionId: string; outcome: string | null; isCounted: boolean }>;
  readonly tokens: Rows<{ digits: string; account: string }>;
  readonly figures: Rows<{ outcome: string; sessions: number }>;
  readonly bookProblems: string[];
}

type Rows<Row> = (Row & Record<string, unknown>)[];

/** All that is known of an evening; plain data, so that a fault can be planted into a copy of it. */
export interface Evidence {
  readonly isOver: boolean;
  readonly village: Village;
  readonly house: House;
  readonly lives: readonly {
    readonly phone: string;
    readonly acts: readonly Act[];
    readonly consents: readonly (readonly [string, { readonly service: boolean; readonly marketing: boolean }])[];
    readonly languages: readonly (readonly [string, string])[];
    readonly pins: readonly string[];
  }[];
  readonly heard: Heard[];
  readonly ended: Ended[];
}

/** Compares an evening with its model. Pure: the same evidence gives the same findings. */
export function checkAll(evidence: Evidence): readonly Check[] {
  const { heard, house, lives, ended, isOver } = evidence;
  return [
    over("everybody comes to the end of what they wanted", [isOver], (is) => (is ? undefined : "calls never ended")),
    over(
      "every hop is answered as the model says",
      heard,
      ({ expected, answers: [answer = ""], text, habit, phone }) =>
        matches(answer, expected)
          ? undefined
          : `${phone} ${habit} ${JSON.stringify(text)}: ${JSON.stringify(answer)}, not ${JSON.stringify(expected)}`,
    ),
    over("the same hop sent twice is answered byte for byte", heard, ({ answers, text, phone }) =>
      new Set(answers).size === 1 ? undefined : `${phone} ${text}: ${JSON.stringify(answers)}`,
    ),
    over(
      "every screen fits a basic phone",
      heard.flatMap(({ answers, habit }) => (habit === "pages" ? [] : answers)),
      (answer) =>
        answer.length <= 182 && /^(CON|END) [\n -Z_a-z]+$/.test(answer) ? undefined : JSON.stringify(answer),
    ),
    checkLeaks(evidence),
    compare("what people asked for is written down once, and nothing else", {
      should: wanted(lives, "wish", ({ wish, phone, category, detail }) => [wish, phone, category ?? null, detail]),
      found: house.wishes.map(({ kind, phone, category, detail }) => [kind, phone, category, detail]),
    }),
    compare("a phone is asked to pay once for one wish, and never without", {
      // While a request is open, the same wish is that request.
      should: [...new Set(wanted(lives, "prompt", ({ account, phone, minor }) => [account, phone, minor]).map(String))],
      found: house.prompts.map(({ account, phone, minor }) => String([account, phone, minor])),
    }),
    compare("days are lent once, and never without", {
      should: wanted(lives, "loan", ({ contractId, days }) => [contractId, days * DAY_MINOR, 1]),
      found: house.loans
        .filter(({ debtMinor, times }) => debtMinor !== 0 || times !== 0)
        .map(({ contractId, debtMinor, times }) => [contractId, debtMinor, times]),
    }),
    compare("languages, consents and PINs are what people chose", {
      should: lives.flatMap(({ consents, languages, pins }) =>
        consents.map(([id, { service, marketing }]) => [
          id,
          languages.find(([one]) => one === id)?.[1],
          service,
          marketing,
          pins.includes(id),
        ]),
      ),
      found: house.customers.map(({ id, language, service, marketing, hasPin }) => [
        id,
        language,
        service,
        marketing,
        hasPin,
      ]),
    }),
    compare("every session has the outcome that it came to, and is in the figures", {
      should: ended.map(({ phone, sessionId, outcome }) => [phone, sessionId, outcome ?? "abandoned", true]),
      found: house.sessions.map(({ phone, sessionId, outcome, isCounted }) => [phone, sessionId, outcome, isCounted]),
    }),
    compare("the figures count every session once", {
      should: [...Map.groupBy(ended, ({ outcome }) => outcome ?? "abandoned")].map(([outcome, some]) => [
        outcome,
        some.length,
      ]),
      found: house.figures.map(({ outcome, sessions }) => [outcome, sessions]),
    }),
    over("the books balance", [house.bookProblems], (problems) =>
      problems.length === 0 ? undefined : problems.join("; "),
    ),
  ];
}

const DAY_MINOR = 5_000;

const matches = (answer: string, expected: Heard["expected"]): boolean =>
  typeof expected === "string" ? answer === expected : new RegExp(expected.pattern).test(answer);

function wanted<Kind extends Act["kind"]>(
  lives: Evidence["lives"],
  kind: Kind,
  factsOf: (act: Extract<Act, { kind: Kind }>) => unknown[],
): unknown[][] {
  const isOne = (act: Act): act is Extract<Act, { kind: Kind }> => act.kind === kind;
  return lives.flatMap(({ acts }) => acts.filter(isOne).map(factsOf));
}

/** Two lists that must hold the same, each as often, in whatever order. */
function compare(promise: string, { should, found }: { should: readonly unknown[]; found: readonly unknown[] }): Check {
  const left = new Map<string, number>();
  for (const one of found) left.set(JSON.stringify(one), (left.get(JSON.stringify(one)) ?? 0) + 1);
  const lacking = should
    .map((one) => JSON.stringify(one))
    .filter((one) => {
      const count = left.get(one) ?? 0;
      left.set(one, count - 1);
      return count <= 0;
    });
  const tooMany = [...left].filter(([, count]) => count > 0).map(([one]) => one);
  return {
    promise,
    checked: should.length + found.length,
    broken: [...lacking.map((one) => `lacks ${one}`), ...tooMany.map((one) => `has ${one}`)],
  };
}

/** Looks for names, accounts and tokens in all that was shown: whose they are may see them, and nobody else. */
function checkLeaks({ heard, house, village, lives }: Evidence): Check {
  const [names, accounts] = [new Map<string, string>(), new Map<string, string>()];
  for (const { phone, customer, elsewhere } of village.people)
    for (const one of [customer, elsewhere]) {
      if (one === undefined) continue;
      const [, mark = markOf(0)] = one.name.split(" ");
      names.set(mark, phone);
      for (const { account } of one.contracts) accounts.set(account, phone);
    }
  const tokens = new Map(house.tokens.map(({ digits, account }) => [digits, accounts.get(account)]));
  const typedBy = new Map(
    [...Map.groupBy(heard, ({ phone }) => phone)].map(([phone, some]) => [
      phone,
      some.map(({ text }) => text).join(" "),
    ]),
  );
  const ownPhones = new Set(lives.map(({ phone }) => phone));
  return over("no screen shows a caller what is another's", heard, ({ phone, answers }) => {
    for (const answer of answers) {
      for (const [mark] of answer.matchAll(/Q[a-z]{5}/g))
        if (names.has(mark) && names.get(mark) !== phone) return `${phone} saw the name ${mark}: ${answer}`;
      for (const [account] of answer.matchAll(/PG-\d+/g))
        // Whoever typed an account knows it already.
        if (accounts.get(account) !== phone && account !== EXAMPLE && typedBy.get(phone)?.includes(account) !== true)
          return `${phone} saw the account ${account}: ${answer}`;
      for (const [found] of answer.matchAll(/\d{3}( \d{3}){2,}/g)) {
        const owner = tokens.get(found.replaceAll(" ", ""));
        if (owner !== phone) return `${phone} saw a token of ${owner ?? "nobody"}: ${answer}`;
      }
      for (const [other] of answer.matchAll(/\+2547\d{8}/g))
        if (other !== phone && ownPhones.has(other) && typedBy.get(phone)?.includes(`0${other.slice(4)}`) !== true)
          return `${phone} saw the number ${other}: ${answer}`;
    }
    return undefined;
  });
}

/** The account that stands in the question for one. */
const EXAMPLE = "PG-10234";
