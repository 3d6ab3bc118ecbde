import { describe, expect, test } from "vitest";
import { daraja } from "../../../../src/payments/rails/daraja/daraja.ts";
import { FORBIDDEN_IN_DARAJA_URL } from "../../../../src/payments/rails/daraja/settings.ts";
import { InvalidSettings, isAble, type Rail } from "../../../../src/payments/rails/rail.ts";
import { FULL_SETTINGS, NOW, openDaraja, type Script } from "./open-daraja.ts";
import { PULL_PAGE } from "./samples.ts";

const kes = (minor: bigint) => ({ minor, currency: "KES" as const });
const error = (errorCode: string, errorMessage: string) => ({ requestId: "1", errorCode, errorMessage });
const says =
  (status: number, body: unknown): Script =>
  () => ({ status, body });

describe("the pulled list", () => {
  const WINDOW = { from: new Date("2020-08-04T05:36:00Z"), to: new Date("2020-08-06T07:10:00Z"), cursor: undefined };
  const row = { ...PULL_PAGE.Response[0]?.[0] };

  test("the documented page tells of a payment with its time, its account and its payer", async () => {
    const { rail, sent } = openDaraja(says(200, PULL_PAGE));
    const page = await list(rail).page(WINDOW);
    expect(sent[0]?.body).toEqual({
      ShortCode: "600000",
      StartDate: "2020-08-04 08:36:00",
      EndDate: "2020-08-06 10:10:00",
      OffSetValue: "0",
    });
    expect(page).toMatchObject({ next: undefined, unreadable: [] });
    expect(page.items).toHaveLength(1);
    expect(page.items[0]?.report).toMatchObject({
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: "LHG31AA5TX",
      amount: kes(5_000n),
      creditParty: "600000",
      reference: "PG-10234",
      payer: { phone: "+254722000000", name: "UAT2" },
      at: new Date("2020-08-05T10:13:00Z"),
    });
  });

  test("nothing paid is an empty page", async () => {
    const none = { ResponseCode: "1001", ResponseMessage: "None", Response: [[]] };
    expect(await list(openDaraja(says(200, none)).rail).page(WINDOW)).toEqual({
      items: [],
      unreadable: [],
      next: undefined,
    });
  });

  test("a full page leads to the next row, and no row is asked for twice", async () => {
    const rows = Array.from({ length: 130 }, (_, index) => ({ ...row, transactionId: `LHG31AA${1000 + index}` }));
    const { rail } = openDaraja((_path, body) => {
      const offset = Number(body["OffSetValue"]);
      return { status: 200, body: { ResponseCode: "1000", Response: [rows.slice(offset, offset + 100)] } };
    });
    const seen: (string | undefined)[] = [];
    for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page += 1) {
      const { items, next } = await list(rail).page({ ...WINDOW, cursor });
      seen.push(...items.map(({ report }) => report.transactionReference));
      cursor = next;
    }
    expect(seen).toEqual(rows.map(({ transactionId }) => transactionId));
  });

  test("one entry that cannot be read does not hide the others", async () => {
    const Response = [
      [
        { ...row, amount: "-1" },
        {
          TransactionID: "LHG31AA5TY",
          TrxDate: "2020-08-05T10:13:00Z",
          Amount: 70,
          TransactionType: "c2b-buy-goods-debit",
        },
        null,
        { ...row, transactiontype: "c2b-reversal" },
        { ...row, transactionId: "LHG31AA5TZ", transactiontype: "c2b-reversal", originalTransactionId: "LHG31AA5TX" },
        { ...row, transactiontype: "organization-to-organization" },
      ],
    ];
    const { items, unreadable } = await list(openDaraja(says(200, { ResponseCode: 1000, Response })).rail).page(WINDOW);
    expect(items.map(({ report }) => [report.type, report.transactionReference])).toEqual([
      ["merchantpay", "LHG31AA5TY"],
      ["reversal", "LHG31AA5TZ"],
      ["transfer", "LHG31AA5TX"],
    ]);
    expect(items[1]?.report.originalTransactionReference).toBe("LHG31AA5TX");
    expect(unreadable).toHaveLength(3);
  });

  test("another answer is a fault: the sweep comes again", async () => {
    const { rail } = openDaraja(says(500, error("500.003.1001", "Internal Server Error")));
    await expect(list(rail).page(WINDOW)).rejects.toThrow("500.003.1001");
  });

  function list(rail: Rail) {
    if (!isAble(rail.list)) throw new Error(rail.list.cannot);
    return rail.list;
  }
});

describe("settings", () => {
  test("with shortcodes alone payments are taken, and the rest says what it needs", () => {
    const { rail } = openDaraja(undefined, { baseUrl: "https://daraja.test/", shortcodes: ["600966"] });
    for (const [ability, missing] of [
      [rail.requestPayment, "stk"],
      [rail.enquire, "stk or initiator"],
      [rail.refund, "initiator"],
      [rail.list, "pull"],
    ] as const) {
      expect(isAble(ability)).toBe(false);
      expect(ability).toMatchObject({ cannot: expect.stringContaining("consumerKey") as string });
      expect(ability).toMatchObject({ cannot: expect.stringContaining(missing) as string });
    }
  });

  test.each([
    ["no shortcode", { shortcodes: [] }, "shortcodes"],
    ["a shortcode with letters", { shortcodes: ["PAYBILL"] }, "shortcodes.0"],
    ["half of the keys", { consumerSecret: undefined }, "consumerKey"],
    ["an unknown key", { passkey: "1234" }, "passkey"],
    ["a prompt that pays somebody else", { stk: { ...FULL_SETTINGS.stk, shortcode: "999999" } }, "stk"],
    ["a list of somebody else", { pull: { shortcode: "999999" } }, "pull"],
    ["no address", { baseUrl: "daraja" }, "baseUrl"],
  ])("%s is refused by name", (_name, changes, named) => {
    expect(() => daraja.parseSettings({ ...FULL_SETTINGS, ...changes })).toThrow(InvalidSettings);
    expect(() => daraja.parseSettings({ ...FULL_SETTINGS, ...changes })).toThrow(named);
  });

  test("nothing is signed, and the words that Safaricom refuses in addresses are known", async () => {
    const { rail } = openDaraja();
    const delivery = {
      door: "stk",
      parameter: undefined,
      method: "POST",
      url: "/",
      headers: {},
      raw: Buffer.alloc(0),
      receivedAt: NOW,
    };
    expect(await rail.verify(delivery, async () => Promise.resolve(undefined))).toEqual({ trust: "unsigned" });
    expect(FORBIDDEN_IN_DARAJA_URL).toEqual(["mpesa", "safaricom", "exe", "cmd", "sql", "query"]);
  });
});
