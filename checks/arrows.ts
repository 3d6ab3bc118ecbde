import { existsSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { cruise } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config";

/** What one run saw. Paths are relative to the root, with forward slashes. */
export type ArrowReport = {
  readonly filesSeen: number;
  /** Files on disk that the cruise never reached: with any of these, its silence proves nothing. */
  readonly filesMissed: readonly string[];
  /** One readable line per broken arrow. */
  readonly violations: readonly string[];
};

const cruisedFolders = ["src", "simulators", "bench", "test", "checks", "web"];

/**
 * Holds the files below `root` against the arrows in `.dependency-cruiser.cjs`.
 *
 * Counts the files itself, because a cruiser without a TypeScript compiler it understands sees no module at all and
 * reports that all is well.
 */
export async function checkArrows(root: string): Promise<ArrowReport> {
  const onDisk = cruisedFolders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => typescriptFilesBelow(root, folder));
  const folders = cruisedFolders.filter((folder) => onDisk.some((file) => file.startsWith(`${folder}/`)));
  if (folders.length === 0) return { filesSeen: 0, filesMissed: [], violations: [] };

  const options = await extractDepcruiseOptions(join(root, ".dependency-cruiser.cjs"));
  const tsConfig = extractTSConfig(join(root, "tsconfig.json"));
  const reported = await cruise(folders, { ...options, baseDir: root }, undefined, { tsConfig });
  if (typeof reported.output === "string")
    throw new Error("The cruiser answered with a text where its result was expected.");

  const seen = new Set(reported.output.modules.map((module) => module.source));
  return {
    filesSeen: onDisk.filter((file) => seen.has(file)).length,
    filesMissed: onDisk.filter((file) => !seen.has(file)),
    violations: reported.output.summary.violations.map(({ rule, from, to, cycle, comment }) => {
      const path = cycle === undefined ? `${from} → ${to}` : [from, ...cycle.map((step) => step.name)].join(" → ");
      return `${rule.name}: ${path}${comment === undefined ? "" : `\n    ${comment}`}`;
    }),
  };
}

/** Every TypeScript file below one folder of `root`, sorted, as "folder/file.ts". */
function typescriptFilesBelow(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file).split(sep).join("/"))
    .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts") && !file.startsWith("web/dist/"))
    .sort();
}

if (process.argv[1] === import.meta.filename) {
  const report = await checkArrows(process.cwd());
  for (const violation of report.violations) console.error(violation);
  for (const file of report.filesMissed) console.error(`not seen: ${file} (the check proves nothing about it)`);
  if (report.filesSeen === 0) console.error("The arrow check saw no file at all, so it proves nothing.");
  const failed = report.filesSeen === 0 || report.filesMissed.length > 0 || report.violations.length > 0;
  console.log(
    `arrows: ${report.filesSeen} files seen, ${report.filesMissed.length} missed, ${report.violations.length} broken`,
  );
  process.exitCode = failed ? 1 : 0;
}
