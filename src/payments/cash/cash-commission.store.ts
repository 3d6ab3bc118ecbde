import { sql } from "drizzle-orm";
import type { StaffId, TransactionId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { rational } from "../../kernel/rational.ts";
import { column, rowsTable, type Db, type Tx } from "../../platform/database.ts";
import type { CommissionKind, CommissionRule } from "./commission.ts";

interface RuleRow extends Record<string, unknown> {
  id: string;
  kind: CommissionKind;
  agent_id: StaffId | null;
  currency: Currency;
  ratio_numerator: string;
  ratio_denominator: string;
  fixed_minor: string;
  effective_at: string;
  set_at: string;
}

function ruleOf(row: RuleRow): CommissionRule {
  return {
    id: row.id,
    kind: row.kind,
    agentId: row.agent_id,
    currency: row.currency,
    ratio: rational(BigInt(row.ratio_numerator), BigInt(row.ratio_denominator)),
    fixedMinor: BigInt(row.fixed_minor),
    effectiveAt: new Date(row.effective_at),
    setAt: new Date(row.set_at),
  };
}

const RULE = sql.raw(
  "id, kind, agent_id, currency, ratio_numerator, ratio_denominator, fixed_minor, effective_at, set_at",
);

export async function insertRule(tx: Tx, rule: CommissionRule, actor: string): Promise<void> {
  await tx.execute(sql`
    insert into payments.commission_rules (${RULE}, set_by)
    values (${rule.id}, ${rule.kind}, ${rule.agentId}::uuid, ${rule.currency}, ${rule.ratio.numerator.toString()},
      ${rule.ratio.denominator.toString()}, ${rule.fixedMinor.toString()}, ${rule.effectiveAt.toISOString()}, ${rule.setAt.toISOString()}, ${actor})`);
}

/** The rules among which an act of the agent finds its own. */
export async function rulesFor(
  tx: Tx,
  { agentId, kind, currency }: { agentId: StaffId; kind: CommissionKind; currency: Currency },
): Promise<readonly CommissionRule[]> {
  const rows = await tx.execute<RuleRow>(sql`
    select ${RULE} from payments.commission_rules
    where currency = ${currency} and kind = ${kind} and (agent_id = ${agentId} or agent_id is null)`);
  return rows.map(ruleOf);
}

export async function findRule(db: Db | Tx, id: string): Promise<CommissionRule | undefined> {
  const [row] = await db.execute<RuleRow>(sql`select ${RULE} from payments.commission_rules where id = ${id}`);
  return row === undefined ? undefined : ruleOf(row);
}

/** Newest first; at most `limit`. */
export async function listRules(db: Db | Tx, limit: number): Promise<readonly CommissionRule[]> {
  const rows = await db.execute<RuleRow>(
    sql`select ${RULE} from payments.commission_rules order by effective_at desc, set_at desc, id desc limit ${limit}`,
  );
  return rows.map(ruleOf);
}

/** Fractions of a minor unit that a locked agent is still owed, by rule. */
export async function fractionsOf(tx: Tx, agentId: StaffId): Promise<ReadonlyMap<string, bigint>> {
  const rows = await tx.execute<{ rule_id: string; numerator: string }>(
    sql`select rule_id, numerator from payments.commission_fractions where agent_id = ${agentId}`,
  );
  return new Map(rows.map((row) => [row.rule_id, BigInt(row.numerator)]));
}

export async function keepFractions(tx: Tx, agentId: StaffId, fractions: ReadonlyMap<string, bigint>): Promise<void> {
  const given = rowsTable([...fractions], {
    rule_id: ["uuid", ([id]) => id],
    numerator: ["bigint", ([, part]) => part],
  });
  await tx.execute(sql`
    insert into payments.commission_fractions (agent_id, rule_id, numerator)
    select ${agentId}, rule_id, numerator from ${given.table} as given(${given.names})
    on conflict (agent_id, rule_id) do update set numerator = excluded.numerator`);
}

/** What one act earned. */
export interface Commission {
  readonly cause: string;
  readonly agentId: StaffId;
  readonly ruleId: string;
  readonly baseMinor: bigint;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly earnedAt: Date;
  /** Undefined when it came to less than a minor unit, which is carried. */
  readonly transactionId: TransactionId | undefined;
}

export async function insertCommissions(tx: Tx, commissions: readonly Commission[]): Promise<void> {
  const given = rowsTable(commissions, {
    cause: ["text", ({ cause }) => cause],
    agent_id: ["uuid", ({ agentId }) => agentId],
    rule_id: ["uuid", ({ ruleId }) => ruleId],
    base_minor: ["bigint", ({ baseMinor }) => baseMinor],
    amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
    currency: ["text", ({ currency }) => currency],
    earned_at: ["timestamptz", ({ earnedAt }) => earnedAt],
    transaction_id: ["uuid", ({ transactionId }) => transactionId],
  });
  await tx.execute(
    sql`insert into payments.commissions (${given.names}) select * from ${given.table} as given(${given.names})`,
  );
}

interface CommissionRow extends Record<string, unknown> {
  cause: string;
  agent_id: StaffId;
  rule_id: string;
  base_minor: string;
  amount_minor: string;
  currency: Currency;
  earned_at: string;
  transaction_id: TransactionId | null;
  taken_back_minor: string | null;
}

/** Commissions by cause, with what was taken back of them. */
export async function findCommissions(
  tx: Tx,
  causes: readonly string[],
): Promise<ReadonlyMap<string, Commission & { readonly takenBackMinor: bigint | undefined }>> {
  const rows = await tx.execute<CommissionRow>(sql`
    select cause, agent_id, rule_id, base_minor, amount_minor, currency, earned_at, transaction_id, taken_back_minor
    from payments.commissions where cause = any(${column(causes, "text")})`);
  return new Map(
    rows.map((row) => [
      row.cause,
      {
        cause: row.cause,
        agentId: row.agent_id,
        ruleId: row.rule_id,
        baseMinor: BigInt(row.base_minor),
        amountMinor: BigInt(row.amount_minor),
        currency: row.currency,
        earnedAt: new Date(row.earned_at),
        transactionId: row.transaction_id ?? undefined,
        takenBackMinor: row.taken_back_minor === null ? undefined : BigInt(row.taken_back_minor),
      },
    ]),
  );
}

/** Marks a commission as taken back; answers whether it was not before. */
export async function markTakenBack(
  tx: Tx,
  back: {
    cause: string;
    minor: bigint;
    at: Date;
    reason: string;
    transactionId: TransactionId | undefined;
  },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update payments.commissions set taken_back_minor = ${back.minor.toString()}, taken_back_at = ${back.at.toISOString()},
      taken_back_reason = ${back.reason}, back_transaction_id = ${back.transactionId ?? null}::uuid
    where cause = ${back.cause} and taken_back_at is null returning 1`);
  return rows.length === 1;
}
