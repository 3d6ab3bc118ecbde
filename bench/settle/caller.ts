import { connect, type Socket } from "node:net";

/** What the caller's process is told to do. */
export interface CallOrder {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** Requests a second, sent when their time has come whether or not earlier ones were answered. */
  readonly rate: number;
  readonly bodies: readonly string[];
}

/** Wall-clock milliseconds for each body, in order. `dueAt` is when it should have been sent, which is where waiting starts. */
export interface CallReport {
  readonly dueAt: readonly number[];
  readonly answeredAt: readonly number[];
  readonly failed: number;
}

const TICK_MS = 2;
const wallClock = (): number => performance.timeOrigin + performance.now();

/** A kept connection with one request under way at a time; the little of HTTP/1.1 that our own door answers with. */
function makeConnection(
  order: CallOrder,
  answered: (at: number, status: number) => void,
  free: (send: Send) => void,
): void {
  const socket: Socket = connect({ host: order.host, port: order.port, noDelay: true });
  let current = -1;
  let heard = "";
  const send: Send = (at) => {
    current = at;
    const body = order.bodies[at] ?? "";
    socket.write(
      `POST ${order.path} HTTP/1.1\r\nHost: ${order.host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  };
  socket.on("connect", () => free(send));
  socket.on("data", (chunk) => {
    heard += chunk.toString("latin1");
    const head = heard.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(heard)?.[1] ?? 0);
    if (heard.length < head + 4 + length) return;
    const status = Number(heard.slice(9, 12));
    heard = "";
    answered(current, status);
    free(send);
  });
  socket.on("error", (error) => {
    process.stderr.write(`A connection of the caller broke: ${error.message}\n`);
    process.exit(1);
  });
}

type Send = (at: number) => void;

function call(order: CallOrder): Promise<CallReport> {
  const total = order.bodies.length;
  const answeredAt = Array.from({ length: total }, () => 0);
  const idle: Send[] = [];
  const queue: number[] = [];
  let failed = 0;
  let answers = 0;
  return new Promise((resolve) => {
    const startedAt = wallClock() + 200;
    const dueAt = Array.from({ length: total }, (_, at) => startedAt + (at * 1_000) / order.rate);
    let next = 0;
    function dispatch(): void {
      while (queue.length > 0 && idle.length > 0) idle.pop()?.(queue.shift() ?? 0);
    }
    function answered(at: number, status: number): void {
      answeredAt[at] = wallClock();
      if (status !== 200) failed += 1;
      answers += 1;
      if (answers === total) resolve({ dueAt, answeredAt, failed });
    }
    for (let made = 0; made < order.connections; made++) {
      makeConnection(order, answered, (send) => {
        idle.push(send);
        dispatch();
      });
    }
    const timer = setInterval(() => {
      for (const now = wallClock(); next < total && (dueAt[next] ?? 0) <= now; next++) queue.push(next);
      if (next === total) clearInterval(timer);
      dispatch();
    }, TICK_MS);
  });
}

async function answer(order: CallOrder): Promise<void> {
  const report = await call(order);
  process.send?.(report, () => process.exit(0));
}

process.on("message", (order: CallOrder) => {
  answer(order).catch((error: unknown) => {
    process.stderr.write(`The caller failed: ${String(error)}\n`);
    process.exit(1);
  });
});
