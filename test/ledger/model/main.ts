/** Compares the real ledger with a small one in memory, under concurrency: `node test/ledger/model/main.ts --runs 2000`. */
import fc from "fast-check";
import { migrateDatabase } from "../../../src/platform/database.ts";
import { requireDatabase } from "../../../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, wholeOption } from "../../support/command-line.ts";
import { withThrowawayPostgres } from "../../support/throwaway-postgres.ts";
import { programs } from "./programs.ts";
import { openWorld, type World } from "./world.ts";

const HELP = `Lets a few clients work on the real ledger at once and looks for an order in which a ledger of fifty lines in memory
gives every answer that was given; at the end both must hold the same books.

Usage: npm run test:ledger -- [--runs N] [--seed N] [--path P]

  --runs N  how many programs (2000)
  --seed N  draws the programs and who makes which statement when (random)
  --path P  with the seed: only the one program that failed, as printed after a failure
  --help    this text

Exit code 1 when an answer or the books differ, or when the clients never got into each other's way.
`;

/** Shrinking tries one smaller program after the other; where chance has a part in the failure it might never end. */
const SHRINKS_MAX = 400;
/** Below so many runs it may happen that no deadlock or no conflict comes by. */
const RUNS_THAT_MEET_ALL = 300;
const MUST_BE_SEEN = [
  "again after 40001",
  "again after 40P01",
  "waits for a lock",
  "IdempotencyConflict",
  "NotFound",
  "NotAllowedNow",
  "Bug",
  "rolled back",
  "tamper",
  "read",
];

/** fast-check draws seeds of 32 bits with a sign. */
const SEED_LEAST = -(2 ** 31);

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(80)}`);
}

async function compare(
  world: World,
  { runs, seed, path }: { runs: number; seed: number; path: string | undefined },
): Promise<number> {
  const startedAt = performance.now();
  let [done, failures] = [0, 0];
  const property = fc.asyncProperty(programs, async (program) => {
    if (failures > SHRINKS_MAX) return;
    try {
      await world.run(program);
    } catch (error) {
      failures += 1;
      throw error;
    }
    done += 1;
    progress(
      failures === 0
        ? `${done} of ${runs} programs`
        : `looking for a smaller program: ${failures} found, ${done} passed`,
    );
  });
  const details = await fc.check(property, { numRuns: runs, seed, ...(path === undefined ? {} : { path }) });
  progress("");
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  if (details.failed) {
    const cause =
      details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
    process.stdout.write(
      `The ledger and its model differ (seed ${seed}, program ${details.numRuns}, ${details.numShrinks} times made smaller, ${seconds} s).\n\n` +
        `${JSON.stringify(details.counterexample?.[0], undefined, 2)}\n\n${cause}\n\n` +
        `The same again: npm run test:ledger -- --seed ${seed} --path "${details.counterexamplePath ?? "0"}" --runs 1\n`,
    );
    return 1;
  }
  const { counts } = world.seen;
  const unseen = runs < RUNS_THAT_MEET_ALL ? [] : MUST_BE_SEEN.filter((what) => !counts.has(what));
  process.stdout.write(
    `${[...counts]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([what, count]) => `${String(count).padStart(8)}  ${what}\n`)
      .join("")}` +
      `${runs} programs, ${["transact", "read", "tamper"].reduce((sum, what) => sum + (counts.get(what) ?? 0), 0)} commands in ${seconds} s (seed ${seed}): no difference.\n` +
      (unseen.length === 0 ? "" : `But these never happened, so nothing was shown of them: ${unseen.join(", ")}.\n`),
  );
  return unseen.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const values = readOptions({
    runs: { type: "string" },
    seed: { type: "string" },
    path: { type: "string" },
    help: { type: "boolean" },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const runs = wholeOption("runs", values.runs, { fallback: 2_000, least: 1 });
  const seed = wholeOption("seed", values.seed, { fallback: Math.floor(Math.random() * 1_000_000), least: SEED_LEAST });
  process.stdout.write(
    `Seed ${seed}: ${runs} programs. The same again: npm run test:ledger -- --runs ${runs} --seed ${seed}\n`,
  );
  const flags = ["shared_buffers=128MB", "deadlock_timeout=10ms"];
  return await withThrowawayPostgres({ name: "ledger", flags }, async (server) => {
    const url = await requireDatabase(server, "washa");
    await migrateDatabase(url);
    const world = await openWorld(url);
    try {
      return await compare(world, { runs, seed, path: values.path });
    } finally {
      await world.close();
    }
  });
}

await runProgram(main);
