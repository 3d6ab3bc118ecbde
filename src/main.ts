import { createReadStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Command, CommanderError } from "commander";
import type { App } from "./app.ts";
import { addCampaignCommands } from "./campaign-command.ts";
import { ConfigRefused, ROLES, VARIABLES, readConfig, requireServing, type AppRole, type Config } from "./config.ts";
import { formatAccountNumber } from "./credit/account-number.ts";
import { parseDeviceCsv } from "./devices/device-csv.ts";
import { addHistoryCommands } from "./history-command.ts";
import { addSimulateCommands } from "./simulate-command.ts";
import { Refusal } from "./kernel/refusal.ts";
import type { Tx } from "./platform/database.ts";
import { CertificateUnusable } from "./platform/certificate-files.ts";
import { FolderInUse } from "./platform/embedded-postgres.ts";

/** How the program ends when a person must do something: the text says what, and no stack trace buries it. */
class Stop extends Error {}

/** What one act on credentials may hold. */
const PROVISIONED_AT_ONCE = 10_000;

function parseRoles(text: string): readonly AppRole[] {
  if (text === "all") return ROLES;
  return text.split(",").map((name) => {
    const role = ROLES.find((known) => known === name.trim());
    if (role === undefined) throw new Stop(`There is no role "${name}". Roles: ${ROLES.join(", ")}, or all.`);
    return role;
  });
}

function requireDatabaseUrl(config: Config): string {
  if (config.databaseUrl === undefined) throw new Stop(`DATABASE_URL is not set. ${VARIABLES["DATABASE_URL"] ?? ""}`);
  return config.databaseUrl;
}

/** Resolves at the first Ctrl-C or SIGTERM; the second one ends the process at once. */
function untilAsked(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on("SIGINT", ask);
    process.on("SIGTERM", ask);
  });
}

async function serve({ roles: names }: { roles: string }): Promise<void> {
  const roles = parseRoles(names);
  const config = requireServing(readConfig(), roles);
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles });
  try {
    await app.start();
  } catch (error) {
    await app.stop();
    throw error;
  }
  app.log.info({ roles, ...app.ports }, "Serving.");
  await untilAsked();
  app.log.info("Stopping.");
  await app.stop();
}

async function demo(): Promise<void> {
  const { runDemo } = await import("./demo.ts");
  await runDemo(readConfig(), untilAsked);
}

async function migrateCommand(): Promise<void> {
  const { migrateDatabase } = await import("./platform/database.ts");
  await migrateDatabase(requireDatabaseUrl(readConfig()));
  process.stdout.write("The database is at the newest migration.\n");
}

async function importDevices(file: string, { credentials }: { credentials?: string }): Promise<void> {
  if (credentials !== undefined && existsSync(credentials))
    throw new Stop(`${credentials} is there already, and passwords are told only once. Name a new file.`);
  const config = requireServing(readConfig(), []);
  const csv = readFileSync(file, "utf8");
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles: [] });
  try {
    const report = await app.database.db.transaction(async (tx) => {
      const imported = await app.devices.importCsv(tx, csv);
      await app.access.audit(tx, {
        actor: "command line",
        action: "devices.import",
        subjectKind: "file",
        subjectId: "devices",
        detail: { added: imported.added },
      });
      return imported;
    });
    process.stdout.write(
      `${report.added} devices added, ${report.existing.length} were there before, ${report.refused.length} lines refused.\n`,
    );
    for (const { line, reason } of report.refused) process.stdout.write(`  line ${line}: ${reason}\n`);
    if (credentials !== undefined) await provisionDevices(app, { csv, file: credentials });
  } finally {
    await app.stop();
  }
}

/** Gives the devices of an exchange file passwords, as a maker writes them in the factory, and writes these into a file. */
async function provisionDevices(app: App, { csv, file }: { csv: string; file: string }): Promise<void> {
  const serials = parseDeviceCsv(csv).devices.map(({ serial }) => serial);
  const lines = ["serial,password"];
  for (let at = 0; at < serials.length; at += PROVISIONED_AT_ONCE) {
    const some = serials.slice(at, at + PROVISIONED_AT_ONCE);
    await app.database.db.transaction(async (tx) => {
      const act = { serials: some, actor: "command line", reason: "imported with credentials" };
      for (const { serial, password } of await app.credentials.provision(tx, act)) lines.push(`${serial},${password}`);
      // Before the commit: a password that was given is never in memory alone. They are secrets of the file's owner.
      writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    });
  }
  process.stdout.write(`${lines.length - 1} passwords are in ${file}.\n`);
}

/** Gives labels to devices that nobody speaks for, and new ones to those that were cut off; the codes are told here only. */
async function printCodes(serials: readonly string[], { reason }: { reason: string }): Promise<void> {
  const { issued, refused } = await inTransaction((app, tx) =>
    app.credentials.issueCodes(tx, { serials, actor: "command line", reason }),
  );
  for (const { serial, code } of issued) process.stdout.write(`${serial},${code}\n`);
  for (const [serial, why] of refused) process.stderr.write(`${serial}: ${why}\n`);
}

async function cutOff(serials: readonly string[], { reason }: { reason: string }): Promise<void> {
  const done = await inTransaction((app, tx) => app.credentials.revoke(tx, { serials, actor: "command line", reason }));
  process.stdout.write(`${done} of ${serials.length} devices cut off; the others had no voice.\n`);
}

async function withApp<Result>(work: (app: App) => Promise<Result>): Promise<Result> {
  const config = requireServing(readConfig(), []);
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles: [] });
  try {
    return await work(app);
  } finally {
    await app.stop();
  }
}

function inTransaction<Result>(work: (app: App, tx: Tx) => Promise<Result>): Promise<Result> {
  return withApp((app) => app.database.db.transaction((tx) => work(app, tx)));
}

async function importBook(folder: string, { devices, area }: { devices: string; area: string }): Promise<void> {
  const config = requireServing(readConfig(), []);
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const [groupsCsv, accountsCsv, deviceCsv] = [read("groups.csv"), read("accounts.csv"), readFileSync(devices, "utf8")];
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles: [] });
  const onProgress = (done: number, total: number): void =>
    void (done % 100 === 0 || done === total ? process.stderr.write(`${done} of ${total} accounts\n`) : undefined);
  try {
    const report = await app.database.db.transaction(async (tx) => {
      await app.devices.importCsv(tx, deviceCsv);
      return await app.credit.importBook(
        tx,
        { groupsCsv, accountsCsv, currency: config.currency },
        { actor: "command line", area, onProgress },
      );
    });
    process.stdout.write("account,account_number\n");
    for (const [id, contract] of report.contracts)
      process.stdout.write(`${id},${formatAccountNumber(contract.accountNumber)}\n`);
  } finally {
    await app.stop();
  }
}

async function importStatement(
  file: string,
  { rail, account, mapping }: { rail: string; account: string; mapping?: string },
): Promise<void> {
  const config = requireServing(readConfig(), []);
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles: [] });
  try {
    const open = app.rails.get(rail);
    if (open === undefined)
      throw new Stop(`There is no rail "${rail}". Configured: ${[...app.rails.keys()].join(", ") || "none"}.`);
    const report = await app.statements.importStatement(createReadStream(file), {
      channel: open.rail.channel,
      shortcode: account,
      format: mapping === undefined ? "mpesa" : { mapping },
      fileName: basename(file),
      actor: "command line",
      onProgress: ({ lines }) => void (process.stderr.isTTY && process.stderr.write(`\r${lines} lines`)),
    });
    const { linesTotal, taken, known, refused, skipped, isRepeated } = report;
    process.stdout.write(
      `${isRepeated ? "This file was imported before; nothing was done. " : ""}${linesTotal} lines: ${taken} taken, ${known} were there before, ${refused} refused, ${skipped} skipped.\n`,
    );
    for (const { line, detail } of report.refusedLines) process.stdout.write(`  line ${line}: ${detail ?? ""}\n`);
  } finally {
    await app.stop();
  }
}

async function saveMapping(name: string, file: string): Promise<void> {
  const config = requireServing(readConfig(), []);
  const mapping: unknown = JSON.parse(readFileSync(file, "utf8"));
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles: [] });
  try {
    await app.database.db.transaction((tx) => app.statements.saveMapping(tx, { name, mapping, actor: "command line" }));
    process.stdout.write(`The mapping ${name} is saved.\n`);
  } finally {
    await app.stop();
  }
}

async function createStaff(
  email: string,
  { name, role, area }: { name: string; role: string; area?: string },
): Promise<void> {
  const config = requireServing(readConfig(), []);
  const password = readFileSync(0, "utf8").trim();
  const { buildApp } = await import("./app.ts");
  const app = await buildApp({ config, roles: [] });
  try {
    const { seedStaff } = await import("./demo.ts");
    await seedStaff(app, { email, name, role, area: area ?? null, password });
    process.stdout.write(`${email} may sign in as ${role}.\n`);
  } finally {
    await app.stop();
  }
}

async function schema({ check }: { check?: boolean }): Promise<void> {
  const { findSchemaDrift, writeSchemaFile } = await import("./graphql/schema.ts");
  if (check !== true) {
    await writeSchemaFile();
    process.stdout.write("schema.graphql is written.\n");
    return;
  }
  const drift = await findSchemaDrift();
  if (drift !== undefined) throw new Stop(`schema.graphql is not what the code says. Run: npm run schema\n${drift}`);
  process.stdout.write("schema.graphql is what the code says.\n");
}

function program(): Command {
  const washa = new Command("washa")
    .description("Mobile-money PAYGO solar operations: from a payment to light.")
    .showHelpAfterError("(washa --help explains every command)")
    .exitOverride();
  washa
    .command("demo")
    .description(
      "Start everything on embedded defaults, seed a small village once, play one story, stay up. The same as npm start.",
    )
    .action(demo);
  washa
    .command("serve")
    .description("Run the program against your own PostgreSQL. Every role may run many times.")
    .option("--roles <names>", `what this process does: ${ROLES.join(", ")}, or all`, "all")
    .addHelpText(
      "after",
      "\napi: HTTP doors and GraphQL. gateway: MQTT. settle: the settle loop. worker: outbox and messages. history: copies readings to history, and runs its embedded engine.",
    )
    .action(serve);
  washa
    .command("migrate")
    .description("Bring the database of DATABASE_URL to the newest migration.")
    .action(migrateCommand);
  const imports = washa.command("import").description("Take in files of other systems.");
  imports
    .command("devices <file>")
    .description(
      "A device exchange CSV: Serial Number, Starting Code, Key, Count, Time Divider, Restricted Digit Mode, Hardware Model, and of its battery Battery Chemistry, Battery Ah, Battery Cells. Existing serials stay as they are.",
    )
    .option("--credentials <file>", "give each device its MQTT password, and write serial,password into a new file")
    .action(importDevices);
  imports
    .command("book <folder>")
    .description(
      "Another seller's book: groups.csv become plans, accounts.csv customers with contracts. Prints the new account numbers.",
    )
    .requiredOption("--devices <file>", "device exchange CSV with the serials BOOK-<account id>")
    .option("--area <area>", "the area the customers belong to", "imported")
    .action(importBook);
  imports
    .command("statement <file>")
    .description(
      "A provider's statement: the M-Pesa organisation statement, or any CSV with a saved mapping. The whole file or nothing of it; see docs/statements.md.",
    )
    .requiredOption("--rail <name>", "the channel it is of")
    .requiredOption("--account <number>", "our paybill, till or wallet that it is of")
    .option("--mapping <name>", "how to read it; left out: the M-Pesa organisation statement")
    .action(importStatement);
  imports
    .command("mapping <name> <file>")
    .description("Save how a provider's CSV is read, from a JSON file.")
    .action(saveMapping);
  const device = washa.command("device").description("Who may speak for a device over MQTT.");
  device
    .command("codes <serials...>")
    .description("Print claim codes for devices that nobody speaks for, as serial,code lines.")
    .requiredOption("--reason <text>", "why, for the audit")
    .action(printCodes);
  device
    .command("revoke <serials...>")
    .description("Cut devices off at once, and void their open claim codes.")
    .requiredOption("--reason <text>", "why, for the audit")
    .action(cutOff);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  addHistoryCommands(washa, {
    config: () => {
      const config = readConfig();
      return { ...config, databaseUrl: requireDatabaseUrl(config) };
    },
    print,
  });
  addCampaignCommands(washa, { withApp, print, untilAsked });
  addSimulateCommands(washa, untilAsked);
  washa
    .command("staff <email>")
    .description("Add a person who may sign in; the password is read from standard input.")
    .requiredOption("--name <name>", "the person's name")
    .requiredOption("--role <role>", "admin, operations or agent")
    .option("--area <area>", "the area an agent serves")
    .action(createStaff);
  washa
    .command("schema")
    .description("Write schema.graphql from the code, or check that it is true.")
    .option("--check", "only compare")
    .action(schema);
  const lines = Object.entries(VARIABLES).map(([name, meaning]) => `  ${name.padEnd(24)} ${meaning}`);
  washa.addHelpText("after", `\nEnvironment:\n${lines.join("\n")}\n`);
  return washa;
}

/** Turns what a person can mend into a plain text, and leaves a stack trace to what is our fault. */
function explain(error: unknown): string {
  if (error instanceof Stop || error instanceof ConfigRefused || error instanceof Refusal) return error.message;
  if (error instanceof FolderInUse || error instanceof CertificateUnusable) return error.message;
  if (error instanceof Error && "code" in error) {
    if (error.code === "EADDRINUSE" && "port" in error) {
      return `Port ${String(error.port)} is taken by another program. Stop that one, or choose another port with WASHA_HTTP_PORT, WASHA_MQTT_PORT or WASHA_MQTTS_PORT.`;
    }
    if (error.code === "EACCES" && "port" in error)
      return `Port ${String(error.port)} needs more rights. Choose one above 1023 with WASHA_HTTP_PORT, WASHA_MQTT_PORT or WASHA_MQTTS_PORT.`;
    if (error.code === "ENOENT" && "path" in error) return `There is no file ${String(error.path)}.`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

try {
  await program().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}
// A timer or socket that a library forgot must not keep the program alive once its work is done.
if (process.exitCode !== undefined && process.exitCode !== 0) process.exit();
