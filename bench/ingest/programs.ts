import { fork, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { GatewayOrder, GatewayWord } from "./gateway.ts";
import type { PublishOrder, PublishReport, PublisherWord } from "./publisher.ts";
import type { SubscriberOrder, SubscriberWord } from "./subscriber.ts";

/** A part of the bench in a process of its own. */
export interface Program<Figures> {
  readonly processId: number;
  /** Of the gateway: where devices connect. */
  readonly port: number;
  figures(): Promise<Figures>;
  stop(): Promise<void>;
}

export type GatewayFigures = Extract<GatewayWord, { kind: "figures" }>;
export type SubscriberFigures = Extract<SubscriberWord, { kind: "figures" }>;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * As `npm start` and the image do. Frames live until their commit, longer than a small young generation lasts: the p99 of
 * acknowledgements was 18.7 ms with 64 MB and 20.6 without (means of four turns each on a loaded machine). For the same reason V8 takes
 * what a frame is made of for long-lived and makes it in the old generation, where the dead keep what they point to alive: without
 * that a frame costs the gateway 12.4 microseconds, with it 17.1, and two gateways on two cores take 93 thousand a second instead of 74 (medians
 * of five turns). What lost: a collector without helper threads (15 microseconds, nothing once the other is off) and 32 MB (13.4).
 */
const GATEWAY_FLAGS = ["--max-semi-space-size=64", "--no-allocation-site-pretenuring"];

function begin(file: string, order: object, execArgv: string[] = []): ChildProcess {
  const stdio: ("ignore" | "inherit" | "ipc")[] = ["ignore", "inherit", "inherit", "ipc"];
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { stdio, execArgv });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.send(order);
  return child;
}

/** The next word of this kind; rejects when the process ends before. */
function next<Word extends { readonly kind: string }, Kind extends Word["kind"]>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<Word, { readonly kind: Kind }>> {
  return new Promise((resolve, reject) => {
    function hear(word: Word): void {
      if (word.kind !== kind) return;
      child.off("message", hear);
      child.off("exit", gone);
      resolve(word as Extract<Word, { readonly kind: Kind }>);
    }
    function gone(): void {
      reject(new Error(`A part of the bench ended before it was ${kind}.`));
    }
    child.on("message", hear);
    child.once("exit", gone);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

export async function startGateway(order: GatewayOrder): Promise<Program<GatewayFigures>> {
  const child = begin("./gateway.ts", order, GATEWAY_FLAGS);
  const { port } = await next<GatewayWord, "listening">(child, "listening");
  return {
    processId: child.pid ?? 0,
    port,
    figures() {
      child.send({});
      return next<GatewayWord, "figures">(child, "figures");
    },
    stop: () => stop(child),
  };
}

/** Several gateways behind one port, counted as one. */
export async function startGateways(
  order: Omit<GatewayOrder, "port">,
  count: number,
): Promise<Program<GatewayFigures> & { readonly processIds: readonly number[] }> {
  const first = await startGateway({ ...order, port: undefined });
  const others: Program<GatewayFigures>[] = [];
  for (let more = 1; more < count; more++) others.push(await startGateway({ ...order, port: first.port }));
  const all = [first, ...others];
  return {
    processId: first.processId,
    processIds: all.map(({ processId }) => processId),
    port: first.port,
    async figures() {
      const figures = await Promise.all(all.map((one) => one.figures()));
      const [one, ...rest] = figures;
      if (one === undefined) throw new Error("Bug: there is no gateway.");
      return rest.reduce(addFigures, one);
    },
    async stop() {
      await Promise.all(all.map((one) => one.stop()));
    },
  };
}

function addFigures(left: GatewayFigures, right: GatewayFigures): GatewayFigures {
  const sum = { ...left };
  for (const [name, value] of Object.entries(right))
    if (typeof value === "number") Object.assign(sum, { [name]: Number(left[name as keyof GatewayFigures]) + value });
  return sum;
}

export async function startSubscriber(order: SubscriberOrder): Promise<Program<SubscriberFigures>> {
  const child = begin("./subscriber.ts", order);
  await next<SubscriberWord, "listening">(child, "listening");
  return {
    processId: child.pid ?? 0,
    port: 0,
    figures() {
      child.send({});
      return next<SubscriberWord, "figures">(child, "figures");
    },
    stop: () => stop(child),
  };
}

/** Devices that are connected and wait for the word. */
export async function connectPublishers(
  order: PublishOrder,
): Promise<{ readonly processId: number; publish(): Promise<PublishReport> }> {
  const child = begin("./publisher.ts", order);
  await next<PublisherWord, "connected">(child, "connected");
  return {
    processId: child.pid ?? 0,
    async publish() {
      child.send({});
      return await next<PublisherWord, "done">(child, "done");
    },
  };
}

/** Hundredths of a second that Linux counts a process's time in. */
const TICK_MS = 10;

/** CPU time of a process and all below it, in milliseconds; 0 where the system has no /proc. */
export function cpuOfTree(processId: number): number {
  if (!existsSync("/proc/self/stat")) return 0;
  const facts = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)));
  const below = new Set([processId]);
  for (let size = 0; size !== below.size;) {
    size = below.size;
    for (const { id, parent } of facts) if (below.has(parent)) below.add(id);
  }
  return facts.filter(({ id }) => below.has(id)).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}

function statOf(id: number): { id: number; parent: number; cpuMs: number }[] {
  try {
    // The name in parentheses may hold spaces; the fields that count follow it.
    const text = readFileSync(`/proc/${String(id)}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // utime, stime, and those of children that ended.
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0);
    return [{ id, parent: Number(fields[1] ?? 0), cpuMs: ticks * TICK_MS }];
  } catch {
    return [];
  }
}
