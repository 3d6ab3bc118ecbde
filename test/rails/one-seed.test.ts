import { expect, inject, test } from "vitest";
import { cloneDatabase } from "../support/database.ts";
import { runSeed } from "./run-seed.ts";
import { seedVillage } from "./village.ts";

test("after a day of payments over all rails with faults, the books and the providers agree to the last unit", async () => {
  const { database, url, drop } = await cloneDatabase({ connectionsMax: 1 });
  try {
    const village = await seedVillage(url, 4);
    const order = { seed: 1, payments: 150, databaseUrl: url, superuserUrl: inject("superuserUrl"), village };
    const { checks, unnoticed, figures } = await runSeed(order);
    expect(checks.filter(({ broken }) => broken.length > 0)).toEqual([]);
    expect(unnoticed).toEqual([]);
    expect(figures.payments).toBeGreaterThan(80);
  } finally {
    await database.close();
    await drop();
  }
}, 120_000);
