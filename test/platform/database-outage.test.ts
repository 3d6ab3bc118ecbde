import { connect, createServer, type Server, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/platform/database.ts";
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
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(([row]) => row?.["one"])).toEqual([1, 1, 1]);
  } finally {
    await pool.close();
    await bridge.close();
  }
});
