import { createWriteStream, existsSync } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { randomUUID } from "node:crypto";
import { InvalidArgumentError, type Command } from "commander";
import type { Config } from "./config.ts";
import { historyPlace } from "./history-rooms.ts";
import { NotAllowedNow } from "./kernel/refusal.ts";
import { parseLocalDate, systemClock, type LocalDate } from "./kernel/time.ts";
import { HistoryAway, openHistory, type History } from "./platform/history/history.ts";
import { migrateHistory } from "./platform/history/migrate.ts";
import { findFront } from "./platform/history/supervisor.ts";
import { onCluster, tableName } from "./platform/history/topology.ts";
import {
  askForDays,
  bindAnew,
  connectLink,
  countOpenDays,
  heldDays,
  makeFollower,
  readBookmark,
  readFinal,
  takeLock,
  whyOtherNumbers,
} from "./telemetry/telemetry.ts";

interface Doors {
  /** Reads the configuration and the database's address, refusing where one is missing. */
  readonly config: () => Config & { readonly databaseUrl: string };
  readonly print: (line: string) => void;
}

const day = (text: string): LocalDate => {
  try {
    return parseLocalDate(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
};

/** `washa history …`: what a person asks of history besides looking at it. Works beside a running program and without one. */
export function addHistoryCommands(washa: Command, doors: Doors): void {
  const history = washa
    .command("history")
    .description("Long history: how far it is, filling it from PostgreSQL, files for analysts. See docs/history.md.");
  history
    .command("status")
    .description("Where history is, how far it has come, and what is left to do.")
    .action(() => withHistory(doors, (store, config) => printStatus({ store, config, print: doors.print })));
  history
    .command("backfill")
    .description(
      "Compare days with PostgreSQL, device by device, and copy what history lacks. May be stopped and repeated.",
    )
    .option("--from <day>", "first UTC day, such as 2026-03-01 (the first that PostgreSQL holds)", day)
    .option("--to <day>", "last UTC day (the last that PostgreSQL holds)", day)
    .action((options: { from?: LocalDate; to?: LocalDate }) =>
      withHistory(doors, (store, config) => backfill({ store, config, options, print: doors.print })),
    );
  history
    .command("export")
    .description("Write readings into a Parquet file.")
    .requiredOption("--from <day>", "first UTC day", day)
    .requiredOption("--to <day>", "last UTC day", day)
    .requiredOption("--out <file>", "file to write, such as march.parquet")
    .option("--what <table>", "readings, hours or days", "readings")
    .option("--force", "replace a file that is there")
    .action((options: ExportOptions) =>
      withHistory(doors, (store) => exportParquet({ store, options, print: doors.print })),
    );
  history
    .command("resync")
    .description(
      "Bind this database and this history to each other, after one of them was restored; then every day in PostgreSQL is compared. Nothing is copied twice.",
    )
    .action(() => withHistory(doors, (store, config) => resync({ store, config, print: doors.print })));
}

/** Uses the engine of a running program; where none runs, an engine of its own for as long as the command takes. */
async function withHistory(
  doors: Doors,
  work: (store: History, config: Config & { readonly databaseUrl: string }) => Promise<void>,
): Promise<void> {
  const config = doors.config();
  const place = historyPlace(config, true);
  const isShared = "folder" in place && findFront(place.folder) !== undefined;
  const store = openHistory(isShared ? historyPlace(config, false) : place, {
    onFault: ({ message }) => process.stderr.write(`${message.trim()}\n`),
  });
  try {
    store.start();
    await store.settled();
    const absence = store.absence();
    if (absence !== undefined) throw new HistoryAway(absence);
    await store.use((client) => migrateHistory(client, store.topology));
    await work(store, config);
  } finally {
    await store.close();
  }
}

async function printStatus({
  store,
  config,
  print,
}: {
  store: History;
  config: Config & { readonly databaseUrl: string };
  print: Doors["print"];
}): Promise<void> {
  const { link, close } = await connectLink(config.databaseUrl);
  try {
    const [bookmark, final] = [await readBookmark(link), await readFinal(link)];
    const held = await heldDays(link);
    const open = await countOpenDays(link, { from: "0001-01-01", to: "9999-12-31" });
    const [found] = await store.use(async (client) =>
      (
        await client.query({
          query: `select version() as version, toString(count()) as rows, toString(min(at)) as oldest, toString(max(at)) as newest
            from ${tableName(store.topology, "readings")}`,
          format: "JSONEachRow",
        })
      ).json<{ version: string; rows: string; oldest: string; newest: string }>(),
    );
    const url = config.clickhouseUrl === undefined ? undefined : new URL(config.clickhouseUrl);
    print(
      `History:      ${url === undefined ? "embedded engine" : `${url.protocol}//${url.host}`}, ClickHouse ${found?.version ?? "?"}${onCluster(store.topology) === "" ? "" : `, ${onCluster(store.topology)}`}`,
    );
    print(
      `Readings:     ${found?.rows ?? "0"}${found?.rows === "0" ? "" : `, from ${found?.oldest ?? "?"} to ${found?.newest ?? "?"} UTC`}`,
    );
    print(`PostgreSQL:   ${held.length === 0 ? "holds no day" : `holds ${held[0] ?? ""} to ${held.at(-1) ?? ""}`}`);
    print(
      `Follower:     ${bookmark.historyId === undefined ? "has not begun" : `${String(bookmark.rowsCopied)} readings copied; last moved ${bookmark.movedAt?.toISOString() ?? "never"}`}`,
    );
    const why = whyOtherNumbers(bookmark.numbering ?? bookmark.numberingNow, bookmark.numberingNow);
    if (why !== undefined) print(`              stands still. ${why}: see "After a restore" in docs/history.md`);
    print(
      `Transactions: ${String(final - bookmark.done)} to look at${bookmark.flight === undefined ? "" : `; ${String(bookmark.flight.rows)} readings are on their way (attempt ${String(bookmark.flight.attempt)})`}`,
    );
    print(`Backfill:     ${open === 0 ? "nothing to do" : `${String(open)} days to compare`}`);
  } finally {
    await close();
  }
}

async function backfill({
  store,
  config,
  options,
  print,
}: {
  store: History;
  config: Config & { readonly databaseUrl: string };
  options: { from?: LocalDate; to?: LocalDate };
  print: Doors["print"];
}): Promise<void> {
  const { link, close } = await connectLink(config.databaseUrl);
  const follower = makeFollower({
    connect: () => connectLink(config.databaseUrl),
    history: store,
    clock: systemClock,
    makeToken: randomUUID,
  });
  try {
    const held = await heldDays(link);
    const [from, to] = [options.from ?? held[0], options.to ?? held.at(-1)];
    const days = held.filter((one) => from !== undefined && to !== undefined && one >= from && one <= to);
    if (days.length === 0)
      throw new NotAllowedNow(
        `PostgreSQL holds no day of these${held.length === 0 ? "" : `; it holds ${held[0] ?? ""} to ${held.at(-1) ?? ""}`}.`,
      );
    await askForDays(link, { days, at: systemClock.now() });
    const range = { from: days[0] ?? "", to: days.at(-1) ?? "" };
    let copied = 0;
    const bar = makeBar("days", days.length);
    for (let open = days.length; open > 0; open = await countOpenDays(link, range)) {
      bar.show(days.length - open, `${String(copied)} readings copied`);
      const step = await follower.step();
      if (step.kind === "filled") copied += step.rows;
      // The running program's follower does it; this command only watches.
      if (step.kind === "elsewhere") await new Promise((done) => setTimeout(done, WATCH_PAUSE_MS));
    }
    bar.end();
    // Not that both are the same: after a restore history may know more.
    print(
      `History holds what PostgreSQL holds of ${String(days.length)} days. Copied here: ${String(copied)} readings.`,
    );
  } finally {
    await follower.stop();
    await close();
  }
}

interface ExportOptions {
  readonly from: LocalDate;
  readonly to: LocalDate;
  readonly out: string;
  readonly what: string;
  readonly force?: boolean;
}

const EXPORTS: Readonly<Record<string, { readonly on: string; readonly order: string }>> = {
  readings: { on: "toDate(at)", order: "toDate(at), device, at" },
  hours: { on: "toDate(hour)", order: "device, hour" },
  days: { on: "day", order: "device, day" },
};

/** The file appears under its name when it is whole. */
async function exportParquet({
  store,
  options: { from, to, out, what, force = false },
  print,
}: {
  store: History;
  options: ExportOptions;
  print: Doors["print"];
}): Promise<void> {
  const table = EXPORTS[what];
  if (table === undefined)
    throw new NotAllowedNow(`There is no "${what}" to export. There are: ${Object.keys(EXPORTS).join(", ")}.`);
  if (to < from) throw new NotAllowedNow("The last day is before the first.");
  if (existsSync(out) && !force) throw new NotAllowedNow(`${out} is there already. Use --force to replace it.`);
  const part = `${out}.part`;
  const bar = makeBar("MB", undefined);
  try {
    await store.use(async (client) => {
      const where = `from ${tableName(store.topology, what)} ${what === "readings" ? "" : "final"} where ${table.on} between {from:Date} and {to:Date}`;
      const columns = await plainColumns(store, what);
      const answer = await client.exec({
        query: `select ${columns} ${where} order by ${table.order} format Parquet`,
        query_params: { from, to },
        clickhouse_settings: { max_execution_time: 0 },
      });
      let bytes = 0;
      answer.stream.on("data", (piece: Buffer) => {
        bytes += piece.length;
        bar.show(Math.floor(bytes / 1e6), "");
      });
      await pipeline(answer.stream, createWriteStream(part));
    });
    await rename(part, out);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  bar.end();
  print(`${out}: ${String((await stat(out)).size)} bytes, ${what} of ${from} to ${to} (UTC).`);
}

/** Rollups hold states of aggregates, which no other program reads: a file gets what they come to. */
async function plainColumns(store: History, what: string): Promise<string> {
  const rows = await store.use(async (client) =>
    (
      await client.query({
        query: "select name, type from system.columns where database = {database:String} and table = {table:String}",
        query_params: { database: store.topology.database, table: what },
        format: "JSONEachRow",
      })
    ).json<{ name: string; type: string }>(),
  );
  return rows
    .map(({ name, type }) => (type.startsWith("AggregateFunction") ? `finalizeAggregation(${name}) as ${name}` : name))
    .join(", ");
}

async function resync({
  store,
  config,
  print,
}: {
  store: History;
  config: Config & { readonly databaseUrl: string };
  print: Doors["print"];
}): Promise<void> {
  const { link, close } = await connectLink(config.databaseUrl);
  try {
    let pid = await takeLock(link);
    for (let tries = 0; pid === undefined && tries < LOCK_TRIES; tries++) {
      await new Promise((done) => setTimeout(done, WATCH_PAUSE_MS));
      pid = await takeLock(link);
    }
    if (pid === undefined)
      throw new NotAllowedNow(
        "A running program follows this history without complaint. Stop it first, if you are sure.",
      );
    await bindAnew({ link, pid }, { history: store, clock: systemClock, makeToken: randomUUID });
    print("This database and this history belong to each other now.");
  } finally {
    await close();
  }
  await backfill({ store, config, options: {}, print });
}

const WATCH_PAUSE_MS = 1_000;
/** A follower that is refused lets go of its lock between two tries. */
const LOCK_TRIES = 10;

/** A line that is written over itself, on a terminal only. */
function makeBar(unit: string, total: number | undefined): { show(done: number, more: string): void; end(): void } {
  const { stderr } = process;
  return {
    show(done, more) {
      if (!stderr.isTTY) return;
      const filled = total === undefined ? "" : `[${"#".repeat(Math.floor((done / total) * 30)).padEnd(30)}] `;
      stderr.write(
        `\r${filled}${String(done)}${total === undefined ? "" : ` of ${String(total)}`} ${unit} ${more}\u001B[K`,
      );
    },
    end() {
      if (stderr.isTTY) stderr.write("\r\u001B[K");
    },
  };
}
