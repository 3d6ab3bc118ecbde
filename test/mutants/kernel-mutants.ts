import type { Mutant } from "./mutant.ts";

const MONEY = "test/kernel/money.test.ts";
const ONCE = "test/platform/idempotency.test.ts";
const DEVICES = "test/devices/devices.test.ts";

/** Mistakes in reading and writing amounts, in doing a command once, and in issuing tokens. */
export const kernelMutants: readonly Mutant[] = [
  {
    name: "50.5 is read as 50.05",
    file: "src/kernel/money.ts",
    find: 'padEnd(decimals, "0")',
    replace: 'padStart(decimals, "0")',
    caughtBy: {
      file: MONEY,
      test: "a whole number, one decimal and two decimals are the same money where a currency has cents",
    },
  },
  {
    name: "a third decimal is cut off",
    file: "src/kernel/money.ts",
    find: "if (/[1-9]/.test(fraction.slice(decimals))) {",
    replace: "if (/[1-9]/.test(fraction.slice(9))) {",
    caughtBy: { file: MONEY, test: "three decimals are refused rather than rounded" },
  },
  {
    name: "Ugandan shillings have cents",
    file: "src/kernel/money.ts",
    find: "UGX: 0,",
    replace: "UGX: 2,",
    caughtBy: { file: MONEY, test: "a currency without cents takes only zeros behind the point" },
  },
  {
    name: "five cents are written as .5",
    file: "src/kernel/money.ts",
    find: 'padStart(decimals + 1, "0")',
    replace: 'padStart(1, "0")',
    caughtBy: { file: MONEY, test: "what is written is read back as the same money, in every currency" },
  },
  {
    name: "a command's key with another body is answered as a replay",
    file: "src/platform/idempotency.ts",
    find: "if (!earlier.same) throw",
    replace: "if (earlier.same === undefined) throw",
    caughtBy: {
      file: ONCE,
      test: "the same key with another body is refused, and another person's key is another key",
    },
  },
  {
    name: "a command is done as often as it is sent",
    file: "src/platform/idempotency.ts",
    find: "if (claimed.length === 1) {",
    replace: "if (claimed.length <= 1) {",
    caughtBy: { file: ONCE, test: "the same command sent twice is done once and answered twice" },
  },
  {
    name: "the order of a request's fields makes it another request",
    file: "src/platform/idempotency.ts",
    find: ".sort(([left], [right]) => (left < right ? -1 : 1))",
    replace: ".sort(([left], [right]) => (left === right ? 1 : 0))",
    caughtBy: { file: ONCE, test: "the order in which fields were set does not change what a request is" },
  },
  {
    name: "each token of a payment has the same count",
    file: "src/devices/token-issuer.ts",
    find: "counts.get(device.id) ?? device.count",
    replace: "device.count",
    caughtBy: {
      file: "test/credit/contracts.test.ts",
      test: "of a payment that gave many gives all of them, in the order of typing",
    },
  },
  {
    name: "the device's counter stays where it was",
    file: "src/devices/token-issuer.ts",
    find: "counts.set(device.id, outcome.count);",
    replace: "counts.set(device.id, device.count);",
    caughtBy: { file: DEVICES, test: "are accepted by the lamp one after the other, and the counter follows" },
  },
  {
    name: "the rest after the last full token is not given",
    file: "src/devices/token-issuer.ts",
    find: "for (let left = units; left > 0;",
    replace: "for (let left = units; left >= VALUE_MAX.standard;",
    caughtBy: {
      file: "test/devices/token-parts.test.ts",
      test: "time is split into tokens of at most 995 units that sum to all of it",
    },
  },
  {
    name: "one cause can be answered with tokens twice",
    file: "migrations/0000_foundation.sql",
    find: "unique (cause, device_id, part)",
    replace: "unique (cause, device_id, part, count)",
    caughtBy: {
      file: DEVICES,
      test: "asked for one cause twice are refused by the database: a receipt is answered once",
    },
  },
];
