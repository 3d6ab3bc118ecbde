import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const MAIN = new URL("../../simulators/lamp/main.ts", import.meta.url).pathname;
const KEY_HEX = "7f3c19a2e4d05b8861fe0c9d2ab74e35";
const ADD_30 = "972093212";
const LAMP = ["--key", KEY_HEX, "--starting-code", "271828182", "--start", "2026-01-31T18:00:00Z"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lamp-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Finished = { readonly code: number; readonly output: string; readonly complaint: string };

function run(args: readonly string[], typed = ""): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (error, output, complaint) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, output, complaint });
    });
    child.stdin?.end(typed);
  });
}

test("tokens and days are taken in the order they are given, and the lamp is kept in its file", async () => {
  const path = join(folder, "lamp.json");
  const first = await run([...LAMP, "--state", path, "--token", ADD_30, "--advance", "10d", "--json"]);
  expect(first.code).toBe(0);
  const lines = first.output
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(lines).toMatchObject([
    { kind: "VALID", value: 30 },
    { relayOn: true, daysLeft: 20, count: 2 },
  ]);
  expect((await stat(path)).mode & 0o077).toBe(0);
  const second = await run(["--state", path, "--advance", "21d", "--token", ADD_30]);
  expect(second.code).toBe(1);
  expect(second.output).toContain("ALREADY_USED");
  expect(second.output).toContain("light off");
  expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ version: 1, device: { count: 2 } });
});

test("a person at the terminal types tokens, moves the clock and reads the log", async () => {
  const { code, output } = await run(LAMP, `12*${ADD_30}#\n+31d\n+soon\nlog\nq\n`);
  expect(code).toBe(0);
  expect(output).toContain("30.00 days left");
  expect(output).toContain("light off (red)");
  expect(output).toContain("A time is a number and d, h, m or s");
  expect(output).toContain("LIGHT_OFF");
});

test("wrong use is explained in a sentence", async () => {
  const path = join(folder, "other.json");
  await writeFile(path, "{}");
  const wrongs = [
    ["--key", "zz"],
    ["--lockout", "never"],
    ["--advance", "2"],
    ["--bogus"],
    ["--state", path],
    ["--count", "x"],
  ];
  for (const args of wrongs) {
    const { code, complaint } = await run(args);
    expect(code).toBe(2);
    expect(complaint).toMatch(/Try --help\.\n$/);
    expect(complaint).not.toContain("    at ");
  }
  expect((await run(["--help"])).output).toContain("Usage:");
});
