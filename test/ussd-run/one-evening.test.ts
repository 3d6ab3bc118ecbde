import { expect, inject, test } from "vitest";
import { cloneDatabase } from "../support/database.ts";
import { checkAll, type Evidence } from "./checks.ts";
import { onClone } from "./clone.ts";
import { liveEvening } from "./evening.ts";
import { findBlindSpots } from "./planted-faults.ts";
import { seedVillage } from "./village.ts";

test("whatever gateways do, callers see their own screens, the model's, and nothing is done twice", async () => {
  const { database, url, drop } = await cloneDatabase({ connectionsMax: 1 });
  try {
    const village = await seedVillage(url, 40);
    await database.close();
    const template = new URL(url).pathname.slice(1);
    const evenings: Evidence[] = [];
    for (const seed of [1, 2, 3, 4]) {
      const evidence = await onClone(
        { superuserUrl: inject("superuserUrl"), template, name: `${template}_${String(seed)}` },
        (databaseUrl) => liveEvening({ seed, databaseUrl, village }),
      );
      expect(checkAll(evidence).filter(({ broken }) => broken.length > 0)).toEqual([]);
      expect(evidence.heard.length).toBeGreaterThan(150);
      evenings.push(evidence);
    }
    // Faults are planted where somebody borrowed, if anybody did, so that a loan can be at fault too.
    const borrowed = evenings.filter(({ house }) => house.loans.some(({ times }) => times === 1));
    const [lively] = [...borrowed, ...evenings];
    expect(lively === undefined ? ["no evening"] : findBlindSpots(lively).unnoticed).toEqual([]);
  } finally {
    await drop();
  }
}, 120_000);
