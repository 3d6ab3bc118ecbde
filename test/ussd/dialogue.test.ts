import { describe, expect, test } from "vitest";
import { ways } from "../../src/ussd/dialogue/dialogue.ts";
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

describe("every screen that anybody can reach", () => {
  test("is there to be walked: all places of the dialogue are reached", () => {
    const reached = new Set(steps.map(({ step }) => step.screen.at));
    expect([...reached].toSorted()).toMatchSnapshot();
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
