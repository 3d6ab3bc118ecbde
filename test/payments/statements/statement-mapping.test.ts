import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDecimal } from "../../../src/kernel/money.ts";
import { InvalidInput, NotFound } from "../../../src/kernel/refusal.ts";
import { makeAccountFinder, patternProblem } from "../../../src/payments/rails/statement-file/account-pattern.ts";
import { parseAmount } from "../../../src/payments/rails/statement-file/amounts.ts";
import { parseMapping } from "../../../src/payments/rails/statement-file/mapping.ts";
import { makeTimeReader, type TimeFormat } from "../../../src/payments/rails/statement-file/times.ts";
import { useDatabase } from "../../support/database.ts";
import { KENYA, makeBureau } from "./statement-files.ts";

const database = useDatabase();
const db = () => database.current.db;

const BENIN = { name: "bank-bj", country: "BJ", currency: "XOF", zone: "Africa/Porto-Novo" } as const;
/** A bank's own export in French: semicolons, day first, spaces between thousands, the account inside the narration. */
const FRENCH = {
  columns: {
    reference: "Référence",
    time: "Date",
    amount: { in: "Crédit", out: "Débit" },
    account: "Libellé",
    payerPhone: "Téléphone",
    linked: "Origine",
    status: "Statut",
    balance: "Solde",
  },
  timeFormat: "DD/MM/YYYY",
  decimalMark: ",",
  thousandsMark: " ",
  accountPattern: "\\b(PG-?\\d{4,8})\\b",
  completed: ["Validé"],
  paymentType: "billpay",
  ownAccountLabel: "Compte",
  kinds: [
    { when: { column: "Libellé", contains: "frais" }, kind: "fee" },
    { when: { column: "Libellé", contains: "annulation" }, kind: "reversal" },
    { when: { column: "Libellé", contains: "virement vers banque" }, kind: "settlement" },
  ],
};
const FRENCH_FILE = [
  "Relevé de compte;Novembre;;;;;;;",
  "Compte : 00 4412 77;;;;;;;;",
  "Date;Référence;Libellé;Téléphone;Débit;Crédit;Solde;Origine;Statut",
  "01/11/2026;TX-1;Paiement énergie pg-10234 merci;22997123456;;10 000;110 000;;Validé",
  "01/11/2026;TX-2;Frais de service;;150,00;;109 850;;Validé",
  "02/11/2026;TX-3;Annulation du paiement;;10 000;;99 850;TX-1;Validé",
  "02/11/2026;TX-4;Virement vers banque;;90 000;;9 850;;Validé",
  "02/11/2026;TX-5;Paiement PG-77777;;;5 000;9 850;;Refusé",
  "02/11/2026;TX-6;Paiement sans numéro;;;1.000;10 850;;Validé",
  "Total;;;;100 150;15 000;;;",
].join("\r\n");

const bureau = () => makeBureau(db, { channel: BENIN });
const save = (mapping: unknown, name = "Banque BJ") =>
  db().transaction((tx) => bureau().statements.saveMapping(tx, { name, mapping, actor: "staff:1" }));

describe("a saved mapping", () => {
  test("reads any bank's file in its own words", async () => {
    await save(FRENCH);
    const report = await bureau().import(FRENCH_FILE, { format: { mapping: "Banque BJ" }, shortcode: "00441277" });
    expect(report).toMatchObject({ format: "mapping Banque BJ", linesTotal: 7, taken: 5, refused: 1, skipped: 1 });
    expect(report.refusedLines.map(({ line, detail }) => [line, detail])).toEqual([
      [9, '"1.000" is not an amount with "," before the decimals and " " between thousands.'],
    ]);
    expect(report.byKind).toEqual({
      payment: { lines: 1, amountMinor: 10_000n },
      fee: { lines: 1, amountMinor: -150n },
      reversal: { lines: 1, amountMinor: -10_000n },
      settlement: { lines: 1, amountMinor: -90_000n },
      other: { lines: 1, amountMinor: 0n },
    });
    expect(
      await bureau().rows(
        "select provider_id, reference, amount_minor, payer_phone, paid_at::text from payments.callbacks where rail = 'bank-bj'",
      ),
    ).toMatchObject([{ provider_id: "TX-1", reference: "pg-10234", amount_minor: "10000" }]);
    const balances = await bureau().rows(
      "select a.code, b.balance_minor from ledger.accounts a join ledger.balances b on b.account_id = a.id where a.currency = 'XOF' order by 1",
    );
    expect(balances.map(({ code, balance_minor }) => [code, Number(balance_minor)])).toEqual([
      ["system/bank/XOF", 90_000],
      ["system/clearing/bank-bj/00441277/XOF", -90_150],
      ["system/fees/bank-bj/XOF", 150],
    ]);
  });

  test("once corrected reads the same file again, takes what was refused, and closes its item on the desk", async () => {
    const file = 'When,Ref,Amount\n2026-11-01,E1,50\n2026-11-01,E2,"1,050"\n';
    const columns = { reference: "ref", time: "when", amount: { signed: "amount" } };
    const items = async () =>
      (await bureau().rows("select resolution from payments.exceptions where detail like '%1,050%'")).map(
        ({ resolution }) => resolution,
      );
    const order = { format: { mapping: "English" }, shortcode: "5511" };
    await save({ columns, timeFormat: "YYYY-MM-DD" }, "English");
    const first = await bureau().import(file, order);
    expect(first).toMatchObject({ taken: 1, refused: 1 });
    expect(await items()).toEqual([null]);
    await save({ columns, timeFormat: "YYYY-MM-DD", thousandsMark: "," }, "English");
    const second = await bureau().import(file, order);
    expect(second).toMatchObject({ taken: 1, known: 1, refused: 0, isRepeated: false });
    expect(await items()).toEqual(["Read by a later import of the same file."]);
    expect(await bureau().import(file, order)).toEqual({ ...second, isRepeated: true });
  });

  test("of another account of ours refuses the file", async () => {
    await save(FRENCH);
    const order = { format: { mapping: "Banque BJ" }, shortcode: "999" };
    await expect(bureau().import(FRENCH_FILE, order)).rejects.toThrow("is of the account 00 4412 77, not of 999");
    await expect(bureau().import(FRENCH_FILE, { ...order, format: { mapping: "none" } })).rejects.toThrow(NotFound);
  });

  test("is listed with who saved it, and replaced by its name", async () => {
    await save(FRENCH, "Twice");
    await save({ ...FRENCH, paymentType: "merchantpay" }, "Twice");
    const found = (await bureau().statements.listMappings(db())).filter(({ name }) => name === "Twice");
    expect(found).toMatchObject([{ name: "Twice", savedBy: "staff:1", mapping: { paymentType: "merchantpay" } }]);
  });

  test("shows how it reads the first lines before anything is stored", async () => {
    const head = Buffer.from(FRENCH_FILE.slice(0, -30), "latin1");
    const preview = await bureau().statements.previewMapping({ head, mapping: FRENCH, channel: BENIN });
    expect(preview).toMatchObject({
      encoding: "windows-1252",
      separator: ";",
      headerLine: 3,
      ownAccount: "00 4412 77",
    });
    expect(preview.lines.slice(0, 6).map(({ line, outcome }) => [line, outcome])).toEqual([
      [4, "read"],
      [5, "read"],
      [6, "read"],
      [7, "read"],
      [8, "read"],
      [9, "refused"],
    ]);
    expect(preview.lines[0]).toMatchObject({
      transaction: { reference: "pg-10234", amountMinor: 10_000n, kind: "payment" },
    });
  });

  test.each([
    ["an unknown field", { ...FRENCH, decimals: "," }, "Unrecognized key"],
    ["the same mark twice", { ...FRENCH, thousandsMark: "," }, "must differ"],
    ["a status without its values", { ...FRENCH, completed: undefined }, "status column needs"],
    [
      "reversals without the payment's column",
      { ...FRENCH, columns: { ...FRENCH.columns, linked: undefined } },
      "Reversals need",
    ],
    ["an unknown form of time", { ...FRENCH, timeFormat: "YY/M/D" }, "timeFormat"],
    ["a pattern that could search for ever", { ...FRENCH, accountPattern: "(a+)+$" }, "A group may not be repeated"],
  ])("with %s is refused", async (_what, mapping, reason) => {
    const refusal = save(mapping, "Bad");
    await expect(refusal).rejects.toThrow(InvalidInput);
    await expect(refusal).rejects.toThrow(reason);
  });
});

describe("an amount in a file", () => {
  const english = { decimalMark: ".", thousandsMark: ",", currency: "KES" } as const;
  test.each([
    ["10,000.00", english, 1_000_000n],
    ["-0.55", english, -55n],
    ["(1,250.5)", english, -125_050n],
    ["KES 50", english, 5_000n],
    ["50.00 DR", english, -5_000n],
    ["50.00CR", english, 5_000n],
    ["70-", english, -7_000n],
    ["−70", english, -7_000n],
    ["1.234,56", { decimalMark: ",", thousandsMark: ".", currency: "EUR" } as const, 123_456n],
    ["1 234,56", { decimalMark: ",", thousandsMark: " ", currency: "EUR" } as const, 123_456n],
    ["1\u202f234\u00a0567", { decimalMark: ",", thousandsMark: " ", currency: "XOF" } as const, 1_234_567n],
    ["1'234.50", { decimalMark: ".", thousandsMark: "'", currency: "KES" } as const, 123_450n],
    ["", english, undefined],
    [" - ", english, undefined],
  ])("%j is understood", (text, marks, minor) => {
    expect(parseAmount(text, marks)).toBe(minor);
  });

  test.each([
    "1.234,56",
    "10,00",
    "1,0000",
    "1.2.3",
    "fifty",
    "5e3",
    "50.005",
    "99,999,999,999,999.00",
    "--5 5",
    "50 KES 50",
  ])("%j is refused where commas stand between thousands", (text) => {
    expect(() => parseAmount(text, english)).toThrow(InvalidInput);
  });

  test("survives every way of writing it", () => {
    const marks = fc.constantFrom(
      { decimalMark: ".", thousandsMark: "," } as const,
      { decimalMark: ",", thousandsMark: "." } as const,
      { decimalMark: ",", thousandsMark: " " } as const,
      { decimalMark: ".", thousandsMark: "" } as const,
    );
    fc.assert(
      fc.property(
        fc.bigInt({ min: -99_999_999_999n, max: 99_999_999_999n }),
        marks,
        (minor, { decimalMark, thousandsMark }) => {
          const [whole = "", fraction = ""] = formatDecimal({ minor, currency: "KES" }).split(".");
          const text = `${whole.replace(/\B(?=(\d{3})+$)/g, thousandsMark)}${decimalMark}${fraction}`;
          expect(parseAmount(text, { decimalMark, thousandsMark, currency: "KES" })).toBe(minor);
        },
      ),
    );
  });
});

describe("a time in a file", () => {
  test.each<[TimeFormat, string, string]>([
    ["DD-MM-YYYY HH:mm:ss", "01-11-2026 12:13:25", "2026-11-01T09:13:25.000Z"],
    ["DD/MM/YYYY HH:mm", "1/11/2026 9:05", "2026-11-01T06:05:00.000Z"],
    ["YYYY-MM-DD HH:mm:ss", "2026-11-01 00:00:00", "2026-10-31T21:00:00.000Z"],
    ["MM/DD/YYYY", "11/01/2026", "2026-10-31T21:00:00.000Z"],
    ["DD.MM.YYYY", "01.11.2026 00:00:00", "2026-10-31T21:00:00.000Z"],
    ["ISO 8601", "2026-11-01T12:13:25+02:00", "2026-11-01T10:13:25.000Z"],
  ])("%s reads %s in the channel's zone", (format, text, at) => {
    expect(makeTimeReader(format, KENYA.zone)(text).toISOString()).toBe(at);
  });

  test("is put together from a date and a clock of its own column", () => {
    expect(makeTimeReader("DD/MM/YYYY", KENYA.zone)("01/11/2026", "12:13:25").toISOString()).toBe(
      "2026-11-01T09:13:25.000Z",
    );
  });

  test.each<[TimeFormat, string]>([
    ["DD-MM-YYYY HH:mm:ss", "31-02-2026 12:00:00"],
    ["DD-MM-YYYY HH:mm:ss", "2026-11-01 12:00:00"],
    ["DD-MM-YYYY HH:mm:ss", "01-11-2026"],
    ["DD-MM-YYYY HH:mm:ss", "01-11-2026 25:00:00"],
    ["MM/DD/YYYY", "13/01/2026"],
    ["ISO 8601", "2026-11-01T12:13:25"],
    ["ISO 8601", "2026-13-01T12:13:25Z"],
  ])("%s refuses %s", (format, text) => {
    expect(() => makeTimeReader(format, KENYA.zone)(text)).toThrow(InvalidInput);
  });
});

describe("a pattern for the account", () => {
  test("finds it in a narration, whatever stands around", () => {
    const find = makeAccountFinder("Acc\\.?\\s*([A-Z]{2}-?\\d{4,8})");
    expect(find("Pay Bill from 2547******126 - NICHOLAS acc. pg-10234 thanks")).toBe("pg-10234");
    expect(find("no number at all")).toBe("");
  });

  test.each(["PG-?\\d{4,8}", "\\b(\\d{5})\\b", "ref[:#]?\\s*([A-Z0-9-]{4,12})", "^(.{6})", "[^|]+\\|([0-9]+)"])(
    "%s is accepted",
    (pattern) => {
      expect(patternProblem(pattern)).toBeUndefined();
    },
  );

  test.each(["(a+)+$", "(a|aa)+$", "a|b", "(?=x)", "\\1", ".*.*.*x", "(a)(b)", "(unclosed", "[z-a]", "a**", ""])(
    "%j is not accepted",
    (pattern) => {
      expect(patternProblem(pattern)).toBeDefined();
    },
  );

  test("that is accepted is quick on the unluckiest narration", () => {
    const piece = fc.constantFrom("a", "\\d", "[ab]", ".", "a*", "[ab]+", ".*", "a?", "b{2,9}", "(a", ")", "x", "$");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const pattern = pieces.join("");
        if (patternProblem(pattern) !== undefined) return;
        const started = performance.now();
        makeAccountFinder(pattern)("ab".repeat(500));
        expect(performance.now() - started).toBeLessThan(2_000);
      }),
    );
  });
});

test("a mapping that is read back is the one that was saved", () => {
  expect(parseMapping(JSON.parse(JSON.stringify(parseMapping(FRENCH))))).toEqual(parseMapping(FRENCH));
});
