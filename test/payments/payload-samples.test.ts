import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import {
  readDarajaStatementHeader,
  readDarajaStatementLine,
  type DarajaColumns,
} from "../../src/payments/rails/daraja/statement.ts";
import { MPESA_OUTCOMES } from "./payload-samples.mpesa.ts";
import { FOLDER, sampleOf } from "./payload-samples.open.ts";
import { OTHER_OUTCOMES } from "./payload-samples.others.ts";

/*
 * Every documented sample goes through the adapter that an operator would configure, and comes to what its note says.
 * Requests are compared with what the adapter sends, answers with what it makes of them.
 */
const OUTCOMES = { ...MPESA_OUTCOMES, ...OTHER_OUTCOMES };
const STATEMENT = "25-mpesa-org-statement.csv";

test.each(Object.entries(OUTCOMES))("%s", async (file, { told, comesTo }) => {
  expect(await told(await sampleOf(file))).toMatchObject(comesTo);
});

test("25-mpesa-org-statement.csv", async () => {
  const rows = (await readFile(`${FOLDER}/${STATEMENT}`, "utf8"))
    .trim()
    .split("\n")
    .map((row) => row.split(","));
  const header = rows.findIndex((row) => readDarajaStatementHeader(row) !== undefined);
  const columns = readDarajaStatementHeader(rows[header] ?? []) as DarajaColumns;
  const terms = { currency: "KES", zone: "Africa/Nairobi" } as const;
  expect(rows.slice(header + 1).map((row) => readDarajaStatementLine(row, columns, terms))).toMatchObject([
    {
      lineReference: "RKL51ZDR4F",
      kind: "payment",
      amountMinor: 5_000n,
      reference: "PG-10234",
      at: new Date("2026-11-01T09:13:25Z"),
    },
    { lineReference: "RKL51ZDR4K", kind: "fee", amountMinor: -55n, linked: "RKL51ZDR4F" },
    { lineReference: "RKM00REV01", kind: "reversal", amountMinor: -5_000n, linked: "RKL51ZDR4F" },
  ]);
});

test("no documented sample is left out", async () => {
  expect((await readdir(FOLDER)).toSorted()).toEqual([...Object.keys(OUTCOMES), STATEMENT].toSorted());
});
