import { createHash } from "node:crypto";
import express, { type Router } from "express";
import { ruruHTML } from "ruru/server";
import { getStaticFile } from "ruru/static";
import { NotFound } from "../kernel/refusal.ts";

const YEAR_SECONDS = 31_536_000;

/**
 * The page on which people try queries, with all that it loads served from the package on disk: it works without the
 * internet, and no other host learns who uses it. `endpoint` is the path of the GraphQL endpoint, `place` of this page.
 */
export function makeExplorer({ endpoint, place }: { endpoint: string; place: string }): Router {
  const staticPath = `${place}/assets/`;
  const page = ruruHTML({ endpoint, staticPath });
  const policy = contentPolicy(page);
  const router = express.Router();
  router.get("/", (_request, response) => {
    response.setHeader("Content-Security-Policy", policy);
    response.type("html").send(page);
  });
  router.get("/assets/:file", async (request, response) => {
    const found = await getStaticFile({
      staticPath,
      urlPath: `${staticPath}${request.params.file}`,
      acceptEncoding: request.get("accept-encoding"),
      disallowDevAssets: true,
    });
    if (found === null) throw new NotFound("page");
    response.set(found.headers);
    // The names of most parts hold no digest of their content, so they are asked for again by their tag.
    response.setHeader("Cache-Control", `public, max-age=0, must-revalidate, stale-if-error=${YEAR_SECONDS}`);
    response.end(found.content);
  });
  return router;
}

/** Our own host only; the page's inline scripts by their digests, its inline styles because its editor writes them. */
function contentPolicy(page: string): string {
  const digests = [...page.matchAll(/<script(?:\s[^>]*)?>([\s\S]*?)<\/script>/g)]
    .map(([, text = ""]) => text)
    .filter((text) => text.trim() !== "")
    .map((text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`);
  return [
    "default-src 'none'",
    `script-src 'self' ${digests.join(" ")}`,
    "style-src 'self' 'unsafe-inline'",
    "font-src 'self' data:",
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
