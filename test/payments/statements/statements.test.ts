import { describe, expect, test } from "vitest";
import { InvalidInput } from "../../../src/kernel/refusal.ts";
import { useDatabase } from "../../support/database.ts";
import { feeLine, HEADER, KENYA, makeBureau, paymentLine, receiptNumber, SAMPLE } from "./statement-files.ts";

const database = useDatabase();
const db = () => database.current.db;
let channels = 0;
/** A channel of the test's own, so that no test meets another one's references. */
const newChannel = () => ({ ...KENYA, name: `mpesa-${++channels}` });
const begin = (options: Parameters<typeof makeBureau>[1] = {}) => {
  const channel = newChannel();
  return { rail: channel.name, ...makeBureau(db, { channel, ...options }) };
};
const balancesOf = async (rail: string) =>
  Object.fromEntries(
    (
      await makeBureau(db).rows(
        `select a.code, b.balance_minor from ledger.accounts a join ledger.balances b on b.account_id = a.id where a.code like '%${rail}/%'`,
      )
    ).map(({ code, balance_minor }) => [String(code).replace(rail, "…"), Number(balance_minor)]),
  );

describe("a statement of M-Pesa", () => {
  test("tells of a payment with its own time, of what the provider kept, and of what went back", async () => {
    const { rail, ...bureau } = begin();
    const report = await bureau.import(SAMPLE);
    expect(report).toMatchObject({
      linesTotal: 3,
      taken: 3,
      known: 0,
      refused: 0,
      skipped: 0,
      exceptions: 0,
      encoding: "utf-8",
    });
    expect(report.byKind).toEqual({
      payment: { lines: 1, amountMinor: 5_000n },
      fee: { lines: 1, amountMinor: -55n },
      reversal: { lines: 1, amountMinor: -5_000n },
    });
    expect(report.fromAt).toEqual(new Date("2026-11-01T09:13:25Z"));
    expect(
      await bureau.rows(
        `select provider_id, amount_minor, source, form, type, reference, shortcode, payer_name, paid_at from payments.callbacks where rail = '${rail}'`,
      ),
    ).toMatchObject([
      {
        provider_id: "RKL51ZDR4F",
        amount_minor: "5000",
        source: "statement",
        form: "statement",
        type: "billpay",
        reference: "PG-10234",
        shortcode: "600966",
        payer_name: "NICHOLAS",
      },
    ]);
    expect(
      await bureau.rows(
        `select type, original_provider_id, provider_id, amount_minor from payments.notices where rail = '${rail}'`,
      ),
    ).toEqual([
      { type: "reversal", original_provider_id: "RKL51ZDR4F", provider_id: "RKM00REV01", amount_minor: "5000" },
    ]);
    expect(await balancesOf(rail)).toEqual({ "system/clearing/…/600966/KES": -55, "system/fees/…/KES": 55 });
    expect(
      await bureau.rows(
        `select provider_id, kind, amount_minor from payments.listed where rail = '${rail}' order by provider_id`,
      ),
    ).toEqual([
      { provider_id: "RKL51ZDR4F", kind: "payment", amount_minor: "5000" },
      { provider_id: "RKL51ZDR4K", kind: "fee", amount_minor: "-55" },
      { provider_id: "RKM00REV01", kind: "reversal", amount_minor: "-5000" },
    ]);
  });

  test("given twice answers the first report and does nothing", async () => {
    const { rail, ...bureau } = begin();
    const first = await bureau.import(SAMPLE);
    const before = await balancesOf(rail);
    const second = await bureau.import(SAMPLE, { fileName: "again.csv", actor: "staff:2" });
    expect(second).toEqual({ ...first, isRepeated: true });
    expect(await balancesOf(rail)).toEqual(before);
  });

  test("given twice at once is imported once", async () => {
    const { rail, ...bureau } = begin();
    const reports = await Promise.all([bureau.import(SAMPLE), bureau.import(SAMPLE)]);
    expect(reports.filter(({ isRepeated }) => isRepeated)).toHaveLength(1);
    expect(new Set(reports.map(({ statementId }) => statementId)).size).toBe(1);
    expect(await bureau.count(`payments.statements where rail = '${rail}'`)).toBe(1);
  });

  test("of a longer period takes only what is new, and posts no fee a second time", async () => {
    const { rail, ...bureau } = begin();
    await bureau.import(SAMPLE);
    const report = await bureau.import(
      `${SAMPLE}RKM00NEW01,02-11-2026 08:00:00,,Pay Bill,Completed,20.00,,1.00,TRUE,Pay Utility,,,PG-1\n`,
    );
    expect(report).toMatchObject({ linesTotal: 4, taken: 1, known: 3, refused: 0 });
    expect(await balancesOf(rail)).toEqual({ "system/clearing/…/600966/KES": -55, "system/fees/…/KES": 55 });
  });

  test("of another shortcode is refused as a whole", async () => {
    const { rail, ...bureau } = begin();
    await expect(bureau.import(SAMPLE, { shortcode: "174379" })).rejects.toThrow(
      "is of the account 600966, not of 174379",
    );
    expect(await bureau.count(`payments.statements where rail = '${rail}'`)).toBe(0);
  });

  test.each([
    "Short Code:,600966 - ACME SOLAR LTD,,",
    "Organization Short Code: 600966",
    "Short Code,600966",
    '"Short Code:","=""600966"""',
  ])("that names its shortcode as %j is taken for that one alone", async (line) => {
    const { rail: _rail, ...bureau } = begin();
    const file = [line, HEADER, paymentLine("RKLPAY0001")].join("\n");
    await expect(bureau.import(file, { shortcode: "60096" })).rejects.toThrow("not of 60096");
    expect(await bureau.import(file)).toMatchObject({ taken: 1 });
  });

  test("with an amount that differs from the known payment's goes to the desk, and the books stay", async () => {
    const { rail, ...bureau } = begin();
    await bureau.import([HEADER, paymentLine("RKLPAY0001"), feeLine("RKLFEE0001")].join("\n"));
    const report = await bureau.import(
      [HEADER, paymentLine("RKLPAY0001", "500.00"), feeLine("RKLFEE0001", "-5.50"), paymentLine("RKLPAY0002")].join(
        "\n",
      ),
    );
    expect(report).toMatchObject({ linesTotal: 3, taken: 1, known: 0, refused: 2, exceptions: 2 });
    expect(report.refusedLines.map(({ line, detail }) => [line, detail])).toEqual([
      [2, "It says KES 500, and the same reference is known with KES 50."],
      [3, "It says KES -5.50, and the same reference is known with KES -0.55."],
    ]);
    expect(
      await bureau.rows(
        `select kind, subject, on_date::text, amount_minor from payments.exceptions where rail = '${rail}' order by subject`,
      ),
    ).toEqual([
      { kind: "line_conflict", subject: "RKLFEE0001", on_date: "2026-11-01", amount_minor: "-550" },
      { kind: "line_conflict", subject: "RKLPAY0001", on_date: "2026-11-01", amount_minor: "50000" },
    ]);
    expect(await balancesOf(rail)).toMatchObject({ "system/fees/…/KES": 55 });
  });

  test("with a fee that was posted on another account of ours refuses that line alone", async () => {
    const { rail, ...bureau } = begin();
    await bureau.import([HEADER, feeLine("RKLFEE0001")].join("\n"));
    const report = await bureau.import([HEADER, feeLine("RKLFEE0001"), feeLine("RKLFEE0002")].join("\n"), {
      shortcode: "174379",
    });
    expect(report).toMatchObject({
      taken: 1,
      known: 0,
      refused: 1,
      exceptions: 1,
      byKind: { fee: { lines: 1, amountMinor: -55n } },
    });
    expect(await balancesOf(rail)).toEqual({
      "system/clearing/…/600966/KES": -55,
      "system/clearing/…/174379/KES": -55,
      "system/fees/…/KES": 110,
    });
  });

  test("knows a payment that a callback told, though its account is written differently", async () => {
    const { rail, ...bureau } = begin();
    await bureau.import([HEADER, paymentLine("RKLPAY0001")].join("\n"));
    const report = await bureau.import([HEADER, paymentLine("RKLPAY0001").replace(/PG-10234$/, "pg 10234")].join("\n"));
    expect(report).toMatchObject({ taken: 0, known: 1, refused: 0 });
    expect(await bureau.count(`payments.exceptions where rail = '${rail}'`)).toBe(0);
  });

  test("explains money out by our own payouts, and puts the rest on the desk", async () => {
    const { rail, ...bureau } = begin();
    await bureau.rows(`insert into payments.payouts (id, rail, method, correlation, shortcode, amount_minor, currency, source_account_id, reason, requested_by, state, provider_id, created_at)
      values (gen_random_uuid(), '${rail}', 'disbursement', gen_random_uuid()::text, '600966', 2000, 'KES', 1, 'excess', 'staff:1', 'completed', 'RKLOUT0001', now())`);
    const out = (receipt: string, amount: string, reason: string, status = "Completed") =>
      `${receipt},01-11-2026 12:20:02,${reason},${status},,${amount},1.00,${reason},2547******126 - JANE,,`;
    const report = await bureau.import(
      [
        HEADER,
        out("RKLOUT0001", "-20.00", "Business Payment to Customer"),
        out("RKLOUT0002", "-30.00", "Business Payment to Customer"),
        out("RKLBANK001", "-100.00", "Organization Settlement to Bank"),
        out("RKLODD0001", "-7.00", "Airtime Purchase"),
        out("RKLFAIL001", "-8.00", "Airtime Purchase", "Failed"),
      ].join("\n"),
    );
    expect(report).toMatchObject({ taken: 4, known: 1, refused: 0, exceptions: 2 });
    expect(
      await bureau.rows(
        `select kind, subject, amount_minor from payments.exceptions where rail = '${rail}' order by subject`,
      ),
    ).toEqual([
      { kind: "listed_not_booked", subject: "RKLODD0001", amount_minor: "-700" },
      { kind: "listed_not_booked", subject: "RKLOUT0002", amount_minor: "-3000" },
    ]);
    expect(await balancesOf(rail)).toMatchObject({ "system/clearing/…/600966/KES": -10_000 });
  });
});

describe("a bad file", () => {
  test.each([
    ["an empty one", "", "This file is empty."],
    ["a workbook", Buffer.from("504b0304140000", "hex"), "an Excel workbook"],
    ["a PDF", "%PDF-1.7 …", "is a PDF"],
    ["binary data", Buffer.from("cafebabe000012340000000001", "hex"), "binary data"],
    ["one without lines", `${HEADER}\n\n\n`, "no line under it"],
    [
      "one with missing columns",
      "Receipt No.,Completion Time,Details,Paid In\nRKLPAY0001,01-11-2026 12:13:25,x,50.00\n",
      "Missing columns: Transaction Status, Withdrawn. The nearest line has: Receipt No., Completion Time, Details, Paid In.",
    ],
    [
      "one whose quote is never closed",
      `${HEADER}\n${paymentLine("RKLPAY0001")}\nRKLPAY0002,"01-11-2026`,
      "Line 3 cannot be read as CSV",
    ],
    [
      "one of which nothing can be read",
      `${HEADER}\nx,y,z\n`,
      "No line of this file can be read. The first one: Receipt No. is not",
    ],
  ])("%s is refused as a whole, and says why", async (_what, file, reason) => {
    const { rail, ...bureau } = begin();
    const refusal = bureau.import(typeof file === "string" ? file : new Uint8Array(file));
    await expect(refusal).rejects.toThrow(InvalidInput);
    await expect(refusal).rejects.toThrow(reason);
    expect(await bureau.count(`payments.statements where rail = '${rail}'`)).toBe(0);
    expect(await bureau.count(`payments.exceptions where rail = '${rail}'`)).toBe(0);
  });

  test("of which most lines are unreadable leaves nothing, instead of thousands of items on the desk", async () => {
    const { rail, ...bureau } = begin();
    const lines = Array.from({ length: 3_000 }, (_, at) =>
      at % 3 === 0 ? paymentLine(receiptNumber(at)) : `?,?,?,${at}`,
    );
    await expect(bureau.import([HEADER, ...lines].join("\n"))).rejects.toThrow("lines cannot be taken, so nothing was");
    expect(await bureau.count(`payments.callbacks where rail = '${rail}'`)).toBe(0);
  });
});

describe("a file from another program", () => {
  const accented = `Short Code:;600966\r\n${[HEADER, paymentLine("RKLPAY0001", '"10,000.00"', "ÉLODIE N’DIAYE")].join("\r\n").replaceAll(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/g, ";")}\r\n`;
  const utf16 = (text: string, { swap = false, bom = true } = {}) => {
    const bytes = Buffer.from(`${bom ? "\ufeff" : ""}${text}`, "utf16le");
    return new Uint8Array(swap ? bytes.swap16() : bytes);
  };
  const windows1252 = (text: string) => new Uint8Array(Buffer.from(text.replaceAll("’", "\x92"), "latin1"));

  test.each([
    ["utf-8", "utf-8", Buffer.from(accented)],
    ["utf-8 with its mark", "utf-8", Buffer.from(`\ufeff${accented}`)],
    ["utf-16le", "utf-16le", utf16(accented)],
    ["utf-16le without its mark", "utf-16le", utf16(accented, { bom: false })],
    ["utf-16be", "utf-16be", utf16(accented, { swap: true })],
    ["utf-16be without its mark", "utf-16be", utf16(accented, { swap: true, bom: false })],
    ["windows-1252", "windows-1252", windows1252(accented)],
  ])(
    "in %s with semicolons, accents and thousands separators is read to the letter",
    async (_what, encoding, bytes) => {
      const { rail, ...bureau } = begin();
      expect(await bureau.import(bytes)).toMatchObject({ encoding, taken: 1, refused: 0 });
      expect(
        await bureau.rows(`select amount_minor, payer_name from payments.callbacks where rail = '${rail}'`),
      ).toEqual([{ amount_minor: "1000000", payer_name: "ÉLODIE N’DIAYE" }]);
    },
  );

  test("with tabs, a long preamble, empty lines, page headers, totals and a footer takes the payments alone", async () => {
    const { rail: _rail, ...bureau } = begin();
    const file = [
      ...Array.from({ length: 30 }, (_, at) => `Remark ${at}`),
      HEADER,
      "",
      paymentLine("RKLPAY0001"),
      ",,,,,,,,,,",
      HEADER,
      paymentLine("RKLPAY0002"),
      "",
      "Total,,,,100.00,0.00,,,,,",
      ",,,,100.00,,,,,,",
      "Printed on 02-11-2026 by ADMIN",
    ];
    const report = await bureau.import(file.join("\n").replaceAll(",", "\t"));
    expect(report).toMatchObject({ linesTotal: 6, taken: 2, known: 0, refused: 0, skipped: 4 });
  });

  test("with doubled lines counts each payment once", async () => {
    const { rail, ...bureau } = begin();
    const lines = [
      paymentLine("RKLPAY0001"),
      paymentLine("RKLPAY0001"),
      feeLine("RKLFEE0001"),
      paymentLine("RKLPAY0002"),
      feeLine("RKLFEE0001"),
      paymentLine("RKLPAY0001"),
    ];
    const report = await bureau.import([HEADER, ...lines].join("\n"));
    expect(report).toMatchObject({ linesTotal: 6, taken: 3, known: 3, refused: 0, exceptions: 0 });
    expect(await bureau.count(`payments.callbacks where rail = '${rail}'`)).toBe(2);
    expect(await balancesOf(rail)).toMatchObject({ "system/fees/…/KES": 55 });
  });

  test("with torn quotes, shifted cells and odd dates refuses those lines by number and takes the rest", async () => {
    const { rail, ...bureau } = begin();
    const file = [
      HEADER,
      paymentLine("RKLPAY0001", "50.00", 'JOHN "JJ" DOE'),
      paymentLine("RKLPAY0002").replace("Pay Bill", '"Pay Bill'),
      paymentLine("RKLPAY0003"),
      paymentLine("RKLPAY0004", '"1,050.00"'),
      paymentLine("RKLPAY0005", "1,050.00"),
      paymentLine("RKLPAY0006").replace("01-11-2026", "31-11-2026"),
      paymentLine("RKLPAY0007", '"1,05.00"'),
      paymentLine("RKLPAY0008").replace(/Pay Bill from [^,]*/, '"$&\nin two lines"'),
      paymentLine("RKLPAY0009"),
    ];
    const report = await bureau.import(file.join("\n"));
    expect(report.refusedLines.map(({ line, detail }) => [line, detail])).toEqual([
      [3, "A quote in it is not closed."],
      [6, "It has 12 cells, and the header has 11."],
      [7, "Completion Time is no moment of the calendar."],
      [8, "Paid In is not an amount such as 10,000.00."],
    ]);
    const taken = await bureau.rows(
      `select provider_id, line from payments.statement_lines l join payments.statements s on s.id = l.statement_id where rail = '${rail}' and outcome = 'taken' order by line`,
    );
    expect(taken.map(({ provider_id, line }) => [String(provider_id).at(-1), line])).toEqual([
      ["1", 2],
      ["3", 4],
      ["4", 5],
      ["8", 9],
      ["9", 11],
    ]);
    const onDesk = await bureau.rows(
      `select subject, detail from payments.exceptions where rail = '${rail}' and kind = 'unreadable_line' order by subject`,
    );
    expect(onDesk).toHaveLength(4);
    expect(onDesk[0]).toMatchObject({
      subject: expect.stringMatching(/^[0-9a-f]{12}:3$/),
      detail: "Line 3: A quote in it is not closed.",
    });
  });
});
