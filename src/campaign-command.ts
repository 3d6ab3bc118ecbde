import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { z } from "zod";
import type { App } from "./app.ts";
import { LANGUAGES } from "./kernel/language.ts";
import { InvalidInput, NotFound } from "./kernel/refusal.ts";
import type { Campaign, CampaignPreview, CampaignProgress, Cost, NewCampaign } from "./messaging/messaging.ts";

interface Doors {
  /** Builds the program without running it, lets somebody work with it, and lets go of it. */
  withApp<Result>(work: (app: App) => Promise<Result>): Promise<Result>;
  print(line: string): void;
  /** Resolves when a person asks for the end. */
  untilAsked(): Promise<void>;
}

const ACTOR = "command line";
const LOOK_EVERY_MS = 1_000;
const BAR_LETTERS = 30;
const LISTED = 20;

const draftShape = z.strictObject({
  name: z.string(),
  segment: z.unknown(),
  texts: z.partialRecord(z.enum(LANGUAGES), z.string()),
});

/** `washa campaign …`: something for many people. The workers send it; a command that watches may end at any time. */
export function addCampaignCommands(washa: Command, doors: Doors): void {
  const campaign = washa
    .command("campaign")
    .description("Messages to many customers who agreed to hear of news. See docs/messages.md for the file.");
  campaign
    .command("send <file>")
    .description(
      "Start the campaign of a JSON file, and show how far it is. Ctrl-C ends the showing, not the campaign.",
    )
    .option("--dry-run", "only look: who would hear what, and what it would cost")
    .action((file: string, { dryRun }: { dryRun?: boolean }) =>
      doors.withApp(async (app) => {
        const draft = readDraft(file);
        printPreview(await app.messaging.campaigns.preview(app.database.db, draft), doors.print);
        if (dryRun !== true) await watch(app, doors, await send(app, draft));
      }),
    );
  campaign
    .command("watch <id>")
    .description("Show how far a campaign is, until it has ended or Ctrl-C.")
    .action((id: string) => doors.withApp(async (app) => watch(app, doors, await requireCampaign(app, id))));
  campaign
    .command("stop <id>")
    .description("End a campaign at once: only what a gateway has already still goes out.")
    .action((id: string) =>
      doors.withApp(async (app) => {
        const stopped = await inAct(app, "stop", (tx) => app.messaging.campaigns.stop(tx, id));
        doors.print(`${stopped.name} is stopped.`);
      }),
    );
  campaign
    .command("list")
    .description("The latest campaigns, newest first.")
    .action(() =>
      doors.withApp(async (app) => {
        for (const one of await app.messaging.campaigns.list(app.database.db, { first: LISTED })) {
          const progress = await app.messaging.campaigns.progress(app.database.db, one.id);
          doors.print(`${one.id}  ${one.state.padEnd(7)}  ${describe(progress)}  ${one.name}`);
        }
      }),
    );
}

function readDraft(file: string): NewCampaign {
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InvalidInput(`${file} is not JSON: ${error.message}`);
    throw error;
  }
  const parsed = draftShape.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InvalidInput(`${file}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "no campaign"}`);
}

function send(app: App, draft: NewCampaign): Promise<Campaign> {
  const { campaigns } = app.messaging;
  return inAct(app, "start", async (tx) =>
    campaigns.start(tx, (await campaigns.create(tx, { ...draft, actor: ACTOR })).id),
  );
}

async function inAct(
  app: App,
  act: "start" | "stop",
  work: (tx: Parameters<App["messaging"]["campaigns"]["stop"]>[0]) => Promise<Campaign>,
): Promise<Campaign> {
  return app.database.db.transaction(async (tx) => {
    const { id: subjectId, name, ...rest } = await work(tx);
    const detail = { name };
    await app.access.audit(tx, { actor: ACTOR, action: `campaign.${act}`, subjectKind: "campaign", subjectId, detail });
    return { id: subjectId, name, ...rest };
  });
}

async function requireCampaign(app: App, id: string): Promise<Campaign> {
  const found = await app.messaging.campaigns.find(app.database.db, id);
  if (found === undefined) throw new NotFound("campaign");
  return found;
}

async function watch(app: App, { print, untilAsked }: Doors, { id, name }: Campaign): Promise<void> {
  print(`${name} is campaign ${id}.`);
  let isAsked = false;
  const asked = untilAsked().then(() => {
    isAsked = true;
  });
  for (;;) {
    const { state } = await requireCampaign(app, id);
    const progress = await app.messaging.campaigns.progress(app.database.db, id);
    const line = `${bar(progress)} ${describe(progress)}`;
    if (process.stderr.isTTY) process.stderr.write(`\r${line}`);
    const isOver = state === "stopped" || (state === "done" && progress.left === 0);
    if (isOver || isAsked) {
      print(`${process.stderr.isTTY ? "\n" : ""}${line}`);
      print(isOver ? `It is ${state}.` : `It goes on. Look again with: washa campaign watch ${id}`);
      return;
    }
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))]);
  }
}

function bar({ people, left }: CampaignProgress): string {
  const done = people === 0 ? BAR_LETTERS : Math.floor(((people - left) / people) * BAR_LETTERS);
  return `[${"#".repeat(done)}${".".repeat(BAR_LETTERS - done)}]`;
}

const writeCosts = (costs: readonly Cost[]): string =>
  costs.map(({ amount, currency }) => `${currency} ${amount}`).join(" + ") || "no cost yet";

function describe({ people, left, sent, delivered, failed, skipped, cost }: CampaignProgress): string {
  const passed = skipped.reduce((sum, one) => sum + one.people, 0);
  return `${people} people: ${left} left, ${sent} sent, ${delivered} delivered, ${failed} failed, ${passed} skipped; ${writeCosts(cost)}`;
}

function printPreview({ people, languages, skipped, cost }: CampaignPreview, print: (line: string) => void): void {
  print(`${people} people are meant.`);
  for (const line of languages)
    print(
      `  ${line.language}: ${line.people} people, ${line.parts} parts (at most ${line.partsMax} each): ${line.sample}`,
    );
  for (const { reason, people: some } of skipped) print(`  ${some} hear nothing: ${reason}`);
  print(
    cost === undefined
      ? "  Set WASHA_SMS_PART_PRICE to know the cost."
      : `  By SMS it costs about ${writeCosts([cost])}.`,
  );
}
