/**
 * Evenings of calls through gateways with every habit, each compared with a model of the dialogue: `node test/ussd-run/main.ts --seeds 500`.
 */
import { migrateDatabase } from "../../src/platform/database.ts";
import { requireDatabase } from "../../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, wholeOption } from "../support/command-line.ts";
import { withThrowawayPostgres } from "../support/throwaway-postgres.ts";
import { checkAll, type Evidence } from "./checks.ts";
import { onClone } from "./clone.ts";
import { liveEvening } from "./evening.ts";
import { findBlindSpots } from "./planted-faults.ts";
import { seedVillage } from "./village.ts";

const HELP = `Lets random people call through random gateways at the program's own door, all at once, and compares every answer and every act with a model.

Usage: npm run test:ussd -- [--seeds N] [--first N] [--people N] [--jobs N] [--teeth]

  --seeds N    how many evenings (500); each seed draws another one
  --first N    the first seed (1); a failing seed is lived again with --seeds 1 --first SEED
  --people N   callers of an evening, all at once (200)
  --jobs N     evenings at the same time (2)
  --teeth      plant faults into the first evening and see that each is noticed, then go on
  --help       this text

Exit code 1 when a promise is broken in any of them; the failing seeds are named with the command that lives them again.
`;

const OPTIONS = {
  seeds: { type: "string" },
  first: { type: "string" },
  people: { type: "string" },
  jobs: { type: "string" },
  teeth: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const TEMPLATE = "washa_evenings";
const BROKEN_SHOWN_MAX = 5;
const PROGRESS_EVERY = 10;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function parseAsked() {
  const { seeds, first, people, jobs, teeth, help } = readOptions(OPTIONS);
  return {
    seeds: wholeOption("seeds", seeds, { fallback: 500, least: 1 }),
    first: wholeOption("first", first, { fallback: 1, least: 1 }),
    people: wholeOption("people", people, { fallback: 200, least: 1 }),
    jobs: wholeOption("jobs", jobs, { fallback: 2, least: 1 }),
    teeth,
    help,
  };
}

async function main(): Promise<number> {
  const asked = parseAsked();
  if (asked.help) {
    process.stdout.write(HELP);
    return 0;
  }
  return await withThrowawayPostgres({ name: "evenings", flags: ["shared_buffers=256MB"] }, async (server) => {
    const templateUrl = await requireDatabase(server, TEMPLATE);
    await migrateDatabase(templateUrl);
    const village = await seedVillage(templateUrl, asked.people);
    const summary = makeSummary(asked);
    const seeds = Array.from({ length: asked.seeds }, (_, at) => asked.first + at).values();
    const live = async (): Promise<void> => {
      for (const seed of seeds) {
        const place = { superuserUrl: server.url("postgres"), template: TEMPLATE, name: `evening_${String(seed)}` };
        try {
          summary.add(seed, await onClone(place, (databaseUrl) => liveEvening({ seed, databaseUrl, village })));
        } catch (error) {
          summary.fell(seed, error);
        }
      }
    };
    await Promise.all(Array.from({ length: asked.jobs }, live));
    return summary.finish();
  });
}

function makeSummary({ seeds, first, people, teeth }: ReturnType<typeof parseAsked>) {
  const startedAt = performance.now();
  const failed: number[] = [];
  const totals = { hops: 0, sessions: 0, acts: 0, checked: 0 };
  const habits = new Map<string, number>();
  let done = 0;

  function progress(): void {
    const seconds = (performance.now() - startedAt) / 1_000;
    const left = Math.round((seconds / done) * (seeds - done));
    const text = `${String(done)}/${String(seeds)} evenings, ${String(failed.length)} failed, ${String(left)} s left`;
    if (process.stderr.isTTY) {
      const full = Math.round((done / seeds) * 30);
      process.stderr.write(`\r${"█".repeat(full)}${"░".repeat(30 - full)} ${text}   ${done === seeds ? "\n" : ""}`);
    } else if (done % PROGRESS_EVERY === 0) say(text);
  }

  return {
    add(seed: number, evidence: Evidence): void {
      done += 1;
      const checks = checkAll(evidence);
      const broken = checks.filter((check) => check.broken.length > 0);
      totals.hops += evidence.heard.reduce((sum, { answers }) => sum + answers.length, 0);
      totals.sessions += evidence.ended.length;
      totals.acts += evidence.lives.reduce((sum, { acts }) => sum + acts.length, 0);
      totals.checked += checks.reduce((sum, { checked }) => sum + checked, 0);
      for (const { habit } of evidence.heard) habits.set(habit, (habits.get(habit) ?? 0) + 1);
      if (broken.length > 0) failed.push(seed);
      for (const check of broken) {
        say(`seed ${String(seed)} BROKEN ${String(check.broken.length)} of ${String(check.checked)}: ${check.promise}`);
        for (const text of check.broken.slice(0, BROKEN_SHOWN_MAX)) say(`    ${text}`);
      }
      if (teeth && seed === first && broken.length === 0) {
        const { planted, unnoticed } = findBlindSpots(evidence);
        say(`${String(planted - unnoticed.length)} of ${String(planted)} planted faults are noticed.`);
        for (const name of unnoticed) say(`  no check noticed ${name}`);
        if (unnoticed.length > 0) failed.push(seed);
      }
      progress();
    },
    fell(seed: number, error: unknown): void {
      done += 1;
      failed.push(seed);
      say(`seed ${String(seed)} fell: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      progress();
    },
    /** Answers the exit code. */
    finish(): number {
      const seconds = Math.round((performance.now() - startedAt) / 1_000);
      const count = (value: number): string => value.toLocaleString("en");
      say(
        `${count(done)} evenings of ${count(people)} callers in ${count(seconds)} s: ${count(totals.sessions)} sessions, ${count(totals.hops)} hops, ` +
          `${count(totals.acts)} acts, ${count(totals.checked)} things checked.`,
      );
      say(`Habits: ${[...habits].map(([habit, times]) => `${habit} ${count(times)}`).join(", ")}.`);
      if (failed.length === 0) {
        say("All of them went as the model says.");
        return 0;
      }
      say(`${count(failed.length)} did not. To live one again:`);
      for (const seed of failed.toSorted((left, right) => left - right))
        say(`  npm run test:ussd -- --seeds 1 --first ${String(seed)} --people ${String(people)}`);
      return 1;
    },
  };
}

await runProgram(main);
