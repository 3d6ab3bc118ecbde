import { connect, createServer, type Server, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { openClient, openDatabase, type Database } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();

/** A way to the real server that can be taken away: connections to a closed one are refused, as by a server that is down. */
async function makeBridge(url: string): Promise<{ url: string; open(): Promise<void>; close(): Promise<void> }> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  async function open(): Promise<void> {
    server = createServer((near) => {
      const far = connect({ host: target.hostname, port: Number(target.port) });
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far);
      far.pipe(near);
    });
    await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
    const address = server.address();
    if (address !== null && typeof address === "object") port = address.port;
  }
  await open();
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String(port);
  return {
    url: through.toString(),
    open,
    async close() {
      const closed = new Promise((resolve) => server?.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The first to use a connection after its break may still hear of it, once; then nobody does. */
async function untilServing(pool: Database): Promise<void> {
  for (let waves = 0; waves < 200; waves++) {
    const wave = await Promise.allSettled(Array.from({ length: 8 }, () => pool.db.execute(sql`select 1`)));
    if (wave.every(({ status }) => status === "fulfilled")) return;
  }
}

test("after PostgreSQL was away, every connection of the pool serves again", async () => {
  const bridge = await makeBridge(database.url);
  const pool = openDatabase({ url: bridge.url, connectionsMax: 2 });
  const ask = () => pool.db.execute(sql`select 1 as one`);
  try {
    await Promise.all([ask(), ask()]);
    await bridge.close();
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.allSettled([ask(), ask(), ask()]);
      expect(answers.every(({ status }) => status === "rejected")).toBe(true);
    }
    await bridge.open();
    await untilServing(pool);
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(([row]) => row?.["one"])).toEqual([1, 1, 1]);
  } finally {
    await pool.close();
    await bridge.close();
  }
});

test("a transaction whose connection is cut fails alone, and the pool goes on", async () => {
  const pool = openDatabase({ url: database.url, connectionsMax: 4 });
  const administration = openClient(database.url, 1);
  /** Ends connections in the middle of their statement; looks again until it met one. */
  async function cut(): Promise<void> {
    for (let looks = 0; looks < 1_000; looks++) {
      const met =
        await administration`select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()`;
      if (met.length > 0) return;
    }
  }
  const transact = (nested: boolean): Promise<unknown> =>
    pool.db.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      if (!nested) await tx.execute(sql`select pg_sleep(0.2)`);
      else await tx.transaction((inner) => inner.execute(sql`select pg_sleep(0.2)`));
    });
  try {
    let failures = 0;
    for (let round = 0; round < 10; round++) {
      // Listened to from the start: what fails while we still look would be a rejection that nobody handles.
      const settled = Promise.allSettled([
        transact(false),
        transact(true),
        pool.db.execute(sql`select pg_sleep(0.2)`),
        pool.db.execute(sql`select 1`),
      ]);
      await cut();
      failures += (await settled).filter(({ status }) => status === "rejected").length;
    }
    expect(failures).toBeGreaterThan(0);
    await untilServing(pool);
    const answers = await Promise.all(Array.from({ length: 8 }, () => pool.db.execute(sql`select 1 as one`)));
    expect(answers.every(([row]) => row?.["one"] === 1)).toBe(true);
  } finally {
    await pool.close();
    await administration.end();
  }
});

test("a transaction that is busy elsewhere while its connection is cut fails when it comes back", async () => {
  const pool = openDatabase({ url: database.url, connectionsMax: 2 });
  const administration = openClient(database.url, 1);
  try {
    const transaction = pool.db.transaction(async (tx) => {
      const [own] = await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      await administration`select pg_terminate_backend(${own?.pid ?? 0})`;
      // A second of the server's time stands for a slow call to somebody else.
      await administration`select pg_sleep(1)`;
      throw new Error("the other side failed too");
    });
    await expect(transaction).rejects.toThrow("The connection to PostgreSQL was closed.");
    await untilServing(pool);
    await expect(pool.db.execute(sql`select 1`)).resolves.toHaveLength(1);
  } finally {
    await pool.close();
    await administration.end();
  }
});
