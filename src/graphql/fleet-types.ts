import type { Device } from "../devices/devices.ts";
import type { FleetDevice } from "../telemetry/telemetry.ts";
import type { Builder } from "./builder.ts";
import { sightOn } from "./device-access.ts";

const MEASURES = {
  daysLeftByDevice: "Of light, by the device's own counting; 10,000 once unlocked for good.",
  daysLeftByContract: "Of light, by what tokens and contract gave.",
  daysAhead: "The device's days minus the contract's.",
  signalDbm: "dBm",
  batteryVoltageV: "V",
  batteryCurrentA: "A, above zero while charging",
  batteryChargePercent: "%",
  batteryTemperatureC: "°C",
  panelVoltageV: "V",
  panelPowerW: "W",
  loadPowerW: "W",
} as const satisfies Partial<Record<keyof FleetDevice, string>>;

const INSTANTS = {
  firstSeenAt: "By our clock.",
  lastSeenAt: "By our clock.",
  readingAt: "Of the newest reading, by the device's clock.",
} as const satisfies Partial<Record<keyof FleetDevice, string>>;

/** Where a device stands, as it told last and as its contract says. */
export function defineFleetTypes(builder: Builder) {
  const liveness = builder.enumType("Liveness", {
    description: "How a device stands with the interval it promised to report in.",
    values: ["never", "alive", "late", "silent", "lost"] as const,
  });
  const connection = builder.enumType("DeviceConnectionState", { values: ["online", "offline", "unknown"] as const });
  const standing = builder.objectRef<FleetDevice>("DeviceStanding").implement({
    description: "What a device told last, beside what its contract says. Null: the device does not tell.",
    fields: (t) => ({
      serial: t.exposeString("serial"),
      model: t.exposeString("model"),
      inService: t.exposeBoolean("inService", { description: "With a customer: only then is silence news." }),
      area: t.string({ nullable: true, resolve: ({ area }) => area ?? null }),
      place: t.string({ nullable: true, resolve: ({ place }) => place ?? null }),
      latitude: t.float({ nullable: true, resolve: ({ latitude }) => latitude ?? null }),
      longitude: t.float({ nullable: true, resolve: ({ longitude }) => longitude ?? null }),
      contractId: t.id({ nullable: true, resolve: ({ contractId }) => contractId ?? null }),
      liveness: t.field({ type: liveness, resolve: (one) => one.liveness }),
      connection: t.field({ type: connection, resolve: (one) => one.connection }),
      intervalSeconds: t.exposeInt("intervalSeconds", { description: "How often it is expected to report." }),
      tokenCount: t.int({
        nullable: true,
        description: "Of the last token it took.",
        resolve: ({ tokenCount }) => tokenCount ?? null,
      }),
      tokensIssued: t.exposeInt("tokensIssued", { description: "The count of the last token issued." }),
      tokenLag: t.int({
        nullable: true,
        description: "How far the device is behind that.",
        resolve: ({ tokenLag }) => tokenLag ?? null,
      }),
      firmwareVersion: t.string({ nullable: true, resolve: ({ firmwareVersion }) => firmwareVersion ?? null }),
      tampered: t.boolean({ nullable: true, resolve: ({ tampered }) => tampered ?? null }),
      clockShiftSeconds: t.exposeInt("clockShiftSeconds", { description: "By how much its clock is put right." }),
      ...Object.fromEntries(
        Object.entries(MEASURES).map(([name, description]) => [
          name,
          t.float({ nullable: true, description, resolve: (one) => one[name as keyof typeof MEASURES] ?? null }),
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(INSTANTS).map(([name, description]) => [
          name,
          t.field({
            type: "DateTime",
            nullable: true,
            description,
            resolve: (one) => one[name as keyof typeof INSTANTS] ?? null,
          }),
        ]),
      ),
      device: t.loadable({
        type: "Device",
        nullable: true,
        load: async (numbers: number[], { services, db }) => {
          const found = await services.devices.findByNumbers(db, numbers);
          return numbers.map((number) => found.get(number) ?? null);
        },
        resolve: ({ device }) => device,
      }),
    }),
  });
  builder.objectField("Device", "standing", (t) =>
    t.loadable({
      type: standing,
      nullable: true,
      description: "What it told last; null for a device that is new to telemetry, or not with a customer of yours.",
      load: async (devices: Device[], context) => {
        const shown = await Promise.all(devices.map((device) => sightOn(context, device)));
        const numbers = devices.flatMap(({ number }, at) => (shown[at] === undefined ? [] : [number]));
        const found =
          numbers.length === 0 ? new Map<number, FleetDevice>() : await context.services.fleet.findMany(numbers);
        return devices.map(({ number }) => found.get(number) ?? null);
      },
      resolve: (device) => device,
    }),
  );
  return { standing, liveness };
}

export type FleetTypes = ReturnType<typeof defineFleetTypes>;
