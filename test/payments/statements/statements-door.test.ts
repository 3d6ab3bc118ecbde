import { mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Role } from "../../../src/access/access.ts";
import { makeHttp } from "../../../src/platform/http.ts";
import { makeStatementDoor, makeStatementImports } from "../../../src/payments/payments.ts";
import { removeLeftovers } from "../../../src/payments/statements/statements.spool.ts";
import { openClient } from "../../../src/platform/database.ts";
import { useApp } from "../../support/app.ts";
import { c2bBody, postC2b } from "../../support/village.ts";
import { HEADER, paymentLine, receiptNumber, SAMPLE } from "./statement-files.ts";

const program = useApp();
const tokens = {} as Record<Role, string>;
const FILE = "?account=600966&file=november.csv";
let people = 0;

beforeAll(async () => {
  for (const role of ["admin", "operations", "agent"] as const) tokens[role] = await signIn(role);
});

async function signIn(role: Role): Promise<string> {
  const { access, database } = program.current.app;
  const [email, password] = [`person${++people}@washa.test`, "seven quiet lamps"];
  const passwordHash = await access.hashPassword(password);
  const person = { email, name: role, role, area: role === "agent" ? "Kitui" : null, language: "en" } as const;
  await database.db.transaction((tx) => access.createStaff(tx, { ...person, passwordHash, actor: "system:test" }));
  return (await access.login({ email, password, sourceAddress: "192.0.2.1" })).token;
}

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

async function upload(
  body: Body,
  { query = FILE, role = "operations", rail = railName(), headers = {} }: UploadOptions = {},
): Promise<{ status: number; answer: Record<string, unknown> & { error?: Record<string, unknown> } }> {
  const response = await fetch(`${program.current.url}/statements/${rail}${query}`, {
    method: "POST",
    body,
    duplex: "half",
    headers: { ...(role === null ? {} : { authorization: `Bearer ${tokens[role]}` }), ...headers },
  } as RequestInit);
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

interface UploadOptions {
  query?: string;
  role?: Role | null;
  rail?: string;
  headers?: Record<string, string>;
}

const railName = (): string => [...program.current.app.rails.keys()][0] ?? "";
const rows = async (query: string) => await program.current.app.database.db.execute(sql.raw(query));
const count = async (table: string): Promise<number> =>
  Number((await rows(`select count(*) as n from ${table}`))[0]?.["n"]);
const everything = async () => ({
  statements: await count("payments.statements"),
  lines: await count("payments.statement_lines"),
  callbacks: await count("payments.callbacks"),
  exceptions: await count("payments.exceptions"),
});

/** A file of so many payments, made as it is read. */
function bigFile(lines: number, start: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const until = Math.min(at + 500, lines);
      let text = at === 0 ? `${HEADER}\n` : "";
      for (; at < until; at++) text += `${paymentLine(receiptNumber(start + at))}\n`;
      controller.enqueue(Buffer.from(text));
      if (at === lines) controller.close();
    },
  });
}

describe("a person of the office uploads a statement", () => {
  test("and is told what became of every line; the same file again does nothing; both are audited", async () => {
    const first = await upload(SAMPLE, { query: "?account=600966&file=%C3%89tat%20november.csv" });
    expect(first).toMatchObject({
      status: 200,
      answer: {
        rail: railName(),
        shortcode: "600966",
        fileName: "État november.csv",
        linesTotal: 3,
        taken: 3,
        refused: 0,
        byKind: { payment: { lines: 1, amountMinor: "5000" }, fee: { lines: 1, amountMinor: "-55" } },
        refusedLines: [],
        isRepeated: false,
      },
    });
    const before = await everything();
    const again = await upload(SAMPLE, { role: "admin" });
    expect(again.answer).toEqual({ ...first.answer, isRepeated: true });
    expect(await everything()).toEqual(before);
    const subject = { kind: "statement", id: String(first.answer["statementId"]) };
    expect(await program.current.app.access.listAudit({ limit: 5, subject })).toMatchObject([
      { action: "statement.repeat" },
      {
        action: "statement.import",
        actor: expect.stringMatching(/^staff:/) as string,
        detail: {
          fileName: "État november.csv",
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
          taken: 3,
          refused: 0,
        },
      },
    ]);
  });

  test("in UTF-16, as spreadsheets save it, or with windows' own line ends", async () => {
    const text = SAMPLE.replaceAll("RKL51ZDR4", "RKL16ZDR4")
      .replaceAll("RKM00REV", "RKM16REV")
      .replaceAll("\n", "\r\n");
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]);
    expect(await upload(new Uint8Array(bytes))).toMatchObject({
      status: 200,
      answer: { encoding: "utf-16le", linesTotal: 3, taken: 3 },
    });
  });

  test("that is too long to wait for, and goes on without the request", async () => {
    const { app, clock } = program.current;
    const imports = makeStatementImports({ statements: app.statements, clock, makeId: app.makeId });
    const http = makeHttp({ trustedProxyHops: 0, clock });
    const door = makeStatementDoor({
      imports,
      rails: app.rails,
      authorize: () => Promise.resolve({ actor: "staff:1" }),
      audit: app.access.audit,
      allowSlow: http.allowSlow,
      onFault: () => undefined,
      answerWithinMs: 0,
    });
    http.routes.use("/statements", door);
    const { port } = await http.listen({ port: 0, host: "127.0.0.1" });
    const response = await fetch(`http://127.0.0.1:${port}/statements/${railName()}${FILE}`, {
      method: "POST",
      body: bigFile(3_000, 500_000),
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(202);
    const { importId } = (await response.json()) as { importId: string };
    expect(imports.find(importId)).toMatchObject({
      state: "importing",
      fileName: "november.csv",
      startedBy: "staff:1",
    });
    await vi.waitFor(() => expect(imports.find(importId)).toMatchObject({ state: "imported", lines: 3_000 }), 20_000);
    const { statementId = "" } = imports.find(importId) ?? {};
    expect(await app.statements.findStatement(app.database.db, statementId)).toMatchObject({ taken: 3_000 });
    await http.close();
  });
});

describe("a statement is refused, and nothing of it is imported,", () => {
  test.each<[string, string, UploadOptions, number, Record<string, unknown>]>([
    ["without a session", SAMPLE, { role: null }, 401, { code: "NOT_SIGNED_IN" }],
    ["from an agent", SAMPLE, { role: "agent" }, 403, { code: "FORBIDDEN" }],
    ["for a rail that is not ours", SAMPLE, { rail: "mpesa-mars" }, 404, { field: "rail" }],
    ["without our account", SAMPLE, { query: "?file=a.csv" }, 400, { field: "account" }],
    ["without the file's name", SAMPLE, { query: "?account=600966" }, 400, { field: "file" }],
    ["with two names", SAMPLE, { query: "?account=600966&file=a&file=b" }, 400, { field: "file" }],
    ["with a mapping that nobody saved", SAMPLE, { query: `${FILE}&mapping=none` }, 404, { field: "mapping" }],
    ["of another account", SAMPLE, { query: "?account=600999&file=a.csv" }, 400, { field: "shortcode" }],
    ["as a form", SAMPLE, { headers: { "content-type": "multipart/form-data; boundary=x" } }, 400, { field: "file" }],
    ["when it is compressed", SAMPLE, { headers: { "content-encoding": "gzip" } }, 400, { field: "file" }],
    ["when it is empty", "", {}, 400, { field: "file" }],
    ["when it is a PDF", "%PDF-1.7\n...", {}, 400, { field: "file" }],
  ])("%s", async (_promise, body, options, status, error) => {
    const before = await everything();
    expect(await upload(body, options)).toMatchObject({ status, answer: { error } });
    expect(await everything()).toEqual(before);
  });

  test("with columns missing, and the answer names them", async () => {
    const before = await everything();
    const file = SAMPLE.replace("Completion Time", "When").replace("Paid In", "Money");
    const { status, answer } = await upload(file);
    expect(status).toBe(400);
    expect(answer.error?.["message"]).toMatch(/Completion Time.*Paid In/);
    expect(await everything()).toEqual(before);
  });

  test("when its sender goes away half-way; what had come lay on disk, not in memory, and is gone", async () => {
    const before = await everything();
    const folder = join(tmpdir(), "washa-statements");
    const sending = httpRequest(`${program.current.url}/statements/${railName()}${FILE}`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokens.operations}`, "content-length": "100000000" },
    });
    const gone = new Promise((resolve) => sending.once("close", resolve));
    sending.on("error", () => undefined);
    const sent = `${HEADER}\n${paymentLine("RKLHALF001")}\n`.repeat(20_000 + (process.pid % 1_000));
    sending.write(sent);
    // Other tests may import at the same time: ours is the file of our length.
    const lying = async () => {
      const places = await readdir(folder).catch(() => []);
      const sizes = places.map((place) => stat(join(folder, place, "file")).catch(() => undefined));
      return (await Promise.all(sizes)).filter((found) => found?.size === sent.length).length;
    };
    await vi.waitFor(async () => expect(await lying()).toBe(1), 10_000);
    sending.destroy();
    await gone;
    await vi.waitFor(async () => expect(await lying()).toBe(0), 5_000);
    expect(await everything()).toEqual(before);
  });
});

test("files of imports that died are removed a day later, and nothing else is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "washa-leftovers-"));
  for (const name of ["washa-statement-old", "washa-statement-new", "other-old"])
    await writeFile(join(folder, name), "");
  const old = new Date("2026-03-01T00:00:00Z");
  for (const name of ["washa-statement-old", "other-old"]) await utimes(join(folder, name), old, old);
  await removeLeftovers(folder, new Date("2026-03-02T00:00:00Z"));
  expect((await readdir(folder)).sort()).toEqual(["other-old", "washa-statement-new"]);
  await rm(folder, { recursive: true });
  await removeLeftovers(folder, old);
});

test("a callback of a payment that a long import holds is told to come again, and the others do not wait for the import", async () => {
  const body = (transId: string) => c2bBody(program.current, { account: "PG-1", amount: "50", transId });
  const importing = openClient(program.current.app.database.url, 1);
  const answers = await importing.begin(async (tx) => {
    await tx.unsafe(`insert into payments.callbacks (rail, provider_id, facts_hash, raw, source_address, received_at, amount_minor, currency, shortcode, reference, paid_at)
      select '${railName()}', 'HELDBYIT0' || n, '\\x00', '\\x00', '-', now(), 5000, 'KES', '600966', 'PG-1', now() from generate_series(1, 3) n`);
    return await Promise.all(
      ["HELDBYIT01", "HELDBYIT02", "FREEOFIT01", "HELDBYIT03", "FREEOFIT02"].map((id) =>
        postC2b(program.current, body(id)),
      ),
    );
  });
  await importing.end();
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 200, 503, 200]);
  expect(await rows("select provider_id from payments.callbacks where provider_id like 'FREEOFIT%'")).toHaveLength(2);
  await program.current.settle();
}, 20_000);
