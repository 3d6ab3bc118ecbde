import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { parseCampaignTexts, writeCampaignText } from "../../src/messaging/campaign-text.ts";
import { approvedText, chooseAddress, type Ways } from "../../src/messaging/channel-choice.ts";
import { countParts, parseCost, times } from "../../src/messaging/costs.ts";
import { advance } from "../../src/messaging/delivery.ts";
import { parseSegment } from "../../src/messaging/segment.ts";

describe("costs", () => {
  test("a gateway's price is read to the last digit, and anything else is kept as text alone", () => {
    expect(parseCost("KES 0.8000")).toEqual({ currency: "KES", amount: "0.8000" });
    expect(parseCost("UGX 35")).toEqual({ currency: "UGX", amount: "35" });
    for (const text of ["", "0.8", "KES", "KES -1", "KES 1e3", "KES 0,8", "KES 1.", "free"])
      expect(parseCost(text)).toBeUndefined();
  });

  test("a thousand messages cost a thousand times one, exactly", () => {
    expect(times({ amount: "0.8", currency: "KES" }, 100_000)).toEqual({ amount: "80000", currency: "KES" });
    expect(times({ amount: "0.0065", currency: "USD" }, 3)).toEqual({ amount: "0.0195", currency: "USD" });
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 12n), fc.nat(100_000), (millionths, count) => {
        const digits = millionths.toString().padStart(7, "0");
        const price = { amount: `${digits.slice(0, -6)}.${digits.slice(-6)}`, currency: "KES" };
        const [whole = "", fraction = ""] = times(price, count).amount.split(".");
        expect(BigInt(whole + fraction.padEnd(6, "0"))).toBe(millionths * BigInt(count));
      }),
    );
  });

  test("parts are counted as networks count them", () => {
    expect(countParts("a".repeat(160))).toBe(1);
    expect(countParts("a".repeat(161))).toBe(2);
    expect(countParts("a".repeat(306))).toBe(2);
    expect(countParts("a".repeat(307))).toBe(3);
    expect(countParts("漢".repeat(71))).toBe(2);
  });
});

describe("the way to a person", () => {
  const now = new Date("2026-03-02T12:00:00Z");
  const enabled = ["whatsapp", "telegram", "sms"] as const;
  const approved = new Map([["token_received", "payment_1"]]);
  const ways = (given: Partial<Ways>): Ways => ({ telegram: undefined, whatsappHeardAt: undefined, ...given });
  const choose = (template: string, known: Ways | undefined, order: readonly (typeof enabled)[number][] = enabled) =>
    chooseAddress(template, known, { enabled: order, approved, now }).channel;
  const today = ways({ whatsappHeardAt: new Date("2026-03-01T12:00:01Z") });
  const yesterday = ways({ whatsappHeardAt: new Date("2026-03-01T12:00:00Z") });

  test("is the chat that they began, where the operator enabled it, and SMS otherwise", () => {
    expect(choose("payment_held", undefined)).toBe("sms");
    expect(choose("payment_held", ways({}))).toBe("sms");
    expect(choose("payment_held", today)).toBe("whatsapp");
    expect(choose("payment_held", today, ["telegram", "sms"])).toBe("sms");
    expect(choose("payment_held", ways({ telegram: "77" }))).toBe("telegram");
    expect(choose("payment_held", { ...today, telegram: "77" }, ["telegram", "whatsapp"])).toBe("telegram");
    expect(choose("payment_held", { ...today, telegram: "77" }, ["sms", "whatsapp"])).toBe("sms");
  });

  test("is WhatsApp only for approved texts a day after they last wrote", () => {
    expect(choose("payment_held", yesterday)).toBe("sms");
    expect(choose("token_received", yesterday)).toBe("whatsapp");
    expect(
      approvedText(
        {
          template: "token_received",
          language: "sw",
          values: { account: "A", amount: "KES 50", days: "3", token: "123 456 789" },
        },
        approved,
      ),
    ).toEqual({ name: "payment_1", language: "sw", values: ["KES 50", "123 456 789", "3", "A"] });
  });
});

test("chats tell sent, delivered and read in any order: a message only rises, and what failed stays failed", () => {
  expect(advance("sent", "delivered")).toBe("delivered");
  expect(advance("sent", "read")).toBe("read");
  expect(advance("delivered", "read")).toBe("read");
  expect(advance("read", "delivered")).toBe("read");
  expect(advance("delivered", "failed")).toBe("delivered");
  expect(advance("failed", "read")).toBe("failed");
});

describe("the text of a campaign", () => {
  const values = { name: "Asha", days: "3", account: "PG-10234" };

  test("has the person's own values, and the hint how to stop exactly once", () => {
    expect(writeCampaignText("Hello {name}, {account}: {days} days.", "en", values)).toBe(
      "Hello Asha, PG-10234: 3 days. Reply STOP to end these messages.",
    );
    expect(writeCampaignText("Habari {name}. Jibu STOP.", "sw", values)).toBe("Habari Asha. Jibu STOP.");
    expect(writeCampaignText("{days}", "fr", { ...values, days: undefined })).toBeUndefined();
  });

  test("what a name holds is never read as a variable", () => {
    expect(writeCampaignText("{name} STOP", "en", { ...values, name: "{account} $& é" })).toBe("{account} $& é STOP");
  });

  test.each([
    [{}, "language"],
    [{ en: "  " }, "language"],
    [{ en: "Hello {nam}" }, "{nam}"],
    [{ fr: "Bonjour {name" }, "brace"],
    [{ sw: "Habari 😀" }, "emoji"],
    [{ en: "a\u0007b" }, "control"],
    [{ en: "a".repeat(601) }, "600"],
  ])("%j is refused with a word about %s", (texts, word) => {
    expect(() => parseCampaignTexts(texts)).toThrow(word);
  });

  test("a segment with a word that nobody knows is refused, since it would mean everybody", () => {
    expect(() => parseSegment({ area: ["Kitui"] })).toThrow("area");
    expect(() => parseSegment({ areas: [] })).toThrow("areas");
    expect(parseSegment({ daysLeft: { to: 3 } })).toEqual({ daysLeft: { to: 3 } });
  });
});

test("what the operator decides about messages comes from variables, and each mistake is named", () => {
  const read = (env: Record<string, string>) => parseConfig(env).messages;
  expect(read({})).toMatchObject({
    quietHours: { from: "21:00", until: "07:00" },
    channels: ["sms"],
    remindersADay: 1,
    heardKeptDays: 180,
  });
  expect(read({ WASHA_HEARD_KEPT_DAYS: "30" }).heardKeptDays).toBe(30);
  expect(() => read({ WASHA_HEARD_KEPT_DAYS: "1" })).toThrow("WASHA_HEARD_KEPT_DAYS");
  expect(read({ WASHA_MESSAGE_COST_CAP: "KES 5000", WASHA_SMS_PART_PRICE: "KES 0.80" })).toMatchObject({
    costCap: { amount: "5000", currency: "KES" },
    partPrice: { amount: "0.80", currency: "KES" },
  });
  expect(() => read({ WASHA_MESSAGE_COST_CAP: "KES 5000" })).toThrow("WASHA_SMS_PART_PRICE");
  expect(() => read({ WASHA_QUIET_HOURS: "night" })).toThrow("WASHA_QUIET_HOURS");
  expect(() => read({ WASHA_MESSAGE_CHANNELS: "fax" })).toThrow("WASHA_MESSAGE_CHANNELS");
  expect(() => read({ WASHA_WHATSAPP_TEXTS: "hello=world" })).toThrow("WASHA_WHATSAPP_TEXTS");
  expect([...read({ WASHA_WHATSAPP_TEXTS: "unlocked=free_1" }).approvedTexts]).toEqual([["unlocked", "free_1"]]);
});
