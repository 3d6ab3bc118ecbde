/**
 * The real program as `washa serve` starts it, on a clock that runs faster: payers, prompts, enquiries and sweeps take minutes and
 * hours, and a run has five minutes. Started by the crash run alone.
 */
import { buildApp } from "../../src/app.ts";
import { ROLES, readConfig, requireServing } from "../../src/config.ts";
import { fastClock } from "./fast-clock.ts";

const [roleNames = "", startedAt = "", speed = ""] = process.argv.slice(2);
const roles = ROLES.filter((role) => roleNames.split(",").includes(role));
const clock = fastClock({ startedAt: Number(startedAt), speed: Number(speed) });
const app = await buildApp({ config: requireServing(readConfig(), roles), roles, clock });
let isStopping = false;
const stop = (): void => {
  if (isStopping) process.exit(1);
  isStopping = true;
  app.stop().catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
try {
  await app.start();
} catch (error) {
  await app.stop();
  throw error;
}
