import { sql } from "drizzle-orm";
import type { TransactionId } from "../kernel/ids.ts";
import { parseCurrency, type Currency } from "../kernel/money.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { Entry, Line } from "./entry.ts";
import type { AccountId, AccountKind, AccountSpec, StatementLine, TrialBalanceRow } from "./ledger.ts";

/** Returns the ids in the order of the specs, and which of them existed before this transaction. */
export async function findOrInsertAccounts(
  tx: Tx,
  specs: readonly AccountSpec[],
): Promise<{ ids: readonly AccountId[]; existed: readonly boolean[] }> {
  await tx.execute(sql`
    insert into ledger.accounts (code, kind, currency)
    select code, kind, currency from unnest(${column(
      specs.map(({ code }) => code),
      "text",
    )},
      ${column(
        specs.map(({ kind }) => kind),
        "text",
      )}, ${column(
        specs.map(({ currency }) => currency),
        "text",
      )})
      with ordinality as given(code, kind, currency, place)
    where not exists (select from ledger.accounts a where a.code = given.code) order by place
    on conflict (code) do nothing`);
  // A row of this very transaction, whichever of its statements made it, has age 0 (or less, when made after a savepoint).
  const rows = await tx.execute<{ id: string; code: string; kind: string; currency: string; existed: boolean }>(sql`
    select id, code, kind, currency, age(xmin) > 0 as existed from ledger.accounts where code = any(${column(
      specs.map(({ code }) => code),
      "text",
    )})`);
  const byCode = new Map(rows.map((row) => [row.code, row]));
  const ids = specs.map((spec) => {
    const row = byCode.get(spec.code);
    if (row === undefined || row.kind !== spec.kind || row.currency !== spec.currency) {
      throw new Error(
        `Bug: ledger account ${spec.code} exists as ${row?.kind ?? "nothing"} in ${row?.currency ?? "no currency"}.`,
      );
    }
    return BigInt(row.id);
  });
  return { ids, existed: specs.map(({ code }) => byCode.get(code)?.existed === true) };
}

/** Inserts the transactions whose keys are new and returns their ids. A concurrent twin waits for the first to end. */
export async function insertTransactions(
  tx: Tx,
  { entries, hashes, postedAt }: { entries: readonly Entry[]; hashes: readonly Uint8Array[]; postedAt: Date },
): Promise<ReadonlySet<TransactionId>> {
  const of = (pick: (entry: Entry) => unknown): unknown[] => entries.map(pick);
  const rows = await tx.execute<{ id: TransactionId }>(sql`
    insert into ledger.transactions
      (id, kind, memo, reference, idempotency_key, input_hash, reverses_id, posting_count, effective_at, posted_at, actor)
    select id, kind, memo, reference, key, hash, reverses_id, lines, effective_at, ${postedAt.toISOString()}::timestamptz, actor
    from unnest(${column(
      of(({ id }) => id),
      "uuid",
    )}, ${column(
      of(({ kind }) => kind),
      "text",
    )},
      ${column(
        of(({ memo }) => memo),
        "text",
      )}, ${column(
        of(({ reference }) => reference),
        "text",
      )},
      ${column(
        of(({ idempotencyKey }) => idempotencyKey),
        "text",
      )}, ${column(hashes, "bytea")},
      ${column(
        of(({ reversesId }) => reversesId),
        "uuid",
      )}, ${column(
        of(({ lines }) => lines.length),
        "smallint",
      )},
      ${column(
        of(({ effectiveAt }) => effectiveAt),
        "timestamptz",
      )}, ${column(
        of(({ actor }) => actor),
        "text",
      )})
      as given(id, kind, memo, reference, key, hash, reverses_id, lines, effective_at, actor)
    on conflict do nothing returning id`); // whichever of its unique keys a concurrent twin meets first
  return new Set(rows.map(({ id }) => id));
}

/** Writes all postings in one statement; the trigger behind it checks the sums and moves the balances. */
export async function insertPostings(tx: Tx, entries: readonly Entry[]): Promise<void> {
  const rows = entries.flatMap((entry) => entry.lines.map((line, at) => ({ entry, line, at })));
  if (rows.length === 0) return;
  await tx.execute(sql`
    insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency)
    select * from unnest(${column(
      rows.map(({ entry }) => entry.id),
      "uuid",
    )}, ${column(
      rows.map(({ at }) => at),
      "smallint",
    )},
      ${column(
        rows.map(({ line }) => line.accountId),
        "bigint",
      )}, ${column(
        rows.map(({ line }) => line.amountMinor),
        "bigint",
      )},
      ${column(
        rows.map(({ entry }) => entry.currency),
        "text",
      )})`);
}

export async function findByKeys(
  tx: Tx,
  keys: readonly string[],
): Promise<ReadonlyMap<string, { id: TransactionId; inputHash: Uint8Array }>> {
  const rows = await tx.execute<{ id: TransactionId; idempotency_key: string; input_hash: Uint8Array }>(sql`
    select id, idempotency_key, input_hash from ledger.transactions where idempotency_key = any(${column(keys, "text")})`);
  return new Map(rows.map((row) => [row.idempotency_key, { id: row.id, inputHash: row.input_hash }]));
}

export interface StoredTransaction {
  readonly reference: string | undefined;
  readonly currency: Currency;
  readonly reversesId: TransactionId | undefined;
  readonly lines: readonly Line[];
}

export async function findTransaction(tx: Tx, id: TransactionId): Promise<StoredTransaction | undefined> {
  const rows = await tx.execute<{
    reference: string | null;
    reverses_id: TransactionId | null;
    account_id: string;
    amount_minor: string;
    currency: string;
  }>(sql`
    select t.reference, t.reverses_id, p.account_id, p.amount_minor, p.currency
    from ledger.transactions t join ledger.postings p on p.transaction_id = t.id where t.id = ${id} order by p.line`);
  const [first] = rows;
  if (first === undefined) return undefined;
  return {
    reference: first.reference ?? undefined,
    currency: parseCurrency(first.currency),
    reversesId: first.reverses_id ?? undefined,
    lines: rows.map((row) => ({ accountId: BigInt(row.account_id), amountMinor: BigInt(row.amount_minor) })),
  };
}

export async function trialBalance(
  db: Db | Tx,
  {
    codePrefix = "",
    nonZeroOnly = false,
    limit = 1_000_000,
  }: { codePrefix?: string; nonZeroOnly?: boolean; limit?: number } = {},
): Promise<readonly TrialBalanceRow[]> {
  const rows = await db.execute<{ code: string; kind: AccountKind; currency: Currency; balance_minor: string }>(sql`
    select a.code, a.kind, a.currency, coalesce(b.balance_minor, 0) as balance_minor
    from ledger.accounts a left join ledger.balances b on b.account_id = a.id
    where starts_with(a.code, ${codePrefix}) and (not ${nonZeroOnly}::boolean or coalesce(b.balance_minor, 0) <> 0)
    order by a.code limit ${limit}`);
  return rows.map((row) => ({
    code: row.code,
    kind: row.kind,
    currency: row.currency,
    balanceMinor: BigInt(row.balance_minor),
  }));
}

interface LineRow extends Record<string, unknown> {
  id: TransactionId;
  code: string;
  currency: Currency;
  kind: string;
  memo: string;
  reference: string | null;
  amount_minor: string;
  effective_at: string;
  posted_at: string;
}

function lineOf(row: LineRow): StatementLine {
  return {
    transactionId: row.id,
    accountCode: row.code,
    currency: row.currency,
    kind: row.kind,
    memo: row.memo,
    reference: row.reference,
    amountMinor: BigInt(row.amount_minor),
    effectiveAt: new Date(row.effective_at),
    postedAt: new Date(row.posted_at),
  };
}

const LINES =
  sql.raw(`select t.id, a.code, p.currency, t.kind, t.memo, t.reference, p.amount_minor, t.effective_at, t.posted_at
  from ledger.postings p join ledger.transactions t on t.id = p.transaction_id join ledger.accounts a on a.id = p.account_id`);

export async function statement(
  db: Db | Tx,
  { accountIds, limit }: { accountIds: readonly AccountId[]; limit: number },
): Promise<readonly StatementLine[]> {
  const rows = await db.execute<LineRow>(sql`
    ${LINES} where p.account_id = any(${column(accountIds, "bigint")})
    order by t.effective_at, t.posted_at, t.id, p.line limit ${limit}`);
  return rows.map(lineOf);
}

export async function postingsOf(
  db: Db | Tx,
  { reference, limit }: { reference: string; limit: number },
): Promise<readonly StatementLine[]> {
  const rows = await db.execute<LineRow>(sql`
    ${LINES} where t.reference = ${reference} order by t.posted_at, t.id, p.line limit ${limit}`);
  return rows.map(lineOf);
}

export async function balances(db: Db | Tx, accountIds: readonly AccountId[]): Promise<ReadonlyMap<AccountId, bigint>> {
  const rows = await db.execute<{ account_id: string; balance_minor: string }>(sql`
    select account_id, balance_minor from ledger.balances where account_id = any(${column(accountIds, "bigint")})`);
  const found = new Map(rows.map((row) => [BigInt(row.account_id), BigInt(row.balance_minor)]));
  return new Map(accountIds.map((id) => [id, found.get(id) ?? 0n]));
}
