import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countSeptets, toGsm7 } from "../../src/kernel/gsm7.ts";
import { nearest, plainWords, slipsBetween } from "../../src/ussd/channels/closeness.ts";
import { KEYWORDS, SERVICES, type Meaning } from "../../src/ussd/channels/keywords.ts";
import { renderChat, SMS_SEPTETS_AIMED } from "../../src/ussd/channels/render-chat.ts";
import { understand, type Understood } from "../../src/ussd/channels/understand.ts";
import { hear, openSession, show, ways } from "../../src/ussd/dialogue/dialogue.ts";
import type { Facts } from "../../src/ussd/dialogue/facts.ts";
import { COMPLETE_LANGUAGES, LANGUAGES, type Language } from "../../src/kernel/language.ts";
import { TEXTS } from "../../src/ussd/texts/texts.ts";
import { shapeButtons } from "../../src/messaging/gateway.whatsapp.ts";
import { answersOf, PEOPLE, TYPED } from "./people.ts";
import { walk } from "./walk.ts";

const customer = PEOPLE["customer"] as Facts;
const stranger = PEOPLE["stranger"] as Facts;
const HOP = 7;

function at(facts: Facts, presses: readonly string[] = []) {
  let step = show(openSession(facts), facts);
  for (const words of presses) {
    const next = hear(step.session, words, facts);
    if (next.kind !== "screen") throw new Error("The way leads to no screen.");
    step = next;
  }
  return step.screen;
}

function hears(
  text: string,
  {
    facts = customer,
    presses = [],
    language = "en",
    kind = "text",
  }: {
    facts?: Facts;
    presses?: readonly string[];
    language?: Language;
    kind?: "text" | "choice" | "other";
  } = {},
): Understood {
  return understand({ kind, text }, { screen: at(facts, presses), hop: HOP, facts, language });
}

const pressed = (understood: Understood): string =>
  understood.kind === "said" ? understood.said.map(({ words }) => words).join(" ") : understood.kind;

describe("what a customer writes", () => {
  test.each([
    ["BALANCE", "00 2"],
    ["balanse", "00 2"],
    ["salio", "00 2"],
    ["Salio yangu tafadhali", "00 2"],
    ["solde", "00 2"],
    ["Tokenii", "00 3 1"],
    ["CODE", "00 3 1"],
    ["kopa", "00 5 1"],
    ["my lamp is broken", "00 4 1"],
    ["Panne", "00 4 1"],
    ["Msaada", "00 4"],
    ["aide!", "00 4"],
    ["lipa", "00 1"],
    ["Lipa 100", "00 1 100"],
    ["payer 1,500", "00 1 1,500"],
    ["pay kes 50", "00 1 50"],
    ["pay 100 for PG-10234", "00 5 3 PG-10234 100"],
    ["LIPA pg 10234", "00 5 3 pg 10234"],
    ["pay 100 10234", "00 5 3 10234 100"],
    ["menu", "00"],
    ["Habari", "00"],
    ["/start", "00"],
    ["rudi", "0"],
    ["1", "1"],
    [" 2. ", "2"],
    ["3️⃣", "3"],
    ["0", "0"],
    ["see balance", "2"],
    ["Get tokn again", "3"],
    ["stop", "stop"],
    ["STOP please", "stop"],
    ["Acha", "stop"],
    ["Arrêter", "stop"],
    ["START", "start"],
    ["shop", "unclear"],
    ["step", "unclear"],
    ["مرحبا", "unclear"],
    ["🔦🔦", "unclear"],
    ["borrow and pay and token", "unclear"],
    ["x".repeat(1_000), "unclear"],
  ])("'%s' is understood as %s", (text, expected) => {
    expect(pressed(hears(text))).toBe(expected);
  });

  test.each<[language: Language, text: string, understood: string]>([
    ["ha", "biya 100", "00 1 100"],
    ["ha", "Ragowa", "00 2"],
    ["ha", "baya", "0"],
    ["ha", "balance", "00 2"],
    ["pt", "Saldo", "00 2"],
    ["pt", "código", "00 3 1"],
    ["pt", "não tenho luz, é um problema", "00 4 1"],
    ["lg", "Okusasula", "00 1"],
    ["lg", "ekizibo", "00 4 1"],
    ["sw", "baya", "unclear"],
    ["en", "biya", "unclear"],
    ["en", "komya", "stop"],
    ["sw", "Pare", "stop"],
    ["fr", "tsaya", "stop"],
  ])("in the language '%s', '%s' is understood as %s", (language, text, expected) => {
    expect(pressed(hears(text, { language }))).toBe(expected);
  });

  test.each([
    ["pay 100 PG-10234", "00 1 PG-10234 100"],
    ["balance", "00 2"],
    ["help", "00"],
  ])("of a stranger, '%s' leads to an account first", (text, expected) => {
    expect(pressed(hears(text, { facts: stranger }))).toBe(expected);
  });

  test("goes to the question that was asked, whatever else the words could mean, unless it stops all", () => {
    const presses = ["4", "3"];
    expect(pressed(hears("The balance is wrong, stop", { presses }))).toBe("The balance is wrong, stop");
    expect(pressed(hears("1", { presses }))).toBe("1");
    expect(hears("STOP", { presses }).kind).toBe("stop");
    expect(pressed(hears("Daina", { presses }))).toBe("Daina"); // a name, and "stop" in Hausa
    expect(pressed(hears("menu", { presses }))).toBe("00");
  });

  test("takes no account for another by likeness, though names may have slips", () => {
    const facts = PEOPLE["customer of six systems, without a PIN"] as Facts;
    const presses = ["2"];
    expect(pressed(hears("PG-10000002 Wilhelmina-Nyamb", { facts, presses }))).toBe("2");
    expect(hears("PG-10000009 Wilhelmina-Nyamb", { facts, presses }).kind).toBe("unclear");
  });

  test("with an account number alone is for a person: our desk may have asked for it", () => {
    expect(hears("PG-10234")).toEqual({ kind: "unclear", isForPerson: true });
  });

  test("by a button counts for the screen that it was offered on, and no other", () => {
    const choice = { kind: "choice" } as const;
    expect(pressed(hears("7.2", choice))).toBe("2");
    expect(hears("6.2", choice).kind).toBe("stale");
    expect(pressed(hears("6.00", choice))).toBe("00");
    expect(pressed(hears("menu:balance", choice))).toBe("00 2");
    for (const strange of ["", "7.9", "7.2.3", "menu:nothing", "menu:stop", "__proto__", "7.".repeat(500)])
      expect(hears(strange, choice).kind).toBe("stale");
  });

  test("never ends in an error, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.constantFrom(...COMPLETE_LANGUAGES),
        (text, language) => {
          for (const kind of ["text", "choice", "other"] as const)
            expect(hears(text, { kind, language }).kind).toMatch(/^(said|stale|unclear|stop|start)$/);
        },
      ),
    );
  });
});

describe("words", () => {
  test("every meaning has words in every language, written as they are compared, none of them of two minds", () => {
    for (const language of LANGUAGES) {
      const meanings = Object.keys(KEYWORDS.en) as Meaning[];
      expect(Object.keys(KEYWORDS[language])).toEqual(meanings);
      const words = meanings.flatMap((meaning) => [...new Set(KEYWORDS[language][meaning])]);
      expect(words.filter((word) => word !== plainWords(word))).toEqual([]);
      expect(new Set(words).size).toBe(words.length);
      for (const meaning of meanings) expect(KEYWORDS[language][meaning].length).toBeGreaterThan(0);
    }
    expect(SERVICES).not.toContain("stop");
  });

  test("one slip, also two letters exchanged, is one; a word of seven letters forgives two", () => {
    expect([slipsBetween("salio", "saloi"), slipsBetween("salio", "sali"), slipsBetween("a", "abc")]).toEqual([
      1, 1, 2,
    ]);
    const words = [
      ["balance", "b"],
      ["pay", "p"],
    ] as const;
    expect([nearest("blanse", words), nearest("ballanse", words), nearest("pya", words), nearest("py", words)]).toEqual(
      [undefined, "b", "p", undefined],
    );
  });

  test("slips are counted the same from both sides, and never more than the longer word has letters", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
    fc.assert(
      fc.property(word, word, (left, right) => {
        const slips = slipsBetween(left, right);
        expect(slips).toBe(slipsBetween(right, left));
        expect(slips).toBeLessThanOrEqual(Math.max(left.length, right.length));
        expect(slips === 0).toBe(left === right);
      }),
    );
  });
});

describe("every screen that anybody can reach", () => {
  const steps = Object.values(PEOPLE).flatMap((facts) => [...walk(facts, { answersOf, typed: TYPED })]);

  test("fits two parts of an SMS in every language, and WhatsApp's and Telegram's buttons", () => {
    const looked = new Set<string>();
    const faults: string[] = [];
    for (const { step, facts } of steps) {
      const notes = step.kind === "screen" && step.note !== undefined ? [step.note] : [];
      const key = JSON.stringify([step.screen, notes, ways(step.session)]);
      if (looked.has(key)) continue;
      looked.add(key);
      for (const language of COMPLETE_LANGUAGES) {
        const around = {
          notes,
          ways: step.kind === "end" ? [] : ways(step.session),
          hop: 999_999,
          language,
          zone: facts.zone,
        };
        const { text } = renderChat("sms", step.screen, around);
        if ((countSeptets(text) ?? Infinity) > SMS_SEPTETS_AIMED) faults.push(text);
        const chat = renderChat("whatsapp", step.screen, around);
        if (chat.text === "" || chat.text.length > 1_024) faults.push(chat.text);
        if (chat.buttons.some(({ id }) => Buffer.byteLength(id) > 64)) faults.push("a long id");
        faults.push(...(chat.buttons.length === 0 ? [] : tooLong(JSON.stringify(shapeButtons(chat.buttons)))));
      }
    }
    expect(looked.size).toBeGreaterThan(100);
    expect(faults.slice(0, 5)).toEqual([]);
  });

  /** Titles and descriptions that WhatsApp would refuse. */
  function tooLong(shaped: string): string[] {
    const most = shaped.startsWith('{"type":"button"') ? 20 : 24;
    const titles = [...shaped.matchAll(/"title":"([^"]*)"/g)].map(([, title = ""]) => title);
    const descriptions = [...shaped.matchAll(/"description":"([^"]*)"/g)].map(([, text = ""]) => text);
    return [
      ...titles.filter((title) => title === "" || title.length > most),
      ...descriptions.filter((text) => text === "" || text.length > 72),
    ];
  }
});

test("what chats say besides the screens is in letters of an SMS, one part long with its values", () => {
  for (const language of COMPLETE_LANGUAGES)
    for (const [id, text] of Object.entries(TEXTS[language]).filter(([name]) => name.startsWith("chat."))) {
      const septets = countSeptets(toGsm7(text.replaceAll(/[{}]/g, ""))) ?? Infinity;
      expect(septets, `${language} ${id}`).toBeLessThanOrEqual(160);
    }
});

test("a list of WhatsApp's cuts its titles at a word and shows the whole label below", () => {
  const labels = ["Pay", "Borrow days and pay them back next week"];
  const buttons = labels.map((label, number) => ({ id: `1.${String(number)}`, label }));
  expect(shapeButtons(buttons)).toMatchObject({
    type: "list",
    action: {
      sections: [
        {
          rows: [
            { title: "Pay" },
            { title: "Borrow days and pay…", description: "Borrow days and pay them back next week" },
          ],
        },
      ],
    },
  });
});
