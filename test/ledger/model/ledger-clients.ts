import { sql } from "drizzle-orm";
import { makeIds, type MakeId, type TransactionId } from "../../../src/kernel/ids.ts";
import { IdempotencyConflict, NotAllowedNow, NotFound } from "../../../src/kernel/refusal.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeLedger, type AccountId, type Entry, type Ledger } from "../../../src/ledger/ledger.ts";
import { isTransient, sqlStateOf, type Database, type Tx } from "../../../src/platform/database.ts";
import { plainCode, specOf, type Book } from "./book.ts";
import { findBreaches, tamper } from "./owner.ts";
import { bodyOf, type Body, type Command, type Step } from "./programs.ts";
import type { Answer, Outcome } from "./reference.ts";
import type { Turnstile } from "./turnstile.ts";
import type { World } from "./world.ts";

const AT = new Date("2026-03-02T06:00:00Z");
/** Far more than serializable transactions of a few clients ever need: reaching it means that trying again does not help. */
const ATTEMPTS_MAX = 100;
const LINES_MAX = 10_000;

class RolledBack extends Error {}

/** A ledger of its own, as another process would have one; clients of one process share its memory. */
export function makeProcess(): { ledger: Ledger; makeId: MakeId } {
  const clock = makeManualClock(AT);
  const makeId = makeIds(clock);
  return { ledger: makeLedger({ clock, makeId }), makeId };
}

/** A client of the real ledger: does commands as the program does them, tries again after what is transient, and tells the outcome. */
export function makeClient({
  world,
  book,
  client,
  database,
  turnstile,
  process: { ledger, makeId },
}: {
  world: World;
  book: Book;
  client: number;
  database: Database;
  turnstile: Turnstile;
  process: ReturnType<typeof makeProcess>;
}): { perform(command: Command): Promise<Outcome> } {
  /** The same transaction, but each of its statements waits for its turn; `fault` breaks it off as the database would. */
  function inTurns(tx: Tx, fault: { statement: number; state: string } | undefined): Tx {
    let statement = 0;
    const execute = async (query: Parameters<Tx["execute"]>[0]): Promise<unknown> => {
      await turnstile.pass(client);
      if (statement++ === fault?.statement)
        await tx.execute(sql.raw(`do $$ begin raise exception 'planned' using errcode = '${fault.state}'; end $$`));
      return await tx.execute(query);
    };
    return Object.assign(Object.create(tx) as Tx, { execute: execute as unknown as Tx["execute"] });
  }

  async function transact(command: Extract<Command, { do: "transact" }>): Promise<Outcome> {
    let { fault } = command;
    for (let attempt = 1; ; attempt++) {
      const answers: Answer[] = [];
      try {
        await database.db.transaction(
          async (tx) => {
            const own = inTurns(tx, fault);
            fault = undefined;
            for (const step of command.steps) answers.push(await take(own, step));
            await turnstile.pass(client); // held open while others move
            if (command.rollsBack) throw new RolledBack();
          },
          { isolationLevel: command.isolation },
        );
        return { answers, refused: undefined };
      } catch (error) {
        if (!isTransient(error) || attempt === ATTEMPTS_MAX) return { answers, refused: nameOf(error) };
        world.seen.count(`again after ${sqlStateOf(error) ?? "a lost connection"}`);
      }
    }
  }

  /** Asks anew in every step, as parts of the program that know nothing of each other do. */
  async function open(tx: Tx, codes: readonly string[]): Promise<readonly AccountId[]> {
    return await ledger.openAccounts(
      tx,
      codes.map((code) => specOf(book.name, code)),
    );
  }

  async function take(tx: Tx, step: Step): Promise<Answer> {
    switch (step.do) {
      case "open": {
        const ids = await open(tx, step.codes);
        const rows = await tx.execute<{ id: string; code: string }>(
          sql`select id, code from ledger.accounts where id = any(${`{${ids.join()}}`}::bigint[])`,
        );
        return ids.map((id) => plainCode(book.name, rows.find((row) => BigInt(row.id) === id)?.code ?? "nothing"));
      }
      case "open other kind":
        await ledger.openAccounts(tx, [{ ...specOf(book.name, "held"), kind: "income" }]);
        return [];
      case "post": {
        const bodies = step.entries.map(bodyOf);
        const codes = [...new Set(bodies.flatMap(({ lines }) => lines.map(([code]) => code)))];
        const ids = await open(tx, codes);
        const idOf = (code: string): AccountId => ids[codes.indexOf(code)] ?? 0n;
        return await ledger.post(
          tx,
          bodies.map((body) => entryOf(body, idOf)),
        );
      }
      case "reverse":
      case "reverse reversal": {
        const key = `${book.name} ${step.key}`;
        const [row] = await tx.execute<{ id: TransactionId }>(
          step.do === "reverse"
            ? sql`select id from ledger.transactions where idempotency_key = ${key}`
            : sql`select r.id from ledger.transactions t join ledger.transactions r on r.reverses_id = t.id where t.idempotency_key = ${key}`,
        );
        return [
          await ledger.reverse(tx, {
            transactionId: row?.id ?? makeId(),
            reason: "Sent back",
            actor: `client ${client}`,
            effectiveAt: AT,
          }),
        ];
      }
    }
  }

  function entryOf({ key, kind, memo, reference, currency, lines }: Body, idOf: (code: string) => AccountId): Entry {
    return {
      id: makeId(),
      kind,
      memo,
      reference: `${book.name} ${reference}`,
      idempotencyKey: `${book.name} ${key}`,
      currency,
      effectiveAt: new Date(AT.getTime() - Number(key.slice(-1)) * 60_000),
      actor: `client ${client}`,
      lines: lines.map(([code, amountMinor]) => ({ accountId: idOf(code), amountMinor })),
    };
  }

  async function read(what: Extract<Command, { do: "read" }>["what"]): Promise<readonly string[]> {
    const { db } = database;
    const plain = (code: string): string => plainCode(book.name, code);
    switch (what) {
      case "balances": {
        const codes = ["held", "system/cash", "system/sales"];
        const found = await ledger.balances(
          db,
          codes.map((code) => book.ids.get(code) ?? 0n),
        );
        return codes.map((code) => `${code} ${found.get(book.ids.get(code) ?? 0n)}`);
      }
      case "trial balance": {
        const rows = await ledger.trialBalance(db, { codePrefix: `system/${book.name}/` });
        return rows.map(({ code, balanceMinor }) => `${plain(code)} ${balanceMinor}`);
      }
      case "statement":
      case "postings of a receipt": {
        const accountIds = ["system/cash", "held"].map((code) => book.ids.get(code) ?? 0n);
        const rows =
          what === "statement"
            ? await ledger.statement(db, { accountIds, limit: LINES_MAX })
            : await ledger.postingsOf(db, { reference: `${book.name} receipt 1`, limit: LINES_MAX });
        const times = rows.map(({ effectiveAt }) => effectiveAt.getTime());
        if (what === "statement" && times.some((time, at) => time < (times[at - 1] ?? 0)))
          return ["not in order of time"];
        return rows
          .map(({ accountCode, amountMinor, transactionId }) => `${plain(accountCode)} ${amountMinor} ${transactionId}`)
          .sort();
      }
      case "audit":
        // One snapshot for all of its questions, taken in the middle of whatever the others do.
        return await db.transaction((tx) => findBreaches(inTurns(tx, undefined), book.name), {
          isolationLevel: "repeatable read",
        });
    }
  }

  return {
    async perform(command) {
      if (command.do === "transact") return await transact(command);
      try {
        if (command.do === "tamper") await tamper(world, book, command.how);
        else return { answers: [await read(command.what)], refused: undefined };
        return { answers: [], refused: undefined };
      } catch (error) {
        return { answers: [], refused: nameOf(error) };
      }
    },
  };
}

/** A refusal by its class, a bug as such, and what the database said by its SQLSTATE. */
function nameOf(error: unknown): string {
  if (error instanceof RolledBack) return "rolled back";
  for (const kind of [IdempotencyConflict, NotFound, NotAllowedNow]) if (error instanceof kind) return kind.name;
  const state = sqlStateOf(error);
  if (state !== undefined) return state;
  const words = error instanceof Error ? error.message : String(error);
  return words.startsWith("Bug: ") ? "Bug" : words;
}
