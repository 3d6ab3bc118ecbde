/**
 * Days of payments over all rails with faults, each compared to the last unit: `node test/rails/main.ts --seeds 300`.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { migrateDatabase } from "../../src/platform/database.ts";
import { requireDatabase } from "../../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, wholeOption } from "../support/command-line.ts";
import { withThrowawayPostgres } from "../support/throwaway-postgres.ts";
import { makeSummary } from "./summary.ts";
import { seedVillage, type Household } from "./village.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

const HELP = `Lives days of payments over all rails, with everything that goes wrong, and compares the books with the providers'.

Usage: npm run test:rails -- [--seeds N] [--first N] [--payments N] [--jobs N] [--contracts N] [--keep]

  --seeds N      how many days (300); each seed draws another one
  --first N      the first seed (1); a failing seed is lived again with --seeds 1 --first SEED
  --payments N   payments that are wished for in a day (2500); some fail, as payments do
  --jobs N       days at the same time, each in a process of its own (2)
  --contracts N  contracts in each of the eight countries (60)
  --keep         leave the databases behind
  --help         this text

Exit code 1 when a promise is broken in any of them; the failing seeds are named with the command that lives them again.
`;

const OPTIONS = {
  seeds: { type: "string" },
  first: { type: "string" },
  payments: { type: "string" },
  jobs: { type: "string" },
  contracts: { type: "string" },
  keep: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

function parseAsked() {
  const { seeds, first, payments, jobs, contracts, keep, help } = readOptions(OPTIONS);
  return {
    seeds: wholeOption("seeds", seeds, { fallback: 300, least: 1 }),
    first: wholeOption("first", first, { fallback: 1 }),
    payments: wholeOption("payments", payments, { fallback: 2_500, least: 1 }),
    jobs: wholeOption("jobs", jobs, { fallback: 2, least: 1 }),
    contracts: wholeOption("contracts", contracts, { fallback: 60, least: 4 }),
    keep,
    help,
  };
}

const TEMPLATE = "washa_rails";
const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));

async function main(): Promise<number> {
  const asked = parseAsked();
  if (asked.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const children = new Set<ChildProcess>();
  const place = {
    name: "rails",
    flags: ["shared_buffers=256MB", "autovacuum=off"],
    isKept: asked.keep,
    clearFirst() {
      for (const child of children) child.kill();
    },
  };
  return await withThrowawayPostgres(place, async (server) => {
    const templateUrl = await requireDatabase(server, TEMPLATE);
    await migrateDatabase(templateUrl);
    const village = await seedVillage(templateUrl, asked.contracts);
    const summary = makeSummary(asked);
    const seeds = Array.from({ length: asked.seeds }, (_, at) => asked.first + at).values();
    const setting = { kind: "setting", superuserUrl: server.url("postgres"), template: TEMPLATE, village } as const;
    await Promise.all(
      Array.from({ length: Math.min(asked.jobs, asked.seeds) }, () =>
        liveSeeds({ seeds, setting: { ...setting, payments: asked.payments, keep: asked.keep }, children, summary }),
      ),
    );
    return summary.finish();
  });
}

/** One worker lives seed after seed until none is left. A worker that falls is replaced, and its seed has failed. */
async function liveSeeds({
  seeds,
  setting,
  children,
  summary,
}: {
  seeds: Iterator<number>;
  setting: Extract<ToWorker, { kind: "setting" }> & { village: readonly Household[] };
  children: Set<ChildProcess>;
  summary: ReturnType<typeof makeSummary>;
}): Promise<void> {
  let worker: ChildProcess | undefined;
  for (let next = seeds.next(); next.done !== true; next = seeds.next()) {
    worker ??= startWorker(children);
    const seed = next.value;
    worker.send({ ...setting, kind: "setting" } satisfies ToWorker);
    worker.send({ kind: "seed", seed } satisfies ToWorker);
    const heard = await hear(worker, seed);
    if (heard.kind === "outcome") summary.add(heard.outcome);
    else summary.fell(heard);
    if (worker.exitCode !== null || worker.signalCode !== null) {
      children.delete(worker);
      worker = undefined;
    }
  }
  worker?.disconnect();
}

function startWorker(children: Set<ChildProcess>): ChildProcess {
  const worker = fork(WORKER, { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.add(worker);
  return worker;
}

function hear(worker: ChildProcess, seed: number): Promise<Exclude<FromWorker, { kind: "ready" }>> {
  return new Promise((resolve) => {
    const done = (heard: Exclude<FromWorker, { kind: "ready" }>): void => {
      worker.off("message", onMessage);
      worker.off("exit", onExit);
      resolve(heard);
    };
    const onMessage = (message: FromWorker): void => {
      if (message.kind !== "ready") done(message);
    };
    const onExit = (code: number | null): void =>
      done({ kind: "fell", seed, error: `the worker ended with code ${String(code)}` });
    worker.on("message", onMessage);
    worker.once("exit", onExit);
  });
}

await runProgram(main);
