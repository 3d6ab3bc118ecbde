import { sightOf } from "../access/access.ts";
import type { Contract } from "../credit/credit.ts";
import type { Device } from "../devices/devices.ts";
import type { DeviceId } from "../kernel/ids.ts";
import { Forbidden, InvalidInput, NotFound } from "../kernel/refusal.ts";
import { parseId } from "./builder.ts";
import { requireActor, type GraphqlContext } from "./context.ts";

/** Who runs the company from its office. */
export const OFFICE = { roles: ["admin", "operations"] as const };

/** More homes than one device ever sees. */
const CONTRACTS_MAX = 100;
/** More than a device is moved about while it is in one home. */
const MOVEMENTS_MAX = 100;

/** From when on a person may know what a device did; undefined: nothing of it. The office sees everything. */
export type Since = Date | undefined;

/** One answer a request, however many fields of a device ask. */
const known = new WeakMap<GraphqlContext, Map<DeviceId, Promise<Since>>>();

/**
 * From when on the person may see what this device told and did. For an agent: since it came into the home that it is in,
 * when that home's contract lies in their area. What it told in the home before is nobody's business there.
 */
export function sightOn(context: GraphqlContext, device: Device): Promise<Since> {
  const sight = sightOf(requireActor(context));
  if (sight.kind === "all") return Promise.resolve(new Date(0));
  const answers = known.get(context) ?? new Map<DeviceId, Promise<Since>>();
  known.set(context, answers);
  const answer = answers.get(device.id) ?? readSight(context, device, sight.area);
  answers.set(device.id, answer);
  return answer;
}

async function readSight(context: GraphqlContext, device: Device, area: string): Promise<Since> {
  // Anywhere else it is in nobody's home.
  if (device.state !== "installed" && device.state !== "repair") return undefined;
  const home = await homeOf(context, device.id);
  if (home?.area !== area) return undefined;
  const { installedAt } = device;
  return installedAt !== null && installedAt > home.soldAt ? installedAt : home.soldAt;
}

/**
 * The contract of the home that a device is in: the active one, else the one it was brought to that home for. One that was
 * written off or paid keeps the device's name when the device has long gone elsewhere. `fleet-rooms.ts` decides alike.
 */
async function homeOf({ services, db }: GraphqlContext, deviceId: DeviceId): Promise<Contract | undefined> {
  const contracts = await services.credit.list(db, { deviceId }, { first: CONTRACTS_MAX });
  const active = contracts.find(({ state }) => state === "active");
  if (active !== undefined) return active;
  const movements = await services.deviceLife.movements(db, { deviceId, first: MOVEMENTS_MAX });
  const brought = movements.find(({ to, contractId }) => to === "installed" && contractId !== null);
  const rank = ({ state }: Contract): number => Number(state !== "written_off");
  return contracts
    .filter(({ id }) => brought === undefined || id === brought.contractId)
    .toSorted((left, right) => rank(right) - rank(left) || right.soldAt.getTime() - left.soldAt.getTime())[0];
}

/** Stock is everybody's to sell; a sold device is seen where its contract is. */
export async function mayShow(context: GraphqlContext, device: Device): Promise<boolean> {
  return device.state === "stock" || (await sightOn(context, device)) !== undefined;
}

export interface DeviceName {
  readonly id?: string | null | undefined;
  readonly serial?: string | null | undefined;
}

/** The device of an id or a serial, where the person may see it; otherwise `NotFound`, which does not tell which. */
export async function requireDevice(context: GraphqlContext, { id, serial }: DeviceName): Promise<Device> {
  if (!id === !serial) throw new InvalidInput("Give the id or the serial.", "id");
  const { devices } = context.services;
  const found = serial
    ? await devices.requireBySerial(context.db, serial.trim())
    : await devices.find(context.db, parseId<"Device">(id ?? "", "device"));
  if (found === undefined || !(await mayShow(context, found))) throw new NotFound("device");
  return found;
}

/** The same for an act upon it: an agent acts on devices in homes of their area, and on none in stock. */
export async function requireDeviceToActOn(context: GraphqlContext, name: DeviceName): Promise<Device> {
  const device = await requireDevice(context, name);
  if ((await sightOn(context, device)) === undefined) throw new Forbidden();
  return device;
}

/** The area to ask for: an agent's own, whatever was asked; "elsewhere" where that is another one. */
export function areaAsked(
  context: GraphqlContext,
  asked: string | null | undefined,
): { readonly area: string | undefined } | "elsewhere" {
  const sight = sightOf(requireActor(context));
  if (sight.kind === "all") return { area: asked ?? undefined };
  return asked !== null && asked !== undefined && asked !== sight.area ? "elsewhere" : { area: sight.area };
}

/** A row number from outside. What cannot be one names nothing: throws `NotFound`. */
export function parseNumber(text: string, what: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new NotFound(what);
  return BigInt(text);
}
