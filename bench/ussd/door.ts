/** What the bench calls, in a process of its own: the program's doors, or an express handler that does nothing. */
import express from "express";
import type { AddressInfo } from "node:net";
import { buildApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";

/** Without an environment: the empty handler. */
export interface DoorOrder {
  readonly environment?: Readonly<Record<string, string>>;
}
export type DoorWord =
  { readonly kind: "listening"; readonly port: number } | { readonly kind: "memory"; readonly bytes: number };

const say = (word: DoorWord): void => void process.send?.(word);

async function open({ environment }: DoorOrder): Promise<number> {
  if (environment === undefined) {
    const app = express();
    app.post("/", (_request, response) => void response.type("text/plain").send("CON"));
    const server = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    return (server.address() as AddressInfo).port;
  }
  const app = await buildApp({ config: parseConfig(environment), roles: ["api"] });
  await app.start();
  return app.ports.http ?? 0;
}

process.once("message", (order: DoorOrder) => {
  open(order)
    .then((port) => {
      say({ kind: "listening", port });
      process.on("message", () => {
        globalThis.gc?.();
        globalThis.gc?.();
        say({ kind: "memory", bytes: process.memoryUsage.rss() });
      });
    })
    .catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
});
process.once("disconnect", () => process.exit(0));
