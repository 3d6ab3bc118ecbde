import { expect, test } from "vitest";
import { makeAlertLoop } from "../../../src/telemetry/alerts/loop.jobs.ts";

test("a step that fails is told of and does not hold up the others, and the loop ends when asked", async () => {
  const done: string[] = [];
  const step = (name: string, result: boolean) => () => {
    done.push(name);
    return Promise.resolve(result);
  };
  let looks = 3;
  const faults: unknown[] = [];
  let tellOfFault = (): void => undefined;
  const faultIsTold = new Promise<void>((resolve) => {
    tellOfFault = resolve;
  });
  const loop = makeAlertLoop({
    steps: {
      look: () => {
        done.push("look");
        return Promise.resolve(looks-- > 0);
      },
      group: () => Promise.reject(new Error("the database went away")),
      tiles: step("tiles", true),
      sweep: () => {
        done.push("sweep");
        return Promise.resolve(0);
      },
    },
    syncPlaces: step("sync", true),
    tell: step("tell", true),
    pauseMs: 3_600_000,
    onFault: (error) => {
      faults.push(error);
      tellOfFault();
    },
  });
  await expect(loop.runDue()).rejects.toThrow("A step of the alerts failed");
  expect(done).toEqual(["sync", "look", "look", "look", "look", "tell", "tiles", "sweep"]);
  loop.start();
  await faultIsTold;
  await loop.stop();
  expect(faults).toEqual([new Error("the database went away")]);
});
