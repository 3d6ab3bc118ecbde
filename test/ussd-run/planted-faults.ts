import { checkAll, type Evidence } from "./checks.ts";

/** A small evening has, say, no loan: then nothing can be planted there. */
class NothingToPlant extends Error {}

const required = <Item>(item: Item | undefined): Item => {
  if (item === undefined) throw new NothingToPlant();
  return item;
};

/** Ways in which an evening can go wrong. Each is put into a copy of a sound one, and a check must find it. */
const PLANTS: Readonly<Record<string, (evidence: Evidence) => void>> = {
  "another caller's screen": ({ heard }) => {
    const own = required(heard.find(({ answers: [answer = ""] }) => /Q[a-z]{5}/.test(answer)));
    const other = required(heard.find(({ phone, expected }) => phone !== own.phone && typeof expected !== "string"));
    heard.push({ ...other, answers: own.answers, expected: { pattern: "" } });
  },
  "another caller's token": ({ heard, house }) => {
    const { digits } = required(house.tokens[0]);
    for (const { phone } of [required(heard[0]), required(heard.at(-1))])
      heard.push({
        phone,
        text: "",
        answers: [`END ${digits.replace(/\B(?=(\d{3})+$)/g, " ")}`],
        expected: { pattern: "" },
        habit: "",
      });
  },
  "a repeated hop that is answered otherwise": ({ heard }) => {
    const repeated = required(heard.find(({ answers }) => answers.length > 1));
    heard.push({ ...repeated, answers: [...repeated.answers, "END ."] });
  },
  "a hop that moved on though it was a repetition": ({ heard }) => {
    const again = required(heard.find(({ habit }) => habit === "the session begun again"));
    heard.push({ ...again, answers: ["CON Welcome."] });
  },
  "an act done twice": ({ house }) => void house.wishes.push({ ...required(house.wishes[0]) }),
  "an act forgotten": ({ house }) => void house.wishes.pop(),
  "a phone asked twice": ({ house }) => void house.prompts.push({ ...required(house.prompts[0]) }),
  "a phone asked for another amount": ({ house }) => void (required(house.prompts[0]).minor += 1),
  "days lent twice": ({ house }) => {
    const loan = required(house.loans.find(({ times }) => times === 1));
    loan.times = 2;
  },
  "a loan that nobody asked for": ({ house }) =>
    void (required(house.loans.find(({ times }) => times === 0)).debtMinor = 5_000),
  "an ending forgotten": ({ house }) => void (required(house.sessions[0]).outcome = null),
  "a session lost": ({ house }) => void house.sessions.pop(),
  "a session that was counted twice": ({ house }) => void (required(house.figures[0]).sessions += 1),
  "a language that nobody chose": ({ house }) => {
    const customer = required(house.customers[0]);
    customer.language = customer.language === "en" ? "fr" : "en";
  },
  "a consent that nobody gave": ({ house }) => {
    const customer = required(house.customers[0]);
    customer.marketing = !customer.marketing;
  },
  "a PIN that was not kept": ({ house }) =>
    void (required(house.customers.find(({ hasPin }) => hasPin)).hasPin = false),
  "a letter that no phone has": ({ heard }) =>
    void heard.push({ phone: "", text: "", answers: ["END é"], expected: "END é", habit: "" }),
  "books out of balance": ({ house }) => void house.bookProblems.push("currencies_out_of_balance: 1"),
};

/** Plants each fault alone; answers those that no check noticed. */
export function findBlindSpots(evidence: Evidence): { planted: number; unnoticed: readonly string[] } {
  const noticed = Object.entries(PLANTS).flatMap(([name, plant]) => {
    const copy = structuredClone(evidence);
    try {
      plant(copy);
    } catch (error) {
      if (error instanceof NothingToPlant) return [];
      throw error;
    }
    return [{ name, isNoticed: checkAll(copy).some(({ broken }) => broken.length > 0) }];
  });
  return {
    planted: noticed.length,
    unnoticed: noticed.filter(({ isNoticed }) => !isNoticed).map(({ name }) => name),
  };
}
