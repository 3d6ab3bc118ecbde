import { readdirSync, readFileSync } from "node:fs";
import { extname, join, sep } from "node:path";
import { Router } from "express";

const YEAR_SECONDS = 31_536_000;

/** Our own host only, and nothing that stands in the page itself: no script, no style, no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** How a file lies beside itself compressed, best first. */
const ENCODINGS = [
  { name: "br", ending: ".br" },
  { name: "gzip", ending: ".gz" },
] as const;

/**
 * Serves a built page with its parts from memory, compressed where the build left it so and the browser takes it. Where there is
 * no build, the page's address says so and how to make one, with 503.
 */
export function makeStaticPages({ folder, remedy }: { folder: string; remedy: string }): Router {
  const files = readFiles(folder);
  const router = Router();
  if (!files.has("index.html")) {
    router.get("/", (_request, response) => {
      response.status(503).type("text/plain").send(remedy);
    });
    return router;
  }
  router.get("/{*path}", (request, response, next) => {
    const path = request.path === "/" ? "index.html" : request.path.slice(1);
    const type = TYPES[extname(path)];
    const plain = files.get(path);
    if (plain === undefined || type === undefined) {
      next();
      return;
    }
    const accepted = ENCODINGS.find(
      ({ name, ending }) => files.has(`${path}${ending}`) && request.acceptsEncodings(name) !== false,
    );
    response.setHeader("Content-Security-Policy", POLICY);
    response.setHeader("Content-Type", type);
    response.setHeader("Vary", "Accept-Encoding");
    // The names of a page's parts hold a digest of their content; the page itself is asked for again.
    response.setHeader(
      "Cache-Control",
      path.startsWith("assets/") ? `public, max-age=${String(YEAR_SECONDS)}, immutable` : "no-cache",
    );
    if (accepted !== undefined) response.setHeader("Content-Encoding", accepted.name);
    response.end(accepted === undefined ? plain : files.get(`${path}${accepted.ending}`));
  });
  return router;
}

/** Every file of the folder by its path with forward slashes; none where there is no folder. */
function readFiles(folder: string): ReadonlyMap<string, Buffer> {
  try {
    return new Map(
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [
          path
            .slice(folder.length + 1)
            .split(sep)
            .join("/"),
          readFileSync(path),
        ]),
    );
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    throw error;
  }
}
