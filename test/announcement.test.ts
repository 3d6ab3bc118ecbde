import { describe, expect, test } from "vitest";
import { announcementOf, formatDays } from "../src/announcement.ts";
import type { News } from "../src/credit/credit.ts";
import type { Token } from "../src/devices/devices.ts";
import type { ContractId, CustomerId, DeviceId, ReceiptId, TokenId } from "../src/kernel/ids.ts";

const token = (digits: string): Token => ({
  id: "t" as TokenId,
  deviceId: "d" as DeviceId,
  count: 3,
  kind: "add",
  units: 3,
  digits,
  cause: "r",
  part: 0,
  issuedAt: new Date(0),
});

const news = (event: News["event"], more: Partial<News> = {}): News => ({
  key: "receipt:r",
  contact: { customerId: "c" as CustomerId, phone: "+254712345678", language: "sw" },
  contractId: "k" as ContractId,
  receiptId: "r" as ReceiptId,
  amount: { minor: 15_000n, currency: "KES" },
  account: "PG-10230",
  event,
  ...more,
});

describe("light is told in days, and never more than the token holds", () => {
  test.each([
    [3, 1, "3"],
    [36, 24, "1.5"],
    [23, 24, "0.9"],
    [1, 24, "0"],
    [995, 255, "3.9"],
  ])("%i units of 1/%i day are %s days", (units, timeDivider, days) => {
    expect(formatDays(units, timeDivider)).toBe(days);
  });
});

describe("what a customer is told", () => {
  test.each<[string, News["event"], string, Record<string, string>]>([
    [
      "one token, in groups that are easy to type",
      { kind: "tokens", tokens: [token("012345678")], units: 3, timeDivider: 1 },
      "token_received",
      { token: "012 345 678", days: "3" },
    ],
    [
      "several tokens, in the order of typing",
      { kind: "tokens", tokens: [token("111222333"), token("444555666")], units: 1_990, timeDivider: 24 },
      "tokens_received",
      { tokens: "111 222 333, 444 555 666", days: "82.9" },
    ],
    [
      "light that comes by itself, without a token to type",
      { kind: "light_coming", units: 36, timeDivider: 24 },
      "light_coming",
      { days: "1.5" },
    ],
    [
      "money that is held, with what is missing",
      { kind: "held", missing: { minor: 2_000n, currency: "KES" } },
      "payment_held",
      { missing: "KES 20" },
    ],
    [
      "debt that is left",
      { kind: "debt", debt: { minor: 2_050n, currency: "KES" } },
      "payment_debt",
      { debt: "KES 20.50" },
    ],
    ["the last token", { kind: "unlocked", tokens: [token("999888777")] }, "unlocked", { token: "999 888 777" }],
    ["money that belongs to the customer", { kind: "refundable" }, "payment_refundable", {}],
  ])("%s", (_name, event, template, values) => {
    expect(announcementOf(news(event))).toEqual([
      {
        key: "receipt:r",
        toPhone: "+254712345678",
        language: "sw",
        template,
        values: { amount: "KES 150", account: "PG-10230", ...values },
        about: { contractId: "k", receiptId: "r" },
      },
    ]);
  });

  test("an unknown account is told with what was typed, and is about no contract", () => {
    const [message] = announcementOf(news({ kind: "account_unknown" }, { contractId: undefined, account: "PG-99" }));
    expect(message).toMatchObject({ template: "account_unknown", values: { amount: "KES 150", reference: "PG-99" } });
    expect(message?.about).toEqual({ receiptId: "r" });
  });

  test("a token sent again says nothing of money", () => {
    const [message] = announcementOf(
      news({ kind: "token_again", tokens: [token("012345678")] }, { amount: { minor: 0n, currency: "KES" } }),
    );
    expect(message?.values).toEqual({ account: "PG-10230", token: "012 345 678" });
  });

  test("light that did not come is told with its tokens, and says nothing of money again", () => {
    const tokens = [token("111222333"), token("444555666")];
    const [message] = announcementOf(news({ kind: "tokens_after_all", tokens, units: 48, timeDivider: 24 }));
    expect(message).toMatchObject({
      template: "light_did_not_come",
      values: { account: "PG-10230", tokens: "111 222 333, 444 555 666", days: "2" },
    });
  });

  test("who has no phone is sent nothing", () => {
    const contact = { customerId: "c" as CustomerId, phone: undefined, language: "en" } as const;
    expect(announcementOf(news({ kind: "refundable" }, { contact }))).toEqual([]);
  });
});
