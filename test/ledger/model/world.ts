import type { TransactionId } from "../../../src/kernel/ids.ts";
import { openClient, openDatabase, type Database } from "../../../src/platform/database.ts";
import { linearize, type Happened } from "./linearize.ts";
import { plainCode, specOf, type Book } from "./book.ts";
import { makeClient, makeProcess } from "./ledger-clients.ts";
import { findBreaches } from "./owner.ts";
import { ACCOUNTS, CLIENTS_MAX, bodyOf, type Command, type Program } from "./programs.ts";
import { postingsOf, type Books } from "./reference.ts";
import { freeForAll, makeTurnstile, type Turnstile } from "./turnstile.ts";

/** One database and the connections that all runs share; each run has accounts and keys of its own. */
export interface World {
  readonly owner: ReturnType<typeof openClient>;
  /** A transaction and accounts outside of every run, for what must be refused. */
  readonly ground: {
    readonly transactionId: TransactionId;
    readonly accountId: string;
    readonly foreignAccountId: string;
  };
  /** How often what happened, so that a run in which nothing ever met is noticed. */
  readonly seen: { count(what: string): void; readonly counts: ReadonlyMap<string, number> };
  /** Performs a program on the real ledger and compares; throws with a person's words when they differ. */
  run(program: Program): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(url: string): Promise<World> {
  const owner = openClient(url, CLIENTS_MAX);
  const databases = Array.from({ length: CLIENTS_MAX }, () => openDatabase({ url, connectionsMax: 1 }));
  const pids = await Promise.all(
    databases.map(async ({ db }) =>
      Number((await db.execute<{ pid: number }>("select pg_backend_pid() as pid"))[0]?.pid),
    ),
  );
  const counts = new Map<string, number>();
  const name = `model-${Math.floor(performance.timeOrigin + performance.now()).toString(36)}`;
  let runs = 0;

  async function findBlocked(): Promise<ReadonlySet<number>> {
    const rows =
      await owner`select distinct pid from pg_locks where not granted and pid = any(${`{${pids.join()}}`}::integer[])`;
    return new Set(rows.map((row) => pids.indexOf(Number(row["pid"]))));
  }

  const world: World = {
    owner,
    ground: await layGround(databases[0], name),
    seen: { counts, count: (what) => void counts.set(what, (counts.get(what) ?? 0) + 1) },
    async run(program) {
      runs += 1;
      await runOnce({ world, databases, program, findBlocked, bookName: `${name}-${runs}` });
    },
    async close() {
      await Promise.all(databases.map((database) => database.close()));
      await owner.end({ timeout: 5 });
    },
  };
  return world;
}

async function layGround(database: Database | undefined, name: string): Promise<World["ground"]> {
  if (database === undefined) throw new Error("A world has clients.");
  const { ledger, makeId } = makeProcess();
  return await database.db.transaction(async (tx) => {
    const [left = 0n, right = 0n, unused = 0n, foreign = 0n] = await ledger.openAccounts(
      tx,
      ["cash", "held", "late", "system/cash/UGX"].map((code) => specOf(`${name}-ground`, code)),
    );
    const [posted] = await ledger.post(tx, [
      {
        ...bodyOf({ key: "key 0", dress: "plain" }),
        id: makeId(),
        idempotencyKey: `${name}-ground`,
        effectiveAt: new Date(0),
        actor: "world",
        lines: [
          { accountId: left, amountMinor: 1n },
          { accountId: right, amountMinor: -1n },
        ],
      },
    ]);
    if (posted === undefined) throw new Error("Nothing was posted.");
    return { transactionId: posted.id, accountId: String(unused), foreignAccountId: String(foreign) };
  });
}

async function runOnce({
  world,
  databases,
  program,
  findBlocked,
  bookName,
}: {
  world: World;
  databases: readonly Database[];
  program: Program;
  findBlocked: () => Promise<ReadonlySet<number>>;
  bookName: string;
}): Promise<void> {
  const [first] = databases;
  if (first === undefined) throw new Error("A world has clients.");
  const atStart = [...ACCOUNTS].flatMap(([code, { isThereAtStart }]) => (isThereAtStart ? [code] : []));
  const ids = await first.db.transaction((tx) =>
    makeProcess().ledger.openAccounts(
      tx,
      atStart.map((code) => specOf(bookName, code)),
    ),
  );
  const book: Book = { name: bookName, ids: new Map(atStart.map((code, at) => [code, ids[at] ?? 0n])) };
  const turnstile =
    program.pace === "free"
      ? freeForAll
      : makeTurnstile({
          clients: program.clients.length,
          order: program.order,
          findBlocked: async () => {
            const blocked = await findBlocked();
            if (blocked.size > 0) world.seen.count("waits for a lock");
            return blocked;
          },
        });
  const history = await perform({ world, book, databases, program, turnstile });
  for (const { command, outcome } of history) {
    world.seen.count(command.do);
    if (outcome.refused !== undefined && command.do !== "tamper") world.seen.count(outcome.refused);
  }
  const end = linearize({ accounts: new Set(atStart), transactions: new Map() }, history);
  const problem = "problem" in end ? end.problem : await differenceAtTheEnd(first, book, end);
  if (problem !== undefined) throw new Error(`${problem}\nWhat happened:\n${history.map(tell).join("\n")}`);
}

async function perform({
  world,
  book,
  databases,
  program,
  turnstile,
}: {
  world: World;
  book: Book;
  databases: readonly Database[];
  program: Program;
  turnstile: Turnstile;
}): Promise<readonly Happened[]> {
  const history: Happened[] = [];
  let moment = 0;
  // Two processes with two clients each: what a ledger remembers is shared by some and not by others.
  const processes = [makeProcess(), makeProcess()];
  async function performAll(commands: readonly Command[], client: number, turns: Turnstile): Promise<void> {
    const [database, process] = [databases[client], processes[client % 2]];
    if (database === undefined || process === undefined) throw new Error(`There is no client ${client}.`);
    const { perform: performOne } = makeClient({ world, book, client, database, turnstile: turns, process });
    for (const command of commands) {
      await turns.pass(client);
      const from = ++moment;
      const outcome = await performOne(command);
      history.push({ client, command, outcome, from, to: ++moment });
    }
    turns.leave(client);
  }
  await performAll(program.before, 0, freeForAll);
  const work = program.clients.map((commands, client) => performAll(commands, client, turnstile));
  await Promise.all([turnstile.conduct(), ...work]);
  return history.sort((left, right) => left.from - right.from);
}

/** The tables as they are now against the reference's books, posting by posting. */
async function differenceAtTheEnd({ db }: Database, { name }: Book, books: Books): Promise<string | undefined> {
  const { ledger } = makeProcess();
  const breaches = await db.transaction((tx) => findBreaches(tx, name));
  if (breaches.length > 0) return breaches.join("; ");
  const rows = [
    ...(await ledger.trialBalance(db, { codePrefix: `${name}/` })),
    ...(await ledger.trialBalance(db, { codePrefix: `system/${name}/` })),
  ];
  const stored = rows.map(({ code, balanceMinor }) => `${plainCode(name, code)} ${balanceMinor}`).sort();
  const expected = [...books.accounts]
    .map(
      (code) =>
        `${code} ${postingsOf(books).reduce((sum, posting) => (posting.code === code ? sum + posting.amount : sum), 0n)}`,
    )
    .sort();
  if (stored.join() !== expected.join()) return `balances are ${stored.join(", ")}, not ${expected.join(", ")}`;
  const opened = await db.transaction((tx) =>
    ledger.openAccounts(
      tx,
      [...books.accounts].map((code) => specOf(name, code)),
    ),
  );
  const lines = await ledger.statement(db, { accountIds: opened, limit: 10_000 });
  const posted = lines
    .map(
      ({ accountCode, amountMinor, transactionId, kind }) =>
        `${plainCode(name, accountCode)} ${amountMinor} ${transactionId} ${kind}`,
    )
    .sort();
  const wanted = postingsOf(books)
    .map(({ code, amount, id, kind }) => `${code} ${amount} ${id} ${kind}`)
    .sort();
  return posted.join() === wanted.join() ? undefined : `postings are ${posted.join(", ")}, not ${wanted.join(", ")}`;
}

const tell = ({ client, command, outcome, from, to }: Happened): string =>
  `  ${from}-${to} client ${client}: ${JSON.stringify(command)} -> ${JSON.stringify(outcome)}`;
