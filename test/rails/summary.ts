import type { SeedOutcome } from "./run-seed.ts";

const BROKEN_SHOWN_MAX = 5;
const whole = (value: number): string => Math.round(value).toLocaleString("en");

/** Says one line for each seed, or a line of progress where a person watches, and all figures at the end. */
export function makeSummary({ seeds, payments, contracts }: { seeds: number; payments: number; contracts: number }) {
  const startedAt = performance.now();
  const outcomes: SeedOutcome[] = [];
  const failed = new Set<number>();
  let done = 0;
  const say = (text: string): void => void process.stdout.write(`${text}\n`);

  function progress(): void {
    if (!process.stderr.isTTY) return;
    const width = 30;
    const full = Math.round((done / seeds) * width);
    const bar = "█".repeat(full) + "░".repeat(width - full);
    const seconds = (performance.now() - startedAt) / 1_000;
    const left = (seconds / Math.max(1, done)) * (seeds - done);
    process.stderr.write(`\r${bar} ${done}/${seeds} days, ${failed.size} failed, ${whole(left)} s left   `);
    if (done === seeds) process.stderr.write("\n");
  }

  return {
    add(outcome: SeedOutcome): void {
      const { seed, seconds, checks, unnoticed, figures } = outcome;
      done += 1;
      outcomes.push(outcome);
      const broken = checks.filter((check) => check.broken.length > 0);
      const isSound = broken.length === 0 && unnoticed.length === 0;
      if (!isSound) failed.add(seed);
      if (!process.stderr.isTTY || !isSound)
        say(
          `seed ${seed}: ${whole(figures.payments)} payments, ${whole(figures.prompts)} requests, ${figures.reversals} reversals, ${figures.payouts} payouts, ` +
            `${seconds.toFixed(1)} s: ${isSound ? "ok" : "BROKEN"}`,
        );
      for (const check of broken) {
        say(`  BROKEN ${check.broken.length} of ${check.checked}: ${check.promise}`);
        for (const text of check.broken.slice(0, BROKEN_SHOWN_MAX)) say(`      ${text}`);
      }
      for (const name of unnoticed) say(`  no check noticed ${name}`);
      progress();
    },
    fell({ seed, error }: { seed: number; error: string }): void {
      done += 1;
      failed.add(seed);
      say(`seed ${seed} fell: ${error}`);
      progress();
    },
    /** Answers the exit code. */
    finish(): number {
      const total = (of: (outcome: SeedOutcome) => number): number =>
        outcomes.reduce((sum, outcome) => sum + of(outcome), 0);
      const seconds = (performance.now() - startedAt) / 1_000;
      say("");
      say(
        `${outcomes.length} days in ${whole(seconds)} s (${(total((one) => one.seconds) / Math.max(1, outcomes.length)).toFixed(1)} s each): ` +
          `${whole(total(({ figures }) => figures.payments))} payments held, ${whole(total(({ figures }) => figures.prompts))} requests, ` +
          `${whole(total(({ figures }) => figures.reversals))} reversals, ${whole(total(({ figures }) => figures.payouts))} payouts, ` +
          `${total(({ figures }) => figures.crashes)} crashes.`,
      );
      for (const [title, of] of [
        ["Heard first from", ({ figures }: SeedOutcome) => figures.sources],
        ["Faults that struck", ({ figures }: SeedOutcome) => figures.faults],
        ["Deliveries", ({ figures }: SeedOutcome) => figures.deliveries],
        ["Quarantined", ({ figures }: SeedOutcome) => figures.quarantined],
      ] as const)
        say(`${title}: ${listOf(outcomes.map(of))}.`);
      const checked = total(({ checks }) => checks.reduce((sum, check) => sum + check.checked, 0));
      const planted = total((one) => one.planted);
      const unnoticed = total((one) => one.unnoticed.length);
      say(`${whole(checked)} things checked; ${planted - unnoticed} of ${planted} planted faults noticed.`);
      if (failed.size === 0) {
        say(`All ${outcomes.length} days agree to the last unit.`);
        return 0;
      }
      say(`${failed.size} of ${done} days do not agree. To live one again:`);
      for (const seed of [...failed].toSorted((left, right) => left - right))
        say(`  npm run test:rails -- --seeds 1 --first ${seed} --payments ${payments} --contracts ${contracts}`);
      return 1;
    },
  };
}

function listOf(counts: readonly Readonly<Record<string, number>>[]): string {
  const sums = new Map<string, number>();
  for (const some of counts)
    for (const [name, count] of Object.entries(some)) sums.set(name, (sums.get(name) ?? 0) + count);
  return (
    [...sums]
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name} ${whole(count)}`)
      .join(", ") || "nothing"
  );
}
