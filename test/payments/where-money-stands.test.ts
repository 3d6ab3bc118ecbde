import { afterAll, expect, test } from "vitest";
import { auditBooks } from "../scenario/books-audit.ts";
import { useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b } from "../support/village.ts";

const program = useApp();
const standing = async (codePrefix: string): Promise<bigint> =>
  (await program.current.app.ledger.trialBalance(program.current.app.database.db, { codePrefix })).reduce(
    (sum, { balanceMinor }) => sum + balanceMinor,
    0n,
  );

test("money that nobody could match stands at the provider on one side and in suspense on the other", async () => {
  await pay(program.current, { account: "PG-0000", amount: "12.50" });
  expect(await standing("system/clearing/")).toBe(1_250n);
  expect(await standing("system/suspense/")).toBe(-1_250n);
});

test("money for a contract stands at the provider, and nothing of it in suspense", async () => {
  const [clearing, suspense] = [await standing("system/clearing/"), await standing("system/suspense/")];
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "70" });
  expect((await standing("system/clearing/")) - clearing).toBe(7_000n);
  expect(await standing("system/suspense/")).toBe(suspense);
  expect(await standing(`contract/${home.contract.id}/`)).toBe(500_000n - 7_000n);
});

test("the same payment for another account is a conflict, and the money stays where it was", async () => {
  const [home, other] = [await makeHousehold(program.current), await makeHousehold(program.current)];
  const body = c2bBody(program.current, { account: home.accountNumber, amount: "70" });
  expect(await postC2b(program.current, body)).toMatchObject({ status: 200 });
  expect(await postC2b(program.current, { ...body, BillRefNumber: other.accountNumber })).toMatchObject({
    status: 409,
  });
  await program.current.settle();
  expect([(await home.refreshed()).receivedMinor, (await other.refreshed()).receivedMinor]).toEqual([7_000n, 0n]);
});

afterAll(async () => {
  await auditBooks(program.current);
});
