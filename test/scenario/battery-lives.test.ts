import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS } from "../../src/kernel/time.ts";
import { TEST_START, useApp } from "../support/app.ts";
import { PLAIN_TERMS } from "../support/village.ts";

const village = useApp();
let files = 0;
let plans = 0;

interface Label {
  readonly model: string;
  readonly battery: string;
}

/** Brings devices in by one file; answers their serials. */
async function bringIn(labels: readonly Label[]): Promise<{ serials: readonly string[]; refused: readonly string[] }> {
  files += 1;
  const serials = labels.map((_, at) => `BAT-${String(files)}-${String(at)}`);
  const lines = labels.map(({ model, battery }, at) => {
    const serial = serials[at] ?? "";
    return `${serial},${createHash("md5").update(serial).digest("hex")},${model},${battery}`;
  });
  const { app } = village.current;
  const report = await app.database.db.transaction((tx) =>
    app.devices.importCsv(
      tx,
      `Serial Number,Key,Hardware Model,Battery Chemistry,Battery Ah,Battery Cells\n${lines.join("\n")}\n`,
    ),
  );
  return { serials, refused: report.refused.map(({ line, reason }) => `${String(line)}: ${reason}`) };
}

async function modelBattery(model: string): Promise<string | undefined> {
  const [row] = await village.current.app.database.db.execute<{ text: string }>(
    sql`select chemistry || ' ' || rated_ah || ' ' || cells as text from telemetry.battery_models where model = ${model}`,
  );
  return row?.text;
}

/** What is known of one device's own battery: its kind where it has one, and its first day. */
async function ownBattery(serial: string): Promise<{ kind: string | null; newOn: string | null } | undefined> {
  const [row] = await village.current.app.database.db.execute<{ kind: string | null; newOn: string | null }>(sql`
    select chemistry || ' ' || rated_ah || ' ' || cells as kind, new_on::text as "newOn"
    from telemetry.batteries b join devices.devices d on d.number = b.device where d.serial = ${serial}`);
  return row === undefined ? undefined : { ...row };
}

async function sell(serial: string, soldAt?: Date) {
  const { app } = village.current;
  return await app.database.db.transaction(async (tx) => {
    const { code } = await app.credit.plans.create(tx, {
      code: `plan-${String((plans += 1))}`,
      name: "Home 60",
      terms: PLAIN_TERMS,
      ...(soldAt === undefined ? {} : { effectiveAt: soldAt }),
    });
    const customer = await app.customers.register(tx, {
      name: "Asha",
      language: "en",
      area: "kitui",
      phones: [],
      serviceConsent: true,
      marketingConsent: false,
      actor: "test",
    });
    const order = { customerId: customer.id, serial, planCode: code, actor: "test" };
    return await app.credit.sell(tx, soldAt === undefined ? order : { ...order, soldAt });
  });
}

const swap = (contractId: Awaited<ReturnType<typeof sell>>["id"], serial: string) =>
  village.current.app.database.db.transaction((tx) =>
    village.current.app.credit.swapDevice(tx, { contractId, serial, reason: "Broken", actor: "test" }),
  );

describe("what an import says of batteries", () => {
  test("makes the most usual one the model's; a device with another one keeps its own", async () => {
    const usual = { model: "Mixed 1", battery: "lfp,12,4" };
    const { serials } = await bringIn([{ model: "Mixed 1", battery: "lead_acid,17,6" }, usual, usual]);
    expect(await modelBattery("Mixed 1")).toBe("lfp 12 4");
    expect(await Promise.all(serials.map(ownBattery))).toEqual([
      { kind: "lead_acid 17 6", newOn: null },
      undefined,
      undefined,
    ]);
  });

  test("changes nothing that was said before, and a battery that cannot be is refused with its line", async () => {
    const { app } = village.current;
    const spec = { chemistry: "li_ion", ratedAh: 6.6, cells: 3 };
    await app.database.db.transaction((tx) => app.batteryCommands.setModelBattery(tx, "Told 1", spec));
    const { refused, serials } = await bringIn([
      { model: "Told 1", battery: "lfp,20,4" },
      { model: "Told 1", battery: "coal,20,4" },
      { model: "Told 1", battery: "" },
    ]);
    expect(await modelBattery("Told 1")).toBe("li_ion 6.6 3");
    expect(await ownBattery(serials[0] ?? "")).toEqual({ kind: "lfp 20 4", newOn: null });
    expect(refused).toEqual([expect.stringMatching(/^3: The chemistry "coal" is not known\. Expected lead_acid/)]);
    expect(await app.devices.exists(app.database.db, serials[1] ?? "")).toBe(false);
  });
});

describe("a battery's life", () => {
  test("begins with the sale, on the day of the sale, also where that is written down later", async () => {
    const { serials } = await bringIn([
      { model: "Sold 1", battery: "lfp,12,4" },
      { model: "Sold 1", battery: "lfp,12,4" },
    ]);
    await sell(serials[0] ?? "");
    await sell(serials[1] ?? "", new Date(TEST_START.getTime() - 400 * DAY_MS));
    expect(await ownBattery(serials[0] ?? "")).toEqual({ kind: null, newOn: "2026-03-02" });
    expect(await ownBattery(serials[1] ?? "")).toEqual({ kind: null, newOn: "2025-01-26" });
  });

  test("begins with a swap for the new device, and goes on for the old one when it is sold again", async () => {
    const { serials } = await bringIn([
      { model: "Swapped 1", battery: "lfp,12,4" },
      { model: "Swapped 1", battery: "lfp,12,4" },
    ]);
    const [old = "", fresh = ""] = serials;
    const contract = await sell(old);
    village.current.clock.advance(90 * DAY_MS);
    await swap(contract.id, fresh);
    expect(await ownBattery(fresh)).toEqual({ kind: null, newOn: "2026-05-31" });
    const { app } = village.current;
    const { id } = await app.devices.requireBySerial(app.database.db, old);
    await app.database.db.transaction((tx) =>
      app.deviceLife.move(tx, { deviceId: id, to: "stock", reason: "Looked at", actor: "test" }),
    );
    await sell(old);
    expect(await ownBattery(old)).toEqual({ kind: null, newOn: "2026-03-02" });
  });

  test("that a person told is not changed by the sale, and what is left out of a later word stays", async () => {
    const [serial = ""] = (await bringIn([{ model: "Old stock", battery: "lfp,12,4" }])).serials;
    const { app } = village.current;
    const { number } = await app.devices.requireBySerial(app.database.db, serial);
    const set = (order: Omit<Parameters<typeof app.batteryCommands.setBattery>[1], "deviceNumber">) =>
      app.database.db.transaction((tx) => app.batteryCommands.setBattery(tx, { deviceNumber: number, ...order }));
    await set({ newOn: "2025-06-01", replaced: false });
    await sell(serial);
    await set({ spec: { chemistry: "lfp", ratedAh: 20, cells: 4 }, replaced: false });
    expect(await ownBattery(serial)).toEqual({ kind: "lfp 20 4", newOn: "2025-06-01" });
    await set({ newOn: "2025-06-02", replaced: false });
    expect(await ownBattery(serial)).toEqual({ kind: "lfp 20 4", newOn: "2025-06-02" });
    await set({ newOn: "2026-06-01", replaced: true });
    expect(await ownBattery(serial)).toEqual({ kind: null, newOn: "2026-06-01" });
  });

  test("is forgotten with a sale that is taken back, since both are one transaction", async () => {
    const [serial = ""] = (await bringIn([{ model: "Undone 1", battery: "lfp,12,4" }])).serials;
    const { app } = village.current;
    await expect(
      app.database.db.transaction(async (tx) => {
        const device = await app.devices.requireBySerial(tx, serial);
        await app.devices.move(tx, { deviceId: device.id, from: "stock", to: "installed", reason: "x", actor: "test" });
        throw new Error("The customer went away.");
      }),
    ).rejects.toThrow("went away");
    expect(await ownBattery(serial)).toBeUndefined();
  });
});
