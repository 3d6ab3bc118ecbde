import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";

/** Where Debian and Ubuntu put it; CHROMIUM names another. */
export const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
export const hasChromium = existsSync(CHROMIUM);
export const INSTALL =
  "There is no Chromium, so the pages were not tested. Install it (`apt-get install chromium`), or name it: CHROMIUM=/path/to/chromium";

const ARTEFACTS = join(import.meta.dirname, "artefacts");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const SIZES = {
  desktop: { width: 1360, height: 1000 },
  phone: { width: 360, height: 780 },
} as const;
export type Size = keyof typeof SIZES;

export interface Window {
  readonly page: Page;
  /** Every address that the page asked of a host that is not `home`. */
  readonly strangers: readonly string[];
  /** What the page complained of in its console, refusals by its own policy among it. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/** Opens a page in a browser that has never seen anything. */
export async function openWindow({
  home,
  size,
  scheme,
}: {
  home: string;
  size: Size;
  scheme: "light" | "dark";
}): Promise<Window> {
  const profile = mkdtempSync(join(tmpdir(), "washa-browser-"));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: FLAGS,
    viewport: SIZES[size],
    colorScheme: scheme,
    reducedMotion: "reduce",
    locale: "en-GB",
  });
  const strangers: string[] = [];
  const complaints: string[] = [];
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== home) strangers.push(request.url());
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  return {
    page,
    strangers,
    complaints,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Keeps what the page looks like, for people to look at. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  mkdirSync(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });
}

interface AxeFinding {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
}

/** What axe finds serious or critical, one line each. It runs beside the page's own scripts, which its policy would not allow. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  const world = await page.context().newCDPSession(page);
  try {
    const { frameTree } = await world.send("Page.getFrameTree");
    const { executionContextId } = await world.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
    const run = async (expression: string): Promise<unknown> =>
      (
        await world.send("Runtime.evaluate", {
          contextId: executionContextId,
          expression,
          awaitPromise: true,
          returnByValue: true,
        })
      ).result.value;
    await run(await readFile(AXE, "utf8"));
    const text = await run(
      "axe.run(document, {resultTypes: ['violations']}).then((found) => JSON.stringify(found.violations))",
    );
    const findings = JSON.parse(String(text)) as readonly AxeFinding[];
    return findings
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary = "" }) => `${id}: ${help}: ${target.join(" ")} ${failureSummary}`),
      );
  } finally {
    await world.detach();
  }
}
