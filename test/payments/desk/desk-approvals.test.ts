import { describe, expect, test } from "vitest";
import { Forbidden, NotAllowedNow, NotFound } from "../../../src/kernel/refusal.ts";
import { SecondPersonNeeded } from "../../../src/payments/desk/desk-records.ts";
import type { ApprovalId, DeskAct } from "../../../src/payments/payments.ts";
import { makeHousehold, type Household } from "../../support/village.ts";
import { useDesk } from "./desk-world.ts";

const office = useDesk({ approvalAbove: "KES:10000" });
const { db, stray, ask, done, proposed, open } = office;

const approve = (id: ApprovalId, actor = "staff:2", role: "operations" | "agent" = "operations") =>
  db().transaction((tx) => office.desk().approve(tx, { id, by: { actor, role } }));
const decline = (id: ApprovalId, actor = "staff:2") =>
  db().transaction((tx) => office.desk().decline(tx, { id, by: { actor, role: "operations" }, reason: "Not sure." }));

async function large(): Promise<{ home: Household; act: Extract<DeskAct, { kind: "match" }> }> {
  const home = await makeHousehold(office.program.current);
  const receiptId = await stray("150");
  return { home, act: { kind: "match", receiptId, parts: [{ contractId: home.contract.id, amountMinor: undefined }] } };
}

describe("an act above the limit", () => {
  test("does not happen until another person of the office approves it, and then happens once", async () => {
    const { home, act } = await large();
    const approval = await proposed(act);
    expect(approval).toMatchObject({ state: "proposed", amount: { minor: 15_000n }, proposedBy: "staff:1" });
    expect([await home.tokens(), await open(act.receiptId)]).toEqual([[], 15_000n]);
    expect(await home.messages()).toEqual([]);
    await expect(approve(approval.id, "staff:1")).rejects.toThrow(SecondPersonNeeded);
    await expect(approve(approval.id, "staff:3", "agent")).rejects.toThrow(Forbidden);
    expect(await approve(approval.id)).toMatchObject({ state: "approved", decidedBy: "staff:2" });
    expect(await approve(approval.id)).toMatchObject({ state: "approved", decidedBy: "staff:2" });
    expect([(await home.tokens()).length, await open(act.receiptId)]).toEqual([1, 0n]);
    await expect(approve(approval.id, "staff:3")).rejects.toThrow(NotAllowedNow);
    await expect(decline(approval.id)).rejects.toThrow(NotAllowedNow);
    const { events } = await office.desk().history(db(), act.receiptId);
    expect(events.find(({ kind }) => kind === "movement")?.text).toContain("by staff:1, approved by staff:2");
  });

  test("happens once when two people approve it at once", async () => {
    const { home, act } = await large();
    const { id } = await proposed(act);
    const tries = await Promise.allSettled([approve(id, "staff:2"), approve(id, "staff:3"), approve(id, "staff:2")]);
    expect(tries.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
    expect(await home.tokens()).toHaveLength(1);
  });

  test("is declined with a reason, and may be proposed anew", async () => {
    const { home, act } = await large();
    const first = await proposed(act);
    expect(await decline(first.id)).toMatchObject({ state: "declined", decision: "Not sure." });
    await expect(approve(first.id, "staff:3")).rejects.toThrow(NotAllowedNow);
    await expect(approve(first.id)).rejects.toThrow("You have declined this");
    expect(await approve((await proposed(act)).id)).toMatchObject({ state: "approved" });
    expect(await home.tokens()).toHaveLength(1);
  });

  test("that is no longer possible when it is approved fails, and says why", async () => {
    const { act } = await large();
    const [first, second] = [await proposed(act), await proposed(act)];
    await approve(first.id);
    expect(await approve(second.id)).toMatchObject({
      state: "failed",
      decision: "NOT_ALLOWED_NOW: Nothing of this payment is in suspense any more.",
    });
    expect((await office.desk().findApproval(db(), second.id))?.state).toBe("failed");
  });

  test("that is not possible at all is refused at once: nobody's time is asked for it", async () => {
    const { home, act } = await large();
    const { credit } = office.program.current.app;
    await db().transaction((tx) => credit.writeOff(tx, { contractId: home.contract.id, reason: "Lost", actor: "a" }));
    await expect(proposed(act)).rejects.toThrow(NotAllowedNow);
    await expect(approve(office.program.current.app.makeId<"Approval">())).rejects.toThrow(NotFound);
  });

  test("cannot be cut into small ones by the same person", async () => {
    const { home, act } = await large();
    const part = (amountMinor: bigint) => ({ ...act, parts: [{ contractId: home.contract.id, amountMinor }] });
    await done(part(10_000n));
    expect(await ask(part(1n))).toMatchObject({ kind: "proposed" });
    expect(await ask(part(5_000n), { actor: "staff:2" })).toMatchObject({ kind: "done" });
  });
});

test("refunds, unlinks and adjustments above the limit wait for a second person too; small ones do not", async () => {
  const home = await makeHousehold(office.program.current, { terms: { totalMinor: 20_000n } });
  const { id: contractId } = home.contract;
  const receiptId = await office.receive({ account: home.accountNumber, amount: "320" });
  const refund = { kind: "refund_contract", contractId, phone: undefined, rail: undefined } as const;
  const unlink = { kind: "unlink", receiptId, contractId, amountMinor: undefined } as const;
  const acts: readonly DeskAct[] = [
    { ...refund, amountMinor: undefined },
    unlink,
    { kind: "adjust", contractId, amountMinor: -10_001n },
    { kind: "adjust", contractId, amountMinor: 10_001n },
    { kind: "refund_suspense", receiptId: await stray("101"), amountMinor: undefined, phone: undefined },
  ];
  for (const act of acts) {
    office.program.current.clock.advance(1_000);
    expect(await ask(act)).toMatchObject({ kind: "proposed" });
  }
  expect(await ask({ ...refund, amountMinor: 100n })).toMatchObject({ kind: "done" });
  const waiting = await office.desk().approvals(db(), { state: "proposed", first: 100 });
  const ours = waiting.filter(({ act }) => "contractId" in act && act.contractId === contractId);
  expect(ours.map(({ act }) => act.kind)).toEqual(["refund_contract", "unlink", "adjust", "adjust"]);
  const [excess, wrong] = ours;
  if (excess === undefined || wrong === undefined) throw new Error("Nothing waits.");
  // What was refundable when it was proposed is not all there any more.
  expect(await approve(excess.id)).toMatchObject({ state: "failed" });
  expect(await approve(wrong.id)).toMatchObject({ state: "approved" });
  expect(await open(receiptId)).toBe(32_000n);
});
