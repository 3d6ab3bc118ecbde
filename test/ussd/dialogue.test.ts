import { describe, expect, test } from "vitest";
import { ways } from "../../src/ussd/dialogue/dialogue.ts";
import type { Answer, AskKind, RefusalCode } from "../../src/ussd/dialogue/asks.ts";
import type { Place } from "../../src/ussd/dialogue/place.ts";
import { CHOICES_MAX } from "../../src/ussd/dialogue/screen.ts";
import { renderUssd, USSD_CHARACTERS_MAX } from "../../src/ussd/channels/render-ussd.ts";
import { COMPLETE_LANGUAGES, LANGUAGES } from "../../src/kernel/language.ts";
import { TEXTS, write, type TextId } from "../../src/ussd/texts/texts.ts";
import { answersOf, PEOPLE, TYPED } from "./people.ts";
import { walk, type Walked } from "./walk.ts";

function everyStep(): Walked[] {
  return Object.values(PEOPLE).flatMap((facts) => [...walk(facts, { answersOf, typed: TYPED })]);
}

const steps = everyStep();

/** Fails with the first few of what is wrong. */
function expectNone(faults: Iterable<string>): void {
  expect([...new Set(faults)].slice(0, 5)).toEqual([]);
}

/** The ways that lead on from a screen, by what is chosen and what the house then answers. */
function waysTaken(): ReadonlySet<string> {
  return new Set(
    steps.map(({ before, said, asked }) =>
      [before.trail.at(-1)?.at, said, ...asked.flatMap(([{ kind }, answer]) => [kind, answerName(answer)])].join(" "),
    ),
  );
}

const answerName = (answer: Answer): AnswerName => (answer.kind === "refused" ? answer.why : answer.kind);

type AnswerName = Exclude<Answer["kind"], "refused"> | RefusalCode;

const LOANS_REFUSED = [
  "account_unknown",
  "account_ended",
  "loan_not_yet",
  "loan_none_left",
  "loan_light_left",
  "loan_little_left",
] as const;

/** What the house may answer to each ask, as the code that carries them out says; each is a way of its own. */
const HOUSE: Readonly<Record<AskKind, readonly AnswerName[]>> = {
  find_payee: ["payee", "too_often", "account_unknown", "account_ended"],
  request_payment: [
    "done",
    "account_unknown",
    "account_ended",
    "phone_wrong",
    "amount_too_large",
    "too_often",
    "no_rail",
  ],
  latest_tokens: ["tokens", "account_unknown", "account_ended", "no_tokens"],
  payments: ["payments", "account_unknown", "no_payments"],
  payment_tokens: ["tokens", "account_unknown", "no_tokens"],
  loan_offer: ["loan", ...LOANS_REFUSED],
  borrow: ["tokens", "too_often", ...LOANS_REFUSED],
  pay_off_quote: ["quote", "account_unknown", "nothing_owed", "too_often"],
  report_fault: ["done", "too_often", "account_unknown"],
  call_me: ["done", "too_often"],
  refer: ["done", "phone_wrong", "too_often"],
  set_language: ["language"],
  set_messages: ["done", "not_now"],
  check_pin: ["done", "not_now", "pin_wrong", "pin_locked"],
  set_pin: ["done", "not_now", "sim_swapped"],
  identify: ["person", "pin_wrong", "pin_locked"],
  lead: ["done", "too_often"],
  parse_phone: ["phone", "phone_wrong"],
  // An agent's PIN holds for some minutes: whoever waits longer hears that it does not work now.
  register_customer: ["done", "not_accepted", "not_now"],
  find_buyers: ["buyers", "phone_wrong", "customer_unknown", "no_plans", "not_now"],
  find_stock: ["stock", "not_in_stock", "not_now"],
  sell: ["sold", "not_accepted", "customer_unknown", "not_now"],
  find_to_collect: ["payee", "account_unknown", "account_ended", "not_now"],
  collect_cash: ["cash", "not_accepted", "account_unknown", "account_ended", "not_now"],
  hand_over: ["done", "more_than_in_hand", "not_accepted", "not_now"],
  look_up: ["found", "nothing_found", "too_often", "not_now"],
};

/** Every place of the dialogue; a new one does not compile until it stands here. */
const PLACES: Readonly<Record<Place["at"], true>> = {
  agent_account: true,
  agent_buyer: true,
  agent_buyers: true,
  agent_cash: true,
  agent_cash_confirm: true,
  agent_found: true,
  agent_hand_over: true,
  agent_hand_over_amount: true,
  agent_hand_over_confirm: true,
  agent_language: true,
  agent_look_up: true,
  agent_more: true,
  agent_name: true,
  agent_phone: true,
  agent_plan: true,
  agent_register: true,
  agent_sale: true,
  agent_serial: true,
  borrow: true,
  borrow_confirm: true,
  choose_contract: true,
  fault: true,
  fault_note: true,
  help: true,
  home: true,
  identify_account: true,
  identify_pin: true,
  language: true,
  lead_name: true,
  lead_place: true,
  messages: true,
  more: true,
  new_pin: true,
  own_home: true,
  pay_account: true,
  pay_amount: true,
  pay_confirm: true,
  pay_off: true,
  pay_phone: true,
  payments: true,
  person: true,
  pin: true,
  refer: true,
  reports: true,
  resume: true,
  settings: true,
  tokens: true,
};

describe("every screen that anybody can reach", () => {
  test("is there to be walked: all places of the dialogue are reached", () => {
    const reached = new Set(steps.map(({ step }) => step.screen.at));
    expect([...reached].toSorted()).toEqual([...Object.keys(PLACES), "end"].toSorted());
  });

  test("is walked through on at least 99 of 100 ways that lead on from it: each choice, back, home, and each answer of the house", () => {
    const taken = waysTaken();
    const wanted = new Set<string>();
    for (const { step, before, said, asked } of steps) {
      if (step.kind === "screen")
        for (const key of ["0", "00", "8", ...step.screen.choices.map((choice) => choice.key)])
          wanted.add(`${step.screen.at} ${key}`);
      // Wherever one answer was walked through, all others of the same ask must be.
      for (const [at, [{ kind }]] of asked.entries())
        for (const answer of HOUSE[kind])
          wanted.add(
            [
              before.trail.at(-1)?.at,
              said,
              ...asked.slice(0, at).flatMap(([one, other]) => [one.kind, answerName(other)]),
              kind,
              answer,
            ].join(" "),
          );
    }
    const begun = new Set([...taken].flatMap((way) => prefixes(way)));
    const missed = [...wanted].filter((way) => !begun.has(way));
    expect(new Set(steps.flatMap(({ asked }) => asked.map(([{ kind }]) => kind))).size).toBe(Object.keys(HOUSE).length);
    expect(wanted.size).toBeGreaterThan(300);
    expect({ share: 1 - missed.length / wanted.size >= 0.99, missed: missed.slice(0, 5) }).toEqual({
      share: true,
      missed: [],
    });
  });

  test("says of no choice that it lists that it is not on the list", () => {
    const listed = new Map(
      steps.flatMap(({ step }) =>
        step.kind === "screen"
          ? [[JSON.stringify(step.session.trail), new Set<string>(step.screen.choices.map(({ key }) => key))]]
          : [],
      ),
    );
    const refused = steps.filter(
      ({ before, said, step }) =>
        step.kind === "screen" &&
        step.note?.id === "again.choice" &&
        listed.get(JSON.stringify(before.trail))?.has(said) === true,
    );
    expect(listed.size).toBeGreaterThan(50);
    expectNone(refused.map(({ before, said }) => `${JSON.stringify(before.trail.at(-1))} ${said}`));
  });

  test("fits a basic phone in every language, page by page, and has no more choices than people can use", () => {
    const looked = new Set<string>();
    const faults: string[] = [];
    for (const { step, facts } of steps) {
      const note = step.kind === "screen" ? step.note : undefined;
      const key = JSON.stringify([step.screen, note, ways(step.session)]);
      if (looked.has(key)) continue;
      looked.add(key);
      if (step.screen.choices.length > CHOICES_MAX) faults.push(`${step.screen.at} has too many choices`);
      for (const language of LANGUAGES) {
        const { pages } = renderUssd(step.screen, { note, ways: ways(step.session), language, zone: facts.zone });
        const isTyped = step.screen.takes === "text" || step.screen.takes === "secret";
        if (isTyped && pages.length > 1) faults.push(`a question of two pages: ${pages.join("|")}`);
        for (const page of pages)
          if (page.length + "CON ".length > USSD_CHARACTERS_MAX || !/^[\n -Z_a-z]+$/.test(page)) faults.push(page);
      }
    }
    expect(looked.size).toBeGreaterThan(100);
    expectNone(faults);
  });

  test("has a way on: something to choose or to type, a way back, or it is the end", () => {
    const dead = steps.filter(({ step }) => {
      const { screen, session } = step;
      const hasWay = screen.choices.length > 0 || screen.takes !== "choice" || ways(session).length > 0;
      return (
        step.kind !== "end" && (!hasWay || new Set(screen.choices.map(({ key }) => key)).size < screen.choices.length)
      );
    });
    expect(dead.map(({ step }) => step.screen.at)).toEqual([]);
  });

  test("leads back where it came from, and home", () => {
    const back = steps.filter(({ said }) => said === "0" || said === "00");
    const wrong = back.filter(({ before, said, step }) => {
      const expected = said === "00" || before.trail.length === 1 ? [{ at: "home" }] : before.trail.slice(0, -1);
      return JSON.stringify(step.session.trail) !== JSON.stringify(expected);
    });
    expect(back.length).toBeGreaterThan(100);
    expectNone(wrong.map(({ before }) => JSON.stringify(before.trail)));
  });

  test("keeps no PIN in what is remembered of the conversation", () => {
    const typed = steps.filter(
      ({ before, said }) => said === "2580" && before.trail.at(-1)?.at.includes("pin") === true,
    );
    expect(typed.length).toBeGreaterThan(0);
    expectNone(typed.map(({ step }) => JSON.stringify(step.session)).filter((session) => session.includes("2580")));
  });
});

/** "home 1", "home 1 loan_offer", … */
function prefixes(way: string): string[] {
  const words = way.split(" ");
  return words.map((_, at) => words.slice(0, at + 1).join(" "));
}

describe("texts", () => {
  const same = new Set<TextId>([
    "language.name",
    "contract.choice",
    "payment.choice",
    "fault.panel",
    "agent.home",
    "agent.plan",
  ]);
  test.each(COMPLETE_LANGUAGES)("%s has every text, none of them left in English", (language) => {
    const ids = Object.keys(TEXTS.en) as TextId[];
    const isLacking = (id: TextId): boolean =>
      TEXTS[language][id] === "" || (language !== "en" && !same.has(id) && TEXTS[language][id] === TEXTS.en[id]);
    expect(ids.filter(isLacking)).toEqual([]);
  });
  test.each(LANGUAGES.filter((language) => !(COMPLETE_LANGUAGES as readonly string[]).includes(language)))(
    "%s says what it has in its own words",
    (language) => {
      const written = Object.keys(TEXTS[language]) as TextId[];
      expect(written.filter((id) => TEXTS[language][id] === "" || !(id in TEXTS.en))).toEqual([]);
      expect(written.length).toBeGreaterThan(70);
      const values = { name: "Amina", days: 3, account: "PG-10234", amount: "KES 50", count: 1, tokens: "123" };
      for (const id of ["home.days", "balance.days", "tokens.told"] as const)
        expect(write({ id, values }, { language, zone: "Africa/Lagos" })).toContain(id === "tokens.told" ? "123" : "3");
    },
  );
  test("what a language lacks is said in English", () => {
    expect(TEXTS.lg["choose.pay"]).toBeUndefined();
    expect(write({ id: "choose.pay", values: {} }, { language: "lg", zone: "Africa/Kampala" })).toBe("Pay for");
  });
  test("every text is said somewhere", () => {
    const said = new Set<string>();
    for (const { step } of steps) {
      for (const { id } of step.screen.lines) said.add(id);
      for (const { label } of step.screen.choices) said.add(label.id);
      if (step.kind === "screen" && step.note !== undefined) said.add(step.note.id);
      for (const { label } of ways(step.session)) said.add(label.id);
    }
    // What chats say around the screens is theirs to test.
    const ofScreens = Object.keys(TEXTS.en).filter((id) => !id.startsWith("chat."));
    expect(ofScreens.filter((id) => !said.has(id))).toEqual(["way.more"]);
  });
});
