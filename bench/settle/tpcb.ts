import type postgres from "postgres";

/** Rows per unit of scale, as pgbench has them. */
const ACCOUNTS = 100_000;
const TELLERS = 10;

/** Makes the four tables of TPC-B in the shape of `pgbench -i`, in a schema of their own. */
export async function prepareTpcb(client: postgres.Sql, scale: number): Promise<void> {
  await client.unsafe(`
    create schema tpcb;
    create table tpcb.branches (bid int primary key, bbalance int not null, filler char(88)) with (fillfactor = 100);
    create table tpcb.tellers (tid int primary key, bid int not null, tbalance int not null, filler char(84)) with (fillfactor = 100);
    create table tpcb.accounts (aid int not null, bid int not null, abalance int not null, filler char(84)) with (fillfactor = 100);
    create table tpcb.history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    insert into tpcb.branches select n, 0, '' from generate_series(1, ${scale}) n;
    insert into tpcb.tellers select n, (n - 1) / ${TELLERS} + 1, 0, '' from generate_series(1, ${scale * TELLERS}) n;
    insert into tpcb.accounts select n, (n - 1) / ${ACCOUNTS} + 1, 0, '' from generate_series(1, ${scale * ACCOUNTS}) n;
    alter table tpcb.accounts add primary key (aid);`);
  for (const table of ["branches", "tellers", "accounts", "history"])
    await client.unsafe(`vacuum analyze tpcb.${table}`);
}

/**
 * TPC-B transactions per second: every connection runs one after the other for the given time. `waiting` awaits each
 * statement's answer as pgbench does; `pipelined` sends the statements of a transaction at once, which only a program
 * that does not look at the answers can do. Statements are prepared.
 */
export async function measureTpcb(
  client: postgres.Sql,
  {
    scale,
    connections,
    seconds,
    manner,
  }: { scale: number; connections: number; seconds: number; manner: "waiting" | "pipelined" },
): Promise<number> {
  const upTo = (bound: number): number => 1 + Math.floor(Math.random() * bound);
  const transact = manner === "waiting" ? waiting : pipelined;
  let done = 0;
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1_000;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() < endAt) {
        await transact(client, {
          aid: upTo(scale * ACCOUNTS),
          tid: upTo(scale * TELLERS),
          bid: upTo(scale),
          delta: upTo(10_001) - 5_001,
        });
        done += 1;
      }
    }),
  );
  return done / ((performance.now() - startedAt) / 1_000);
}

interface Draw {
  readonly aid: number;
  readonly tid: number;
  readonly bid: number;
  readonly delta: number;
}

async function waiting(client: postgres.Sql, { aid, tid, bid, delta }: Draw): Promise<void> {
  await client.begin(async (tx) => {
    await tx`update tpcb.accounts set abalance = abalance + ${delta} where aid = ${aid}`;
    await tx`select abalance from tpcb.accounts where aid = ${aid}`;
    await tx`update tpcb.tellers set tbalance = tbalance + ${delta} where tid = ${tid}`;
    await tx`update tpcb.branches set bbalance = bbalance + ${delta} where bid = ${bid}`;
    await tx`insert into tpcb.history (tid, bid, aid, delta, mtime) values (${tid}, ${bid}, ${aid}, ${delta}, current_timestamp)`;
  });
}

async function pipelined(client: postgres.Sql, { aid, tid, bid, delta }: Draw): Promise<void> {
  await client.begin((tx) => [
    tx`update tpcb.accounts set abalance = abalance + ${delta} where aid = ${aid}`,
    tx`select abalance from tpcb.accounts where aid = ${aid}`,
    tx`update tpcb.tellers set tbalance = tbalance + ${delta} where tid = ${tid}`,
    tx`update tpcb.branches set bbalance = bbalance + ${delta} where bid = ${bid}`,
    tx`insert into tpcb.history (tid, bid, aid, delta, mtime) values (${tid}, ${bid}, ${aid}, ${delta}, current_timestamp)`,
  ]);
}
