import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkArrows } from "../checks/arrows.ts";
import type { ArrowReport } from "../checks/arrows.ts";
import { runsTypeScript } from "../checks/node-version.mjs";
import { completeLock, missingFromLock } from "../checks/lock.ts";
import type { Lock } from "../checks/lock.ts";
import { readRepository, tidyRules } from "../checks/tidy.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("this repository", () => {
  const files = readRepository(root);

  test("is really what is looked at", () => {
    expect(files.filter(({ path }) => path.startsWith("src/") && path.endsWith(".ts")).length).toBeGreaterThan(0);
    expect(files.map(({ path }) => path)).toContain("test/tidy.test.ts");
  });

  test.each(tidyRules.map(({ promise, breaches }) => [promise, breaches] as const))("%s", (_promise, breaches) => {
    expect(breaches(files)).toEqual([]);
  });

  test("locks the optional packages of every platform, without which a clean clone cannot be installed", () => {
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
    expect(Object.keys(lock.packages).length).toBeGreaterThan(0);
    expect(Object.keys(missingFromLock(lock))).toEqual([]);
  });

  test("draws only the arrows of its architecture page, and every file was seen", async () => {
    const { filesSeen, filesMissed, violations } = await checkArrows(root);
    expect(violations).toEqual([]);
    expect(filesMissed).toEqual([]);
    expect(filesSeen).toBeGreaterThan(0);
  });
});

describe("a rule of the house bites", () => {
  const scripts = JSON.stringify({ scripts: { test: "vitest run" } });
  const pages = [
    { path: "README.md", text: "npm test\n" },
    { path: "CONTRIBUTING.md", text: "" },
    { path: "package.json", text: scripts },
  ];
  const journal = (...entries: readonly { tag: string; when: number }[]) => ({
    path: "migrations/meta/_journal.json",
    text: JSON.stringify({ entries }),
  });

  test.each([
    ["a vague name", { path: "src/credit/utils.ts", text: "" }],
    ["a barrel", { path: "src/credit/index.ts", text: "" }],
    ["a star export", { path: "src/credit/plan.ts", text: 'export * from "./price.ts";' }],
    ["a named star export", { path: "src/credit/plan.ts", text: 'export * as price from "./price.ts";' }],
    ["a default export", { path: "src/credit/plan.ts", text: "export default 1;" }],
    ["a default function", { path: "src/credit/plan.ts", text: "export default function plan() {}" }],
    ["a default by renaming", { path: "src/credit/plan.ts", text: "const a = 1; export { a as default };" }],
    ["a reminder without an issue", { path: "src/credit/plan.ts", text: `// ${"TO"}DO later` }],
    ["a long file", { path: "src/credit/plan.ts", text: "\n".repeat(401) }],
    ["the environment", { path: "src/credit/plan.ts", text: "export const a = process.env.A;" }],
    ["the environment by key", { path: "src/credit/plan.ts", text: 'export const a = process["env"];' }],
    ["the environment taken apart", { path: "src/credit/plan.ts", text: "const { env: a } = process;" }],
    ["the machine's clock", { path: "src/credit/plan.ts", text: "export const a = Date.now();" }],
    ["a new date", { path: "src/credit/plan.ts", text: "export const a = new Date();" }],
    ["chance", { path: "src/credit/plan.ts", text: "export const a = Math.random();" }],
    ["a migration outside the journal", { path: "migrations/0001_a.sql", text: "" }],
    ["a migration that is not there", journal({ tag: "0001_a", when: 1 })],
    ["a place of one machine", { path: "src/credit/plan.ts", text: `// see ${"/wor"}k/plans` }],
    ["a package that left", { path: "docs/adr/0010-dependencies.md", text: "| `left-pad` | pads |" }],
    ["a page without its command", { path: "docs/adr/0001.md", text: "Run `npm run nothing`." }],
  ])("on %s", (_name, file) => {
    expect(tidyRules.flatMap(({ breaches }) => breaches([...pages, file]))).toHaveLength(1);
  });

  test("on migrations that a live database would skip", () => {
    const files = ["0001_a", "0002_b"].map((tag) => ({ path: `migrations/${tag}.sql`, text: "" }));
    const skipped = [...pages, ...files, journal({ tag: "0001_a", when: 2 }, { tag: "0002_b", when: 2 })];
    expect(tidyRules.flatMap(({ breaches }) => breaches(skipped))).toHaveLength(1);
  });

  test("but not on words in comments and strings, nor on a given instant", () => {
    const text = '/** Never Date.now(), never process.env. */\nexport const a = "Math.random()";\nnew Date(0);\n';
    expect(tidyRules.flatMap(({ breaches }) => breaches([...pages, { path: "src/credit/plan.ts", text }]))).toEqual([]);
  });
});

describe("an arrow that is not drawn is refused", () => {
  const value = "export const value = 1;\n";
  const importing = (path: string): string => `import ${JSON.stringify(path)};\n`;

  test("each for its own reason, in one small house that breaks them all", async () => {
    const { violations } = await checkArrowsOf({
      "src/kernel/money.ts": importing("../platform/database.ts") + importing("node:fs"),
      "src/platform/database.ts": value + importing("../ledger/ledger.ts"),
      "src/ledger/ledger.ts": value + importing("./ledger.store.ts"),
      "src/ledger/ledger.store.ts": value + importing("postgres"),
      "src/ledger/balance.ts": importing("./ledger.store.ts") + importing("postgres") + importing("node:net"),
      "src/payments/payments.ts": importing("../ledger/ledger.store.ts") + importing("../credit/credit.ts"),
      "src/credit/credit.ts": importing("../ledger/ledger.ts") + importing("../config.ts") + importing("../app.ts"),
      "src/config.ts": value,
      "src/app.ts": importing("./ledger/ledger.store.ts") + importing("../simulators/lamp.ts"),
      "src/devices/tokens/openpaygo.ts": importing("../../kernel/money.ts") + importing("zod"),
      "src/devices/devices.ts": importing("../../simulators/lamp.ts") + importing("vitest"),
      "simulators/lamp.ts": importing("../src/devices/tokens/openpaygo.ts") + importing("../src/kernel/money.ts"),
      "src/learning/trees.ts": importing("../platform/history.ts"),
      "src/meters/meters.ts": importing("../platform/history.ts") + importing("../platform/database.ts"),
      "src/platform/history.ts": value,
      "src/customers/people.ts": importing("./places.ts"),
      "src/customers/places.ts": importing("./people.ts") + importing("./gone.ts"),
      "src/access/access.ts": importing("../../test/access.test.ts"),
      "src/elsewhere/lone.ts": value,
      "test/access.test.ts": importing("../src/ledger/ledger.store.ts"),
    });
    expect(violations.map((line) => line.replace(/\n[^]*/, "")).sort()).toEqual([
      "arrow-credit: src/credit/credit.ts → src/app.ts",
      "arrow-credit: src/credit/credit.ts → src/config.ts",
      "arrow-payments: src/payments/payments.ts → src/credit/credit.ts",
      "arrow-payments: src/payments/payments.ts → src/ledger/ledger.store.ts",
      "config-is-for-the-roots: src/credit/credit.ts → src/config.ts",
      "kernel-is-pure: src/kernel/money.ts → fs",
      "kernel-looks-at-nothing: src/kernel/money.ts → src/platform/database.ts",
      "learning-is-pure: src/learning/trees.ts → src/platform/history.ts",
      "meters-live-in-history: src/meters/meters.ts → src/platform/database.ts",
      "no-cycle: src/customers/people.ts → src/customers/places.ts → src/customers/people.ts",
      "no-unknown-room: src/elsewhere/lone.ts → src/elsewhere/lone.ts",
      "nothing-looks-up-at-the-roots: src/credit/credit.ts → src/app.ts",
      "only-roots-play-simulators: src/devices/devices.ts → simulators/lamp.ts",
      "platform-knows-no-domain: src/platform/database.ts → src/ledger/ledger.ts",
      "pure-files-decide: src/ledger/balance.ts → net",
      "pure-files-decide: src/ledger/balance.ts → postgres",
      "pure-files-decide: src/ledger/balance.ts → src/ledger/ledger.store.ts",
      "resolvable: src/customers/places.ts → ./gone.ts",
      "shipped-without-dev: src/devices/devices.ts → vitest",
      "simulators-speak-protocols: simulators/lamp.ts → src/kernel/money.ts",
      "source-needs-no-test: src/access/access.ts → test/access.test.ts",
      "tokens-stand-alone: src/devices/tokens/openpaygo.ts → src/kernel/money.ts",
      "tokens-stand-alone: src/devices/tokens/openpaygo.ts → zod",
    ]);
  });

  test("while the drawn ones, and types that point back, pass", async () => {
    const { filesSeen, violations } = await checkArrowsOf({
      "src/credit/credit.ts":
        importing("../ledger/ledger.ts") + 'import "./credit.store.ts";\nexport type Plan = string;\n',
      "src/credit/credit.store.ts": 'import type { Plan } from "./credit.ts";\nexport type Row = Plan;\n',
      "src/credit/allocate.ts": 'import type { Row } from "./credit.store.ts";\nexport type Share = Row;\n',
      "src/ledger/ledger.ts": value,
      "test/credit.test.ts": importing("../src/credit/credit.store.ts"),
    });
    expect({ filesSeen, violations }).toEqual({ filesSeen: 5, violations: [] });
  });

  test("and a house without files counts none, so silence is never taken for order", async () => {
    expect((await checkArrowsOf({})).filesSeen).toBe(0);
  });
});

test("an optional package that the lock forgot is found, and added for its own platform alone", () => {
  const tool = {
    version: "1.0.0",
    dev: true as const,
    optionalDependencies: { "@a/tool-linux-x64-musl": "1.0.0", nested: "2.0.0" },
  };
  const lock = {
    packages: { "": {}, "node_modules/tool": tool, "node_modules/tool/node_modules/nested": { version: "2.0.0" } },
  };
  const added = { version: "1.0.0", dev: true, optional: true, cpu: ["x64"], libc: ["musl"], os: ["linux"] };
  expect(missingFromLock(lock)).toEqual({ "node_modules/@a/tool-linux-x64-musl": added });
  expect(missingFromLock(completeLock(lock))).toEqual({});
});

test("a Node that cannot run the source is told apart from one that can", () => {
  const told = ["18.20.8", "20.19.0", "22.17.1", "23.5.0", "22.18.0", "23.6.0", "24.0.0", "25.1.0"].map((version) =>
    runsTypeScript(version),
  );
  expect(told).toEqual([false, false, false, false, true, true, true, true]);
});

/** Runs the arrow check over a small tree made of `files` (path to text) instead of this repository's own. */
async function checkArrowsOf(files: Readonly<Record<string, string>>): Promise<ArrowReport> {
  const folder = mkdtempSync(join(tmpdir(), "washa-arrows-"));
  try {
    for (const file of [".dependency-cruiser.cjs", "tsconfig.json", "package.json"])
      copyFileSync(join(root, file), join(folder, file));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const report = await checkArrows(folder);
    // The packages stand behind a link to this clone, whose place differs from machine to machine.
    const violations = report.violations.map((line) =>
      line.replace(/→ \S*node_modules\/((?:@[^/]+\/)?[^/\s]+)\S*/, "→ $1"),
    );
    return { ...report, violations };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
