import { findException, resolveExceptionById } from "../reconciliation/exceptions.store.ts";
import type { Money } from "../../kernel/money.ts";
import { Forbidden, InvalidInput, NotAllowedNow, NotFound, Refusal } from "../../kernel/refusal.ts";
import type { Tx } from "../../platform/database.ts";
import { makeDeskHistory } from "./desk-history.queries.ts";
import { makeMatchCommands } from "./desk-match.commands.ts";
import {
  parseDeskReason,
  SecondPersonNeeded,
  type Approval,
  type ApprovalId,
  type DeskAct,
  type DeskDone,
  type DeskPerson,
} from "./desk-records.ts";
import { makeRefundCommands } from "./desk-refund.commands.ts";
import { makeSuggestions } from "./desk-suggestions.queries.ts";
import { makeLetters } from "./desk-letters.commands.ts";
import type { Desk, DeskDeps, DeskOrder } from "./desk.ts";
import * as store from "./desk.store.ts";
import { listExceptions } from "../reconciliation/exceptions.store.ts";
import { causesOf, listMovements, type Movement } from "./movements.store.ts";

/** Which movements of a receipt count towards the limit together. */
const MOVEMENT_OF: Readonly<Partial<Record<DeskAct["kind"], Movement["kind"]>>> = {
  match: "matched",
  unlink: "unlinked",
  refund_suspense: "refund",
};

/** Undoes a rehearsal; it never leaves this file. */
class Rehearsed extends Error {}

/** The reconciliation desk. */
export function makeDesk(deps: DeskDeps): Desk {
  const { clock, makeId, contracts, approvalAbove } = deps;
  const matching = makeMatchCommands(deps);
  const refunds = makeRefundCommands(deps, matching);

  /** Writes out every amount that was left out, so that what is approved is what was proposed. */
  async function spellOut(tx: Tx, act: DeskAct): Promise<{ act: DeskAct; amount: Money }> {
    switch (act.kind) {
      case "match": {
        const { amount: open } = await matching.takeSuspense(tx, act.receiptId);
        if (act.parts.length > 1 && act.parts.some(({ amountMinor }) => amountMinor === undefined))
          throw new InvalidInput("A split names the amount of each part.", "parts");
        const parts = act.parts.map((part) => ({ ...part, amountMinor: part.amountMinor ?? open.minor }));
        const minor = parts.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
        return { act: { ...act, parts }, amount: { minor, currency: open.currency } };
      }
      case "unlink": {
        const { amount } = await matching.takeReceipt(tx, act.receiptId);
        const amountMinor = act.amountMinor ?? (await matching.heldMinor(tx, act));
        if (amountMinor === 0n) throw new NotAllowedNow("That contract has nothing of this payment.");
        return { act: { ...act, amountMinor }, amount: { minor: amountMinor, currency: amount.currency } };
      }
      case "refund_suspense": {
        const { amount: open } = await matching.takeSuspense(tx, act.receiptId);
        const amountMinor = act.amountMinor ?? open.minor;
        return { act: { ...act, amountMinor }, amount: { minor: amountMinor, currency: open.currency } };
      }
      case "refund_contract":
      case "adjust": {
        const contract = (await contracts.find(tx, [act.contractId])).get(act.contractId);
        if (contract === undefined) throw new NotFound("contract", "contractId");
        const amountMinor = act.amountMinor ?? contract.refundableMinor;
        const minor = act.kind === "adjust" && amountMinor < 0n ? -amountMinor : amountMinor;
        if (act.kind === "refund_contract" && minor === 0n)
          throw new NotAllowedNow("The contract has no refundable money.");
        return { act: { ...act, amountMinor }, amount: { minor, currency: contract.currency } };
      }
    }
  }

  async function needsSecond(
    tx: Tx,
    { act, amount }: { act: DeskAct; amount: Money },
    actor: string,
  ): Promise<boolean> {
    const limit = approvalAbove.get(amount.currency);
    if (limit === undefined) return false;
    const kind = MOVEMENT_OF[act.kind];
    const before = kind === undefined || !("receiptId" in act) ? [] : await listMovements(tx, act.receiptId);
    const earlier = before
      .filter((one) => one.kind === kind && one.actor === actor && one.approvedBy === null)
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
    return amount.minor + earlier > limit;
  }

  function perform(tx: Tx, act: DeskAct, order: DeskOrder): Promise<DeskDone> {
    switch (act.kind) {
      case "match":
        return matching.match(tx, act, order);
      case "unlink":
        return matching.unlink(tx, act, order);
      case "refund_suspense":
        return refunds.refundSuspense(tx, act, order);
      case "refund_contract":
        return refunds.refundContract(tx, act, order);
      case "adjust":
        return contracts
          .adjust(tx, { ...act, reason: order.reason, actor: order.actor, key: order.key })
          .then(() => ({ receiptId: null, contractIds: [act.contractId], payoutId: null }));
    }
  }

  /** Nobody's time is asked for an act that is not possible: it is done, and undone before anybody sees it. */
  async function rehearse(tx: Tx, act: DeskAct, order: DeskOrder): Promise<void> {
    await tx
      .transaction(async (inner) => {
        await perform(inner, act, order);
        throw new Rehearsed();
      })
      .catch((error: unknown) => {
        if (!(error instanceof Rehearsed)) throw error;
      });
  }

  const act: Desk["act"] = async (tx, { act: asked, by, reason: text, key }) => {
    requireOffice(by);
    const reason = parseDeskReason(text);
    const whole = await spellOut(tx, asked);
    if (whole.amount.minor <= 0n) throw new InvalidInput("An amount above zero is needed.", "amountMinor");
    const order: DeskOrder = { actor: by.actor, approvedBy: null, reason, key };
    if (!(await needsSecond(tx, whole, by.actor))) return { kind: "done", done: await perform(tx, whole.act, order) };
    await rehearse(tx, whole.act, order);
    const approval: Approval = {
      ...whole,
      id: makeId<"Approval">(),
      reason,
      proposedBy: by.actor,
      proposedAt: clock.now(),
      state: "proposed",
      decidedBy: null,
      decidedAt: null,
      decision: null,
      outcome: null,
    };
    await store.insertApproval(tx, approval);
    return { kind: "proposed", approval };
  };

  /** The proposal under lock; undefined when this person has decided the same before. */
  async function takeProposal(
    tx: Tx,
    { id, by }: { id: ApprovalId; by: DeskPerson },
  ): Promise<{ approval: Approval; isRepeat: boolean }> {
    requireOffice(by);
    const approval = await store.lockApproval(tx, id);
    if (approval === undefined) throw new NotFound("proposal", "id");
    if (approval.state !== "proposed" && approval.decidedBy !== by.actor)
      throw new NotAllowedNow(`Somebody has decided this already: it is ${approval.state}.`);
    return { approval, isRepeat: approval.state !== "proposed" };
  }

  async function decide(
    tx: Tx,
    approval: Approval,
    decision: Pick<Approval, "state" | "decidedBy" | "decision" | "outcome">,
  ): Promise<Approval> {
    const decided = { ...approval, ...decision, decidedAt: clock.now() };
    await store.decideApproval(tx, decided);
    return decided;
  }

  const approve: Desk["approve"] = async (tx, { id, by }) => {
    const { approval, isRepeat } = await takeProposal(tx, { id, by });
    if (isRepeat && approval.state === "declined")
      throw new NotAllowedNow("You have declined this. It must be proposed anew.");
    if (isRepeat) return approval;
    if (approval.proposedBy === by.actor) throw new SecondPersonNeeded();
    const { proposedBy: actor, reason } = approval;
    const order: DeskOrder = { actor, approvedBy: by.actor, reason, key: `approval:${id}` };
    try {
      const outcome = await tx.transaction((inner) => perform(inner, approval.act, order));
      return await decide(tx, approval, { state: "approved", decidedBy: by.actor, decision: null, outcome });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const decision = `${error.code}: ${error.message}`;
      return decide(tx, approval, { state: "failed", decidedBy: by.actor, decision, outcome: null });
    }
  };

  const decline: Desk["decline"] = async (tx, { id, by, reason }) => {
    const { approval, isRepeat } = await takeProposal(tx, { id, by });
    if (isRepeat && approval.state !== "declined") throw new NotAllowedNow("You have approved this; it is done.");
    if (isRepeat) return approval;
    const decision = parseDeskReason(reason);
    return decide(tx, approval, { state: "declined", decidedBy: by.actor, decision, outcome: null });
  };

  const resolveException: Desk["resolveException"] = async (tx, { id, by, resolution: text }) => {
    requireOffice(by);
    const resolution = parseDeskReason(text, "resolution");
    const isClosed = await resolveExceptionById(tx, { id, at: clock.now(), by: by.actor, resolution });
    const exception = await findException(tx, id);
    if (exception === undefined) throw new NotFound("exception", "id");
    if (!isClosed) throw new NotAllowedNow("This exception is closed already.");
    return exception;
  };

  return {
    act,
    approve,
    decline,
    approvals: store.listApprovals,
    findApproval: store.findApproval,
    findPayout: async (db, id) => (await deps.payouts.find(db, [id])).get(id),
    write: makeLetters(deps, { requireOffice }),
    suggestions: makeSuggestions(deps),
    history: makeDeskHistory(deps),
    causesOf,
    exceptions: listExceptions,
    findException,
    resolveException,
  };
}

function requireOffice({ role }: DeskPerson): void {
  if (role === "agent") throw new Forbidden("Only the office works at the desk.");
}
