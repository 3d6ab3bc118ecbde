// Builds the pages into web/dist. `npm ci` runs it by `prepare` with --if-possible: where only what the running program needs is
// installed there is nothing to build with, and a build that fails must not keep the rest of the program from being installed.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, "dist/simulator");
const ifPossible = process.argv.includes("--if-possible");

/** Lays each part beside itself compressed, so that nobody compresses while somebody waits. */
function compress() {
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    writeFileSync(
      `${path}.br`,
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }),
    );
  }
}

async function build() {
  const [vite, { default: react }] = await Promise.all([import("vite"), import("@vitejs/plugin-react")]);
  await vite.build({
    root: join(here, "simulator"),
    base: "/simulator/",
    configFile: false,
    logLevel: "warn",
    plugins: [react()],
    build: { outDir: out, emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  });
  compress();
}

try {
  await build();
} catch (error) {
  const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
  if (ifPossible && isMissing) console.log("The pages are not built: their tools come with the development packages.");
  else {
    console.error(error);
    console.error("The pages could not be built. Mend it and run: npm run build:web");
    process.exitCode = ifPossible ? 0 : 1;
  }
}
