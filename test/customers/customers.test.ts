import { beforeAll, describe, expect, test } from "vitest";
import { hashPhone } from "../../src/customers/phone.ts";
import { makeCustomers, type Customers, type NewCustomer } from "../../src/customers/customers.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { InvalidInput, NotFound } from "../../src/kernel/refusal.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
const makeId = makeIds(clock);
let customers: Customers;

beforeAll(() => {
  customers = makeCustomers({ clock, makeId, country: "KE" });
});

const ASHA: NewCustomer = {
  name: "Asha Wanjiru",
  language: "sw",
  area: "kitui",
  phones: ["0712345678"],
  serviceConsent: true,
  marketingConsent: false,
  actor: "staff:1",
};
const register = (more: Partial<NewCustomer> = {}) =>
  database.current.db.transaction((tx) => customers.register(tx, { ...ASHA, ...more }));

describe("registering", () => {
  test("keeps a person as told: phones in one form, the first one primary, consent with its time", async () => {
    const made = await register({
      name: "  Asha Wanjiru ",
      phones: ["0712 345 678", "+254722000111", "254712345678"],
      place: " Mwingi ",
      latitude: -0.93,
      longitude: 38.06,
    });
    expect(made).toMatchObject({
      name: "Asha Wanjiru",
      language: "sw",
      area: "kitui",
      place: "Mwingi",
      latitude: -0.93,
      longitude: 38.06,
      phones: ["+254712345678", "+254722000111"],
      serviceConsentAt: clock.now(),
      marketingConsentAt: null,
      registeredAt: clock.now(),
    });
    expect(await customers.find(database.current.db, made.id)).toEqual(made);
    expect((await database.current.db.transaction((tx) => customers.contacts(tx, [made.id]))).get(made.id)).toEqual({
      customerId: made.id,
      phone: "+254712345678",
      language: "sw",
    });
  });

  test("of somebody without a phone is possible; there is nowhere to write to then", async () => {
    const made = await register({ phones: [] });
    expect(
      (await database.current.db.transaction((tx) => customers.contacts(tx, [made.id]))).get(made.id)?.phone,
    ).toBeUndefined();
  });

  test.each<[string, Partial<NewCustomer>, string]>([
    ["no name", { name: "  " }, "name"],
    ["a name of 201 characters", { name: "x".repeat(201) }, "name"],
    ["a name with a NUL", { name: "Asha\u0000" }, "name"],
    ["no area", { area: " " }, "area"],
    ["an area with a line break", { area: "kitui\nmachakos" }, "area"],
    ["an unknown language", { language: "de" }, "language"],
    ["a phone that is none", { phones: ["12345"] }, "phone"],
    ["six phones", { phones: Array.from({ length: 6 }, (_, at) => `071234567${at}`) }, "phones"],
    ["a latitude beyond the pole", { latitude: 90.1, longitude: 0 }, "latitude"],
    ["a latitude that is no number", { latitude: Number.NaN, longitude: 0 }, "latitude"],
    ["a longitude beyond the date line", { latitude: 0, longitude: -180.5 }, "longitude"],
    ["a place with a control character", { place: "Mwingi\u0007" }, "place"],
  ])("with %s is refused by its field", async (_name, change, field) => {
    const refusal = await register(change).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(InvalidInput);
    expect(refusal).toMatchObject({ field });
  });

  test.each([
    "Ng'ang'a wa Thiong'o",
    "N'Guessan Konan-Éric",
    "'; drop table customers.customers; --",
    'Zoë "Mama" {Oti}',
    "မောင်",
  ])("takes the name %s as it is", async (name) => {
    const made = await register({ name });
    expect((await customers.require(database.current.db, made.id)).name).toBe(name);
  });
});

describe("finding", () => {
  test("somebody who does not exist is no fault, unless somebody must", async () => {
    expect(await customers.find(database.current.db, makeId())).toBeUndefined();
    await expect(customers.require(database.current.db, makeId())).rejects.toThrow(NotFound);
  });

  test("people by the hash that M-Pesa shows, all of those who share the phone", async () => {
    const phone = "+254733111222";
    const [first, second] = [
      await register({ phones: [phone] }),
      await register({ name: "Juma", phones: ["0711000111", phone] }),
    ];
    const owners = await database.current.db.transaction((tx) =>
      customers.findByPhoneHashes(tx, [hashPhone(phone), hashPhone("+254799999999")]),
    );
    expect(new Set(owners.map(({ customerId }) => customerId))).toEqual(new Set([first.id, second.id]));
  });

  test("by the start of a name, by a phone in any form, by area, and page by page", async () => {
    const { db } = database.current;
    const made = [];
    for (const [name, area, phone] of [
      ["Zawadi Oti", "meru", "0745000001"],
      ["Zawadi Kip", "meru", "0745000002"],
      ["zawadi_x", "embu", "0745000003"],
    ] as const) {
      clock.advance(1);
      made.push(await register({ name, area, phones: [phone] }));
    }
    const names = async (filter: Parameters<Customers["list"]>[1], page = { first: 10 }) =>
      (await customers.list(db, filter, page)).map(({ name }) => name);
    expect(await names({ search: "zawadi" })).toEqual(["Zawadi Oti", "Zawadi Kip", "zawadi_x"]);
    expect(await names({ search: "ZAWADI O" })).toEqual(["Zawadi Oti"]);
    expect(await names({ search: "zawadi_" })).toEqual(["zawadi_x"]);
    expect(await names({ search: "zawadi%" })).toEqual([]);
    expect(await names({ search: "zawadi", area: "meru" })).toEqual(["Zawadi Oti", "Zawadi Kip"]);
    expect(await names({ search: "+254 745 000 002" })).toEqual(["Zawadi Kip"]);
    expect(await names({ search: "0745000003" })).toEqual(["zawadi_x"]);
    expect(
      (await customers.list(db, { search: "zawadi" }, { first: 10, after: made[0]?.id })).map(({ name }) => name),
    ).toEqual(["Zawadi Kip", "zawadi_x"]);
    expect(await names({ search: "zawadi" }, { first: 1 })).toEqual(["Zawadi Oti"]);
  });
});
