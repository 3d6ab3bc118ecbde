import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const CASES_MAX = 25;

test("each of the 25 cases of mobile money has one test that carries its number and its name", async () => {
  const folder = import.meta.dirname;
  const files = (await readdir(folder)).filter((name) => name.endsWith(".test.ts"));
  const texts = await Promise.all(files.map((name) => readFile(`${folder}/${name}`, "utf8")));
  const names = texts.flatMap((text) =>
    [...text.matchAll(/^test\((["'])case (\d+): (.+)\1, async/gm)].map(([, , number, name]) => ({
      number: Number(number),
      name: name ?? "",
    })),
  );
  expect(names.map(({ number }) => number).toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: CASES_MAX }, (_, at) => at + 1),
  );
  expect(Object.fromEntries(names.map(({ number, name }) => [number, name]))).toEqual(NAMES);
});

/** As the specification has them. */
const NAMES: Readonly<Record<number, string>> = {
  1: "the same confirmation twice, at once",
  2: "STK callback and C2B copy of one payment",
  3: "C2B arrives before the STK response is saved",
  4: "STK says 1037 or 1032, then the money arrives",
  5: "MTN callback never comes",
  6: "a confirmation is found only by Pull",
  7: "an outage of more than 48 h",
  8: "account typed `pg-1O234 `",
  9: "unknown account, no validation",
  10: "a valid account, another person's",
  11: "the payer's phone belongs to another customer",
  12: "a till payment without account",
  13: "organisation to organisation",
  14: "more than the final balance",
  15: "less than one day's price",
  16: "the price changes while money is on its way",
  17: "a reversal after the token was used",
  18: "a reversal before its payment",
  19: 'ResultCode "", null, "SFC_IC0003"',
  20: "a forged callback",
  21: "Airtel TIP or TA, HTTP 504",
  22: "the amount differs from the intent",
  23: 'a USSD hop repeated on "confirm"',
  24: 'the session drops after "confirm"',
  25: "the SMS went out, the record of it was lost",
};
