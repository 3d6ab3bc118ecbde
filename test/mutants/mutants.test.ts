import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { creditMutants } from "./credit-mutants.ts";
import { kernelMutants } from "./kernel-mutants.ts";
import { ledgerMutants } from "./ledger-mutants.ts";
import { mutate, StaleMutant } from "./mutant.ts";
import { paymentsMutants } from "./payments-mutants.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mutants = [...ledgerMutants, ...kernelMutants, ...creditMutants, ...paymentsMutants];
const read = (file: string): string => readFileSync(join(root, file), "utf8");

test("every deliberate mistake still fits the code that it changes, once", () => {
  for (const mutant of mutants) expect(mutate(read(mutant.file), mutant)).not.toBe(read(mutant.file));
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});

test("a mistake whose text is gone, or stands twice, is an error and not a mistake that nobody noticed", () => {
  const mutant = { name: "m", file: "f", find: "a", replace: "$&", caughtBy: { file: "t", test: "t" } };
  expect(mutate("bab", mutant)).toBe("b$&b");
  expect(() => mutate("bb", mutant)).toThrow(StaleMutant);
  expect(() => mutate("aba", mutant)).toThrow(StaleMutant);
});
