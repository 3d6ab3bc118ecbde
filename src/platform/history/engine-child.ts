import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openEngine } from "./chdb-engine.ts";
import { openFront } from "./front.http.ts";

// The process that owns the embedded engine's folder. Native code that crashes takes this process with it, not the doors.

/** What the supervisor says. */
export type ToChild =
  | { readonly say: "start"; readonly folder: string; readonly password: string; readonly port: number }
  | { readonly say: "stop" };
/** What this process answers. */
export type FromChild =
  | { readonly say: "ready"; readonly port: number }
  | {
      readonly say: "failed";
      readonly reason: "in_use" | "missing" | "port_taken" | "broken";
      readonly message: string;
    };

function reasonOf(error: unknown, store: string): Extract<FromChild, { say: "failed" }>["reason"] {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ("code" in cause && cause.code === "MODULE_NOT_FOUND") return "missing";
    if ("code" in cause && cause.code === "EADDRINUSE") return "port_taken";
  }
  return isHeldByAnother(store) ? "in_use" : "broken";
}

/** The engine locks its file `status` and writes its process number into it; its error does not say that this was why. */
function isHeldByAnother(store: string): boolean {
  try {
    const [, digits] = /^PID: (\d+)$/m.exec(readFileSync(join(store, "status"), "utf8")) ?? [];
    const pid = Number(digits);
    return pid > 0 && pid !== process.pid && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function tell(message: FromChild): Promise<void> {
  return new Promise((done) => process.send?.(message, () => done()));
}

async function start({ folder, password, port }: Extract<ToChild, { say: "start" }>): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const engine = openEngine(join(folder, "store"));
  const front = await openFront({ engine, password, spoolFolder: join(folder, "spool"), port });
  process.on("message", (message: ToChild) => {
    if (message.say !== "stop") return;
    front
      .close()
      .then(() => engine.close())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  });
  await tell({ say: "ready", port: front.port });
}

// A parent that was killed leaves nobody to serve. Whatever the engine does at this moment is safe to cut off.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Ctrl-C reaches the whole group; the parent says when it is time.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.once("message", (message: ToChild) => {
  if (message.say !== "start") return;
  start(message).catch(async (error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    await tell({ say: "failed", reason: reasonOf(error, join(message.folder, "store")), message: text });
    process.exit(1);
  });
});
