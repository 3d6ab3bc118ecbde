/** Calls from a process of its own: so many sessions at once, each hop at its time whether or not others were answered. */
import { Agent, request } from "node:http";

export interface CallOrder {
  readonly port: number;
  readonly path: string;
  /** Sessions at once. */
  readonly sessions: number;
  /** Hops a second, of all sessions. */
  readonly rate: number;
  readonly seconds: number;
  readonly phones: number;
  /** Begins the names of the sessions. */
  readonly prefix: string;
}

export interface CallReport {
  /** From the moment at which each hop was due, sorted. */
  readonly latenciesMs: readonly number[];
  /** Sessions that were begun, and that came to their end. */
  readonly begun: number;
  readonly ended: number;
  readonly wrong: number;
  readonly hopsPerSecond: number;
}

/** Days left, the amount, how to pay by hand; the balance; the reports and back. What ends a session ends it. */
const SCRIPTS: readonly (readonly string[])[] = [
  ["", "1", "1*50", "1*50*3"],
  ["", "2"],
  ["", "4", "4*2", "4*2*00", "4*2*00*2"],
  ["2"],
];

async function call(order: CallOrder): Promise<CallReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: order.sessions });
  const { sessions, rate, seconds, prefix } = order;
  const latenciesMs: number[] = [];
  let [begun, ended, wrong] = [0, 0, 0];
  const startedAt = performance.now() + 100;
  const everyMs = (sessions * 1_000) / rate;
  const until = startedAt + seconds * 1_000;

  function post(fields: Record<string, string>): Promise<string> {
    const body = new URLSearchParams(fields).toString();
    return new Promise((resolve) => {
      const sent = request(
        {
          agent,
          port: order.port,
          path: order.path,
          method: "POST",
          headers: {
            "content-type": "application/x-www-form-urlencoded",
            "content-length": String(Buffer.byteLength(body)),
          },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.once("end", () => resolve(text));
        },
      );
      sent.once("error", () => resolve(""));
      sent.end(body);
    });
  }

  async function phone(slot: number): Promise<void> {
    let dueAt = startedAt + (slot * everyMs) / sessions;
    for (let turn = slot; dueAt < until; turn += sessions) {
      const script = SCRIPTS[turn % SCRIPTS.length] ?? [];
      const sessionId = `${prefix}${String(turn)}`;
      const phoneNumber = `+2547${String(10_000_000 + (turn % order.phones))}`;
      begun += 1;
      // A session that was begun is ended, also past the time.
      for (const [at, text] of script.entries()) {
        const waitMs = dueAt - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        const answer = await post({ sessionId, phoneNumber, text });
        latenciesMs.push(performance.now() - dueAt);
        if (!answer.startsWith(at === script.length - 1 && order.path !== "/" ? "END " : "CON")) wrong += 1;
        dueAt += everyMs;
      }
      ended += 1;
    }
  }

  await Promise.all(Array.from({ length: sessions }, (_, slot) => phone(slot)));
  agent.destroy();
  const hopsPerSecond = (latenciesMs.length * 1_000) / (performance.now() - startedAt);
  return { latenciesMs: latenciesMs.toSorted((left, right) => left - right), begun, ended, wrong, hopsPerSecond };
}

process.once("message", (order: CallOrder) => {
  call(order)
    .then((report) => process.send?.(report, () => process.exit(0)))
    .catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
});
