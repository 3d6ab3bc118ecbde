import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseLampSnapshot } from "../lamp/lamp-state.ts";
import {
  makeLamp,
  makeRunningClock,
  restoreLamp,
  type Lamp,
  type LampSnapshot,
  type RunningClock,
} from "../lamp/lamp.ts";
import type { ApiClient } from "./client.ts";

/** A family of the simulated village: who they are, what hangs on their wall, and their number at the seller's. */
export interface Household {
  readonly name: string;
  readonly phone: string;
  readonly contractId: string;
  readonly accountNumber: string;
  readonly language: string;
  readonly lamp: Lamp;
  /** The lamp's own, which a person may move ahead. */
  readonly lampClock: RunningClock;
}

export interface Village {
  readonly households: readonly Household[];
  /** Writes the lamps' state down, so that they go on where they were at the next start. */
  save(): void;
}

const FAMILIES = [
  { name: "Asha Mwende", phone: "+254712000101", language: "en", place: "Kwa Vonza" },
  { name: "Juma Kilonzo", phone: "+254712000102", language: "sw", place: "Kwa Vonza" },
  { name: "Wanjiru Njeri", phone: "+254712000103", language: "sw", place: "Matinyani" },
  { name: "Aline Uwase", phone: "+254712000104", language: "fr", place: "Matinyani" },
  { name: "Otieno Ochieng", phone: "+254712000105", language: "en", place: "Kabati" },
] as const;

const PLAN = { code: "home-60", name: "Home 60: three lamps and a radio" };

const REFUSAL = "... on Refusal { code message }";

/** Devices leave the factory with their keys; the factory's list is kept beside the lamps, as a seller would. */
function readFactory(file: string): { lamps: LampSnapshot[]; keys: string[] } {
  if (!existsSync(file)) return { lamps: [], keys: FAMILIES.map(() => randomBytes(16).toString("hex")) };
  const stored = JSON.parse(readFileSync(file, "utf8")) as { lamps: unknown[]; keys: string[] };
  // A lamp whose state cannot be read starts again as it left the factory; its keys are what must not be lost.
  const lamps = stored.lamps.flatMap((lamp) => parseLampSnapshot(JSON.stringify(lamp)) ?? []);
  return { lamps, keys: stored.keys };
}

/** Seeds the village through the public API. Doing it again changes nothing: every step has a name of its own. */
export async function settleVillage({
  api,
  file,
  clock,
}: {
  api: ApiClient;
  file: string;
  clock: { now(): number };
}): Promise<Village> {
  const factory = readFactory(file);
  const walls = factory.keys.map((keyHex, at) => hangUp({ keyHex, at, snapshot: factory.lamps[at], clock }));
  const lamps = walls.map(({ lamp }) => lamp);
  const save = (): void => {
    writeFileSync(`${file}.new`, JSON.stringify({ keys: factory.keys, lamps: lamps.map((lamp) => lamp.snapshot()) }), {
      mode: 0o600,
    });
    renameSync(`${file}.new`, file);
  };
  // The list is on disk before the seller knows the devices, or a crash between would leave lamps nobody has keys for.
  save();
  const csv = [
    "Serial Number,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model,Battery Chemistry,Battery Ah,Battery Cells",
    ...factory.keys.map((key, at) => `${serialOf(at)},${key},1,1,0,Home 60,lfp,12,4`),
  ].join("\n");
  await api.ask(`mutation ($csv: String!) { importDevices(csv: $csv) { ... on ImportReport { added } ${REFUSAL} } }`, {
    csv,
  });
  await requirePlan(api);
  const households: Household[] = [];
  for (const [at, family] of FAMILIES.entries()) {
    const wall = walls[at];
    if (wall !== undefined) households.push(await moveIn(api, { family, wall, at }));
  }
  return { households, save };
}

interface Wall {
  readonly lamp: Lamp;
  readonly lampClock: RunningClock;
}

/** A lamp whose clock was moved goes on from where it stood: it never lives a day twice. */
function hangUp({
  keyHex,
  at,
  snapshot,
  clock,
}: {
  keyHex: string;
  at: number;
  snapshot: LampSnapshot | undefined;
  clock: { now(): number };
}): Wall {
  const lampClock = makeRunningClock(clock, Math.max(0, (snapshot?.savedAt ?? 0) - clock.now()));
  const lamp =
    snapshot === undefined
      ? makeLamp({ serial: serialOf(at), keyHex, count: 1, clock: lampClock })
      : restoreLamp({ snapshot, clock: lampClock });
  return { lamp, lampClock };
}

const serialOf = (at: number): string => `H60-${String(100_001 + at)}`;

async function requirePlan(api: ApiClient): Promise<void> {
  const { plans } = await api.ask<{ plans: { code: string }[] }>(`{ plans { code } }`);
  if (plans.some(({ code }) => code === PLAN.code)) return;
  const input = {
    ...PLAN,
    currency: "KES",
    depositMinor: "0",
    depositBuysTime: true,
    totalMinor: "1500000",
    priceMinor: "5000",
    pricePer: "day",
    minimumPaymentMinor: "1000",
    freeSeconds: 0,
    instalmentDays: 7,
    graceDays: 3,
  };
  await api.ask(
    `mutation ($input: CreatePlanInput!) { createPlan(input: $input) { ... on PlanVersion { id } ${REFUSAL} } }`,
    { input },
  );
}

async function moveIn(
  api: ApiClient,
  { family, wall, at }: { family: (typeof FAMILIES)[number]; wall: Wall; at: number },
): Promise<Household> {
  const { name, phone, language, place } = family;
  const input = {
    name,
    language,
    place,
    area: "Kitui",
    phones: [phone],
    serviceConsent: true,
    marketingConsent: false,
  };
  const { registerCustomer } = await api.ask<{ registerCustomer: { id: string } }>(
    `mutation ($input: RegisterCustomerInput!, $key: String!) { registerCustomer(input: $input, idempotencyKey: $key) { ... on Customer { id } ${REFUSAL} } }`,
    { input, key: `village-register-${at}` },
  );
  const { sellDevice } = await api.ask<{ sellDevice: { id: string; accountNumber: string } }>(
    `mutation ($customerId: ID!, $serial: String!, $planCode: String!, $key: String!) {
      sellDevice(customerId: $customerId, serial: $serial, planCode: $planCode, idempotencyKey: $key) { ... on Contract { id accountNumber } ${REFUSAL} } }`,
    { customerId: registerCustomer.id, serial: serialOf(at), planCode: PLAN.code, key: `village-sell-${at}` },
  );
  const { id: contractId, accountNumber } = sellDevice;
  return { name, phone, language, contractId, accountNumber, ...wall };
}
