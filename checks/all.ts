import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

// Runs every `check:` script of package.json, all of them even when one fails, so that one run shows everything.
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const names = Object.keys(scripts).filter((name) => name.startsWith("check:"));

let failed = 0;
for (const name of names) {
  const startedAt = performance.now();
  const run = spawnSync("npm", ["run", "--silent", name], { encoding: "utf8", shell: process.platform === "win32" });
  const passed = run.status === 0;
  if (!passed) failed += 1;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (!passed) console.log(indent(`${run.stdout}${run.stderr}${run.error === undefined ? "" : String(run.error)}`));
}

console.log(`${String(names.length - failed)} passed, ${String(names.length === 0 ? 1 : failed)} failed`);
process.exitCode = failed > 0 || names.length === 0 ? 1 : 0;

function indent(text: string): string {
  // Some tools paint their complaints even where nobody can see colours, which makes a log unreadable.
  const plain = process.stdout.isTTY ? text : stripVTControlCharacters(text);
  return plain
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
