import { COMPLETE_LANGUAGES, type Language } from "../../src/kernel/language.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advance, isFinal, parseDeliveryReport, type DeliveryState } from "../../src/messaging/delivery.ts";
import { countSeptets, toGsm7 } from "../../src/kernel/gsm7.ts";
import { render, TEMPLATE_VALUES, type Template } from "../../src/messaging/texts.ts";
import { readTokens } from "../../simulators/phone/phone.ts";

const TEMPLATES = Object.keys(TEMPLATE_VALUES) as Template[];
const TYPICAL = {
  amount: "KES 1,250",
  token: "123 456 789",
  tokens: "123 456 789, 234 567 890",
  days: "30",
  account: "1234-5678",
  missing: "KES 15.50",
  debt: "KES 12,400",
  reference: "0711000111",
  problem: "paneli haitoi umeme mchana",
  device: "SHS-000004211",
  place: "Mutomo",
  count: "40",
  ticket: "R-1042",
  names: "Mutomo, Ikutha, SHS-000004211",
};
const SMS_SEPTETS_MAX = 160;

describe.each([...COMPLETE_LANGUAGES, "pt"] as const)("texts in %s", (language) => {
  test.each(TEMPLATES)("%s says everything it was given in one plain SMS", (template) => {
    const text = render({ language, template, values: TYPICAL });
    for (const name of TEMPLATE_VALUES[template]) expect(text).toContain(TYPICAL[name]);
    expect(countSeptets(text), text).toBeLessThanOrEqual(SMS_SEPTETS_MAX);
    expect(text).not.toMatch(/\?|undefined| {2}|\s$/);
  });

  test("a person, or a simulated phone, finds the tokens and nothing else in the text", () => {
    const tokensOf = (template: Template): readonly string[] => {
      const names: readonly string[] = TEMPLATE_VALUES[template];
      if (names.includes("tokens")) return ["123456789", "234567890"];
      return names.includes("token") ? ["123456789"] : [];
    };
    for (const template of TEMPLATES) {
      expect(readTokens(render({ language, template, values: TYPICAL })), template).toEqual(tokensOf(template));
    }
  });
});

test("one day is not written as several", () => {
  const say = (language: Language): string =>
    render({ language, template: "token_received", values: { ...TYPICAL, days: "1" } });
  expect(say("en")).toContain("for 1 day.");
  expect(say("fr")).toContain("pour 1 jour.");
  expect(say("sw")).toContain("siku 1.");
  expect(say("pt")).toContain("para ter 1 dia.");
});

test("what a stranger typed as a reference stays short and harmless in a text under our name", () => {
  const values = { ...TYPICAL, reference: "You won!\nCall +254700000000 http://evil.example/now" };
  const text = render({ language: "en", template: "account_unknown", values });
  expect(text).toContain("there is no account You won Call 2547000.");
});

test("a message without one of its values is a mistake that is named", () => {
  expect(() => render({ language: "en", template: "token_again", values: { token: "1" } })).toThrow("account");
  expect(() => render({ language: "en", template: "no_such", values: {} })).toThrow("no_such");
});

test("any text can be written in the alphabet of SMS, and what is in it already stays", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const written = toGsm7(text);
      expect(countSeptets(written)).toBeDefined();
      expect(toGsm7(written)).toBe(written);
    }),
  );
  expect(toGsm7("reçu : forêt “œuf” é à € 漢")).toBe('recu : foret "oeuf" é à € ?');
});

const STATUSES = ["Queued", "Sent", "Submitted", "Buffered", "Success", "Failed", "Rejected", "Nonsense"];

test("in whatever order reports come, a message only moves forward, and its first final state is its last", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...STATUSES), { maxLength: 12 }), (statuses) => {
      let state: DeliveryState = "queued";
      for (const status of statuses) {
        const next = advance(state, status);
        expect(!isFinal(state) || next === state).toBe(true);
        state = next;
      }
      expect(isFinal(state)).toBe(statuses.some((status) => ["Success", "Failed", "Rejected"].includes(status)));
    }),
  );
});

test("anything may be posted as a report; only what has an id and a status is one", () => {
  fc.assert(
    fc.property(fc.anything(), (fields) => {
      parseDeliveryReport(fields);
    }),
  );
  expect(parseDeliveryReport({ id: "a" })).toBeUndefined();
  expect(parseDeliveryReport({ id: ["a"], status: "Sent" })).toBeUndefined();
  expect(parseDeliveryReport({ id: "a", status: "Sent", other: "x" })).toEqual({ providerId: "a", status: "Sent" });
});

test("a payment worth many tokens names every one of them, however long the message grows", () => {
  const tokens = Array.from({ length: 40 }, (_, at) => `${String(100 + at)} 456 789`).join(", ");
  for (const language of COMPLETE_LANGUAGES) {
    const values = { amount: "KES 900,000", tokens, days: "39000", account: "PG-10008" };
    expect(render({ language, template: "tokens_received", values })).toContain(tokens);
  }
});
