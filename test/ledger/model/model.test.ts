import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openClient } from "../../../src/platform/database.ts";
import { useDatabase } from "../../support/database.ts";
import { linearize, type Happened } from "./linearize.ts";
import { posts, programs, type Command } from "./programs.ts";
import type { Books } from "./reference.ts";
import { openWorld, type World } from "./world.ts";

const RUNS = 30;
const database = useDatabase({ connectionsMax: 1 });
let world: World;

beforeAll(async () => {
  // Deadlocks are part of the work here: nobody should wait a second for the end of each.
  const superuser = openClient(inject("superuserUrl"), 1);
  await superuser.unsafe(`alter database "${new URL(database.url).pathname.slice(1)}" set deadlock_timeout = '10ms'`);
  await superuser.end();
  world = await openWorld(database.url);
});
afterAll(() => world.close());

test("whatever a few clients do at once, the books are those of one after the other", async () => {
  await fc.assert(
    fc.asyncProperty(programs, (program) => world.run(program)),
    { numRuns: RUNS, seed: 20_260_302 },
  );
  expect(world.seen.counts.get("transact")).toBeGreaterThan(RUNS);
});

test("two transactions that wait for each other are both done in the end, once", async () => {
  const free = { isolation: "read committed", rollsBack: false, fault: undefined } as const;
  const before = world.seen.counts.get("again after 40P01") ?? 0;
  await world.run({
    before: [],
    clients: [[posts("key 0", "key 5")], [posts("key 5", "key 0")], [{ do: "transact", steps: [], ...free }]],
    pace: "turns",
    order: [0, 1, 0, 0, 0, 1, 1, 1],
  });
  expect(world.seen.counts.get("again after 40P01") ?? 0).toBeGreaterThan(before);
});

describe("the model notices", () => {
  const start: Books = { accounts: new Set(["held", "system/cash", "system/sales"]), transactions: new Map() };
  const answered = (
    client: number,
    [from, to]: readonly [number, number],
    told: readonly [string, boolean],
  ): Happened => ({
    client,
    command: posts("key 0"),
    outcome: { answers: [[{ id: told[0], repeated: told[1] }]], refused: undefined },
    from,
    to,
  });
  const reads = (client: number, [from, to]: readonly [number, number], cash: number): Happened => ({
    client,
    command: { do: "read", what: "balances" } satisfies Command,
    outcome: { answers: [["held 0", `system/cash ${cash}`, `system/sales ${-cash}`]], refused: undefined },
    from,
    to,
  });

  test("nothing, where one posts, its twin is told so, and a reader sees the one or the other moment", () => {
    for (const cash of [0, 700]) {
      const history = [answered(0, [1, 6], ["a", false]), answered(1, [2, 5], ["a", true]), reads(2, [3, 4], cash)];
      expect(linearize(start, history)).toMatchObject({
        transactions: new Map([["key 0", expect.objectContaining({ id: "a" })]]),
      });
    }
  });

  test.each([
    ["a key posted twice", [answered(0, [1, 4], ["a", false]), answered(1, [2, 3], ["b", false])]],
    [
      "a repeat that answers another transaction",
      [answered(0, [1, 2], ["a", false]), answered(1, [3, 4], ["b", true])],
    ],
    ["a repeat before there was a first", [answered(0, [3, 4], ["a", false]), answered(1, [1, 2], ["a", true])]],
    ["a balance read too late", [answered(0, [1, 2], ["a", false]), reads(1, [3, 4], 0)]],
    ["a balance read too early", [answered(0, [3, 4], ["a", false]), reads(1, [1, 2], 700)]],
    ["half of a posting", [answered(0, [1, 4], ["a", false]), reads(1, [2, 3], 350)]],
  ])("%s", (_name, history) => {
    expect(linearize(start, history)).toHaveProperty("problem");
  });
});
