import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runRailSimulator } from "../../simulators/rail/main.ts";
import type { RailsFile } from "../../simulators/rail/rails-file.ts";
import { makeToyFace, startToyProgram } from "./rail-toy.ts";

const channel = { name: "toy-mpesa", country: "KE", currency: "KES", zone: "Africa/Nairobi", makeFace: makeToyFace };
let program: Awaited<ReturnType<typeof startToyProgram>>;
let folder: string;

beforeEach(async () => {
  program = await startToyProgram();
  folder = await mkdtemp(join(tmpdir(), "rail-"));
});
afterEach(async () => {
  await program.stop();
  await rm(folder, { recursive: true });
});

/** A person at a terminal: types a line, and reads until what they wait for is on the screen. */
function sitDown(...argv: string[]) {
  const input = new PassThrough();
  const output = new PassThrough();
  let screen = "";
  output.setEncoding("utf8");
  output.on("data", (piece: string) => (screen += piece));
  const args = ["--program", program.url, "--port", "0", ...argv];
  const ended = runRailSimulator(args, { input, output, channels: [channel] });
  return {
    async read(expected: RegExp): Promise<string> {
      while (!expected.test(screen)) await new Promise((resolve) => output.once("data", resolve));
      const read = screen;
      screen = "";
      return read;
    },
    type: (line: string) => void input.write(`${line}\n`),
    leave: () => void input.end(),
    ended,
  };
}

test("a person pays without being asked, and sees what the program answered", async () => {
  const person = sitDown();
  await person.read(/Type: help/);
  person.type("pay toy-mpesa PG-10234 150 +254712000101 Asha Otieno");
  const screen = await person.read(/to news: accepted 200/);
  expect(screen).toMatch(/toy-mpesa payment T\w+: KES 150\.00, PG-10234, \+254712000101, completed/);
  expect(program.heard).toMatchObject([{ status: "completed", amount: "15000", account: "PG-10234" }]);
  person.type("quit");
  expect(await person.ended).toBe(0);
});

test("a prompt waits for the person who plays its payer", async () => {
  const person = sitDown();
  const started = await person.read(/Type: help/);
  const url = /The providers answer at (\S+)/.exec(started)?.[1] ?? "";
  for (const correlation of ["1", "2"]) {
    const body = JSON.stringify({ correlation, amount: "5000", phone: "254712000101", account: "PG-1" });
    await fetch(`${url}/toy-mpesa/ask`, { method: "POST", body });
  }
  await person.read(/Prompt 2 on toy-mpesa: \+254712000101 is asked for KES 50\.00 to PG-1/);
  person.type("approve 1 40");
  expect(await person.read(/accepted 200/)).toContain("KES 40.00, PG-1, +254712000101, completed");
  person.type("cancel 2 unreachable");
  expect(await person.read(/accepted 200/)).toContain("failed (unreachable)");
  person.type("approve 2");
  await person.read(/It is over already\./);
  person.type("prompts");
  await person.read(/Nobody is being asked\./);
  const id = program.heard[0]?.id ?? "";
  person.type(`reverse ${id}`);
  expect(await person.read(/accepted 200/)).toContain(` of ${id}: KES 40.00`);
  person.leave();
  expect(await person.ended).toBe(0);
});

test("the rails file has what the program needs, only its owner can read it, and the same seed writes the same", async () => {
  const files: RailsFile[] = [];
  for (const name of ["one.json", "two.json"]) {
    const path = join(folder, name);
    const person = sitDown("--rails-file", path, "--seed", "5");
    await person.read(/Type: help/);
    person.type("pay toy-mpesa - 150 254712000101");
    await person.read(/accepted 200/);
    person.leave();
    await person.ended;
    expect((await stat(path)).mode & 0o077).toBe(0);
    files.push(JSON.parse(await readFile(path, "utf8")) as RailsFile);
  }
  const [first, second] = files.map(({ channels }) => channels[0]);
  expect(first).toMatchObject({
    name: "toy-mpesa",
    adapter: "toy",
    country: "KE",
    currency: "KES",
    zone: "Africa/Nairobi",
    path: "toy-pesa",
    secret: expect.stringMatching(/^[a-z0-9]{16,}$/) as string,
  });
  expect(second?.secret).toBe(first?.secret);
});

test("faults can be switched on while it runs, and are counted", async () => {
  const person = sitDown("--fault", "duplicate_at_once=1");
  await person.read(/Type: help/);
  person.type("fault drop 1 toy-mpesa");
  await person.read(/drop strikes with a share of 1 on toy-mpesa\./);
  person.type("pay toy-mpesa PG-1 150 +254712000101");
  person.type("counts");
  await person.read(/Faults: drop: 1\nDeliveries: genuine dropped: 1 \(0 attempts\)/);
  person.type("fault drop 0");
  person.type("pay toy-mpesa PG-1 150 +254712000101");
  await person.read(/copy news of T\w+ to news: accepted 200/);
  person.leave();
  expect(await person.ended).toBe(0);
});

test("a wrong word is answered with a sentence, and nothing happens", async () => {
  const person = sitDown();
  await person.read(/Type: help/);
  const answers: readonly (readonly [string, RegExp])[] = [
    ["pya", /There is no command "pya"\. Type: help/],
    ["constructor", /There is no command "constructor"/],
    ["pay mpesa PG-1 150 +254712000101", /Name a channel: toy-mpesa\./],
    ["pay toy-mpesa PG-1 1,50 +254712000101", /An amount is a number above 0/],
    ["pay toy-mpesa PG-1 150 mother", /A phone is written/],
    ["approve 9", /Name the prompt by its number/],
    ["reverse T0", /Name a transaction by its reference/],
    ["fault dorp 1", /Name a kind of fault/],
    ["fault drop 20", /A share is a number from 0 to 1/],
    ["list", /No transactions yet\./],
    ["deliveries", /No deliveries yet\./],
    ["faults", /drop +a notification is never sent/],
    ["statement toy-mpesa", /toy\.csv/],
    ["help", /approve N/],
  ];
  for (const [line, answer] of answers) {
    person.type(line);
    await person.read(answer);
  }
  person.leave();
  expect(await person.ended).toBe(0);
  expect(program.heard).toEqual([]);
});

test("wrong options are explained, with exit code 2", async () => {
  for (const wrong of [["--fault", "drop"], ["--payers", "sleep"], ["--channel", "mpesa"], ["--colour"]]) {
    const person = sitDown(...wrong);
    expect(await person.ended).toBe(2);
    await person.read(/Try --help\./);
  }
  const person = sitDown("--help");
  expect(await person.ended).toBe(0);
  await person.read(/Usage: /);
});
