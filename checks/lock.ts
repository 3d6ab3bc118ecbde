import { readFileSync, writeFileSync } from "node:fs";

// `npm ci` refuses a lock file that does not name every optional package of every platform, and npm leaves one out
// whenever the registry it was made with does not have it. Such a lock fails on a clean clone only, where it hurts most.
// `node checks/lock.ts` says what is missing; with `--write` it adds it.

type LockedPackage = {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly dev?: true;
  readonly optional?: true;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
};

export type Lock = { readonly packages: Readonly<Record<string, LockedPackage>> };

const systems = ["android", "darwin", "freebsd", "linux", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"];

/**
 * Entries for the optional packages that some locked package asks for and the lock does not name, keyed by their place.
 *
 * System, processor and C library are read from the name, as the makers of native packages write them there, so that
 * npm leaves the package alone everywhere else. There is no checksum: npm takes it from the registry of whoever runs on
 * that platform.
 */
export function missingFromLock(lock: Lock): Readonly<Record<string, LockedPackage>> {
  const missing: Record<string, LockedPackage> = {};
  for (const [place, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isLocked(lock, { place, name })) continue;
      missing[`node_modules/${name}`] = {
        version,
        ...(dev === true ? { dev } : {}),
        optional: true,
        ...platformOf(name),
      };
    }
  }
  return missing;
}

/** The lock with those entries at their alphabetical place, as npm would have written it. */
export function completeLock(lock: Lock): Lock {
  const { "": root = {}, ...others } = { ...lock.packages, ...missingFromLock(lock) };
  const sorted = Object.entries(others).sort(([one], [other]) => one.localeCompare(other, "en"));
  return { ...lock, packages: { "": root, ...Object.fromEntries(sorted) } };
}

/** Looks where Node would: beside the package itself, then in every folder above it. */
function isLocked(lock: Lock, wanted: { readonly place: string; readonly name: string }): boolean {
  const steps = wanted.place.split("/node_modules/");
  const above = steps.map((_step, index) => steps.slice(0, steps.length - index).join("/node_modules/"));
  return [...above, ""].some(
    (folder) => `${folder === "" ? "" : `${folder}/`}node_modules/${wanted.name}` in lock.packages,
  );
}

function platformOf(name: string): Pick<LockedPackage, "os" | "cpu" | "libc"> {
  const words = name.split(/[-/]/);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.map((word) => word.replace(/^arm(hf|v7)$/, "arm")).filter((word) => processors.includes(word));
  const libc =
    words.includes("musl") || words.includes("musleabihf") ? ["musl"] : words.includes("gnu") ? ["glibc"] : [];
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    ...(os.length > 0 ? { os } : {}),
  };
}

if (process.argv[1] === import.meta.filename) {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;
  const names = Object.keys(missingFromLock(lock));
  for (const name of names) console.log(`missing: ${name}`);
  if (process.argv.includes("--write")) {
    writeFileSync("package-lock.json", `${JSON.stringify(completeLock(lock), null, 2)}\n`);
    console.log(`${String(names.length)} entries added to package-lock.json`);
  } else {
    console.log(
      `lock: ${String(names.length)} optional packages missing${names.length > 0 ? "; add them with --write" : ""}`,
    );
    process.exitCode = names.length > 0 ? 1 : 0;
  }
}
