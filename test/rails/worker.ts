import { openClient } from "../../src/platform/database.ts";
import { runSeed, type SeedOutcome } from "./run-seed.ts";
import type { Household } from "./village.ts";

/** What a worker is told first, then the seeds, one at a time. */
export type ToWorker =
  | {
      readonly kind: "setting";
      readonly superuserUrl: string;
      readonly template: string;
      readonly village: readonly Household[];
      readonly payments: number;
      readonly keep: boolean;
    }
  | { readonly kind: "seed"; readonly seed: number };

export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "outcome"; readonly outcome: SeedOutcome }
  | { readonly kind: "fell"; readonly seed: number; readonly error: string };

type Setting = Extract<ToWorker, { kind: "setting" }>;

/** A database of its own for each seed: a copy of the template with the village in it. */
async function runOn(setting: Setting, seed: number): Promise<SeedOutcome> {
  const { superuserUrl, template, village, payments, keep } = setting;
  const name = `rails_${seed}`;
  const client = openClient(superuserUrl, 1);
  try {
    await client.unsafe(`drop database if exists "${name}" with (force)`);
    await client.unsafe(`create database "${name}" template "${template}" owner washa`);
    const url = new URL(superuserUrl);
    url.pathname = `/${name}`;
    url.username = "washa";
    const order = { seed, payments, superuserUrl, village };
    const outcome = await runSeed({ ...order, databaseUrl: url.toString() });
    if (!keep) await client.unsafe(`drop database "${name}" with (force)`);
    return outcome;
  } finally {
    await client.end({ timeout: 5 });
  }
}

function serve(): void {
  const send = (message: FromWorker): void => void process.send?.(message);
  let setting: Setting | undefined;
  process.on("message", (message: ToWorker) => {
    if (message.kind === "setting") {
      setting = message;
      send({ kind: "ready" });
      return;
    }
    if (setting === undefined) throw new Error("A worker was given a seed before its setting.");
    const { seed } = message;
    runOn(setting, seed).then(
      (outcome) => send({ kind: "outcome", outcome }),
      (error: unknown) =>
        send({ kind: "fell", seed, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  // Nothing more to do, or whoever started it is gone and nobody would hear the rest.
  process.once("disconnect", () => process.exit(0));
}

serve();
