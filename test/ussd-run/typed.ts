/** What people type as amounts, and what it is worth in minor units. */
export const AMOUNTS: ReadonlyMap<string, number> = new Map([
  ["50", 5_000],
  ["Ksh 70", 7_000],
  ["1,000", 100_000],
  ["150.50", 15_050],
  ["5", 500],
]);
/** "0712345678", as everybody in Kenya writes it. */
export const PHONE = /^07\d{8}$/;
/** What a thief tries first. */
export const GUESSED = new Set(["1111", "1234", "4321", "0000"]);

/** Everybody's accounts, with the name of whose they are. Filled by whoever knows the village. */
export const payees = new Map<string, string>();

/** As much of a name as a payer who is not its owner may see. */
export const masked = (name: string): string =>
  name
    .split(" ")
    .map((word) => word.slice(0, 1) + "*".repeat(Math.min(word.length - 1, 6)))
    .join(" ");
