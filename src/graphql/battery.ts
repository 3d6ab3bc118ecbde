import type { Device } from "../devices/devices.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { parseLocalDate, type LocalDate } from "../kernel/time.ts";
import {
  FAILURE_REASONS,
  SIZINGS,
  type BatteryHealth,
  type BatteryQueries,
  type BatteryWeek,
  type FleetBatteries,
  type ModelBattery,
} from "../telemetry/telemetry.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { act } from "./commands.ts";
import { parsePage, toConnection } from "./connections.ts";
import { areaAsked, OFFICE, requireDevice, sightOn } from "./device-access.ts";

const WEEKS_DEFAULT = 104;
const WEEKS_MAX = 500;

type Forecast = NonNullable<BatteryHealth["forecast"]>;
type Evidence = BatteryHealth["evidence"];

/** What is known of batteries: how much is left, until when, why, and whom to visit first. */
export function defineBatteries(builder: Builder): void {
  const types = defineTypes(builder);
  defineDeviceFields(builder, types);
  defineLists(builder, types);
  defineCommands(builder);
}

function defineTypes(builder: Builder) {
  const reason = builder.enumType("BatteryFailureReason", { values: FAILURE_REASONS });
  const sizing = builder.enumType("BatterySizing", {
    description: "Whether the system is large enough for its use.",
    values: SIZINGS,
  });
  const forecast = builder.objectRef<Forecast>("BatteryForecast").implement({
    description: "Until the end of life, at four fifths of the capacity.",
    fields: (t) => ({
      weeks10: t.int({
        nullable: true,
        description: "Weeks by which it will have ended with a probability of 10 percent; null: not within five years.",
        resolve: ({ weeks10 }) => weeks10 ?? null,
      }),
      weeks50: t.int({ nullable: true, resolve: ({ weeks50 }) => weeks50 ?? null }),
      weeks90: t.int({ nullable: true, resolve: ({ weeks90 }) => weeks90 ?? null }),
      within8Weeks: t.exposeFloat("within8Weeks", { description: "The probability that it has ended by then." }),
      within26Weeks: t.exposeFloat("within26Weeks"),
    }),
  });
  const evidence = builder.objectRef<Evidence>("BatteryEvidence").implement({
    description: "What the verdict rests on. Null: unknown.",
    fields: (t) => ({
      weeks: t.exposeInt("weeks"),
      discharges: t.exposeInt("discharges", { description: "Those that told something of the capacity." }),
      ...Object.fromEntries(
        (
          [
            "equivalentCycles",
            "deepDischarges",
            "heatFactor",
            "resistanceOhm",
            "resistanceGrowth",
            "fullsPerWeek",
            "hoursToFull",
            "useAhPerDay",
            "impossibleReadings",
          ] as const
        ).map((name) => [name, t.float({ nullable: true, resolve: (one) => one[name] ?? null })]),
      ),
    }),
  });
  const health = builder.objectRef<BatteryHealth>("BatteryHealth").implement({
    description: "A battery as it was known at the end of a week.",
    fields: (t) => ({
      weekOn: t.exposeString("weekOn", { description: "The Monday of the last week that was read." }),
      share: t.float({
        nullable: true,
        description: "Of the capacity that is left; null: not enough evidence, for the reason in `lacking`.",
        resolve: (one) => one.health?.share ?? null,
      }),
      shareLeast: t.float({ nullable: true, resolve: (one) => one.health?.least ?? null }),
      shareMost: t.float({ nullable: true, resolve: (one) => one.health?.most ?? null }),
      lacking: t.string({ nullable: true, resolve: ({ lacking }) => lacking ?? null }),
      ofNew: t.exposeBoolean("ofNew", { description: "Of the capacity when new; else of the rated one." }),
      forecast: t.field({ type: forecast, nullable: true, resolve: (one) => one.forecast ?? null }),
      reasons: t.field({
        type: [reason],
        description: "The most certain first.",
        resolve: ({ reasons }) => [...reasons],
      }),
      sizing: t.field({ type: sizing, resolve: (one) => one.sizing }),
      evidence: t.field({ type: evidence, resolve: (one) => one.evidence }),
      device: t.loadable({
        type: "Device",
        nullable: true,
        load: async (numbers: number[], { services, db }) => {
          const found = await services.devices.findByNumbers(db, numbers);
          return numbers.map((number) => found.get(number) ?? null);
        },
        resolve: ({ deviceNumber }) => deviceNumber,
      }),
    }),
  });
  return { reason, sizing, health };
}

type BatteryTypes = ReturnType<typeof defineTypes>;

function defineDeviceFields(builder: Builder, { health }: BatteryTypes): void {
  const week = builder.objectRef<BatteryWeek>("BatteryWeek").implement({
    fields: (t) => ({
      weekOn: t.exposeString("weekOn"),
      share: t.float({ nullable: true, resolve: ({ share }) => share ?? null }),
      shareLeast: t.float({ nullable: true, resolve: ({ least }) => least ?? null }),
      shareMost: t.float({ nullable: true, resolve: ({ most }) => most ?? null }),
      resistanceGrowth: t.float({ nullable: true, resolve: (one) => one.resistanceGrowth ?? null }),
      cycles: t.exposeFloat("cycles", { description: "Equivalent full ones of the week." }),
    }),
  });
  builder.objectField("Device", "battery", (t) =>
    t.loadable({
      type: health,
      nullable: true,
      description: "Null where no battery is known, or the device is in no home of yours.",
      load: async (devices: Device[], context) => {
        const sights = await Promise.all(devices.map((device) => sightOn(context, device)));
        const found = await context.services.batteries.batteryHealth(devices.map(({ number }) => number));
        return found.map((one, at) => (sights[at] === undefined ? null : (one ?? null)));
      },
      resolve: (device) => device,
    }),
  );
  builder.objectField("Device", "batteryCourse", (t) =>
    t.field({
      type: [week],
      description: "Week by week, oldest first.",
      args: { limit: t.arg.int({ defaultValue: WEEKS_DEFAULT }) },
      resolve: async (device, { limit }, context) => {
        if ((await sightOn(context, device)) === undefined) return [];
        const weeks = Math.min(Math.max(limit ?? WEEKS_DEFAULT, 1), WEEKS_MAX);
        return [...(await context.services.batteries.batteryCourse(device.number, weeks))];
      },
    }),
  );
}

function defineLists(builder: Builder, { reason, sizing, health }: BatteryTypes): void {
  const filter = builder.inputType("BatteryFilter", {
    fields: (t) => ({
      area: t.string(),
      model: t.string(),
      reason: t.field({ type: reason }),
      sizing: t.field({ type: sizing }),
      failingSoon: t.boolean({ description: "Ended, or likely to within eight weeks." }),
      shareMax: t.float({ description: "At most this share of the capacity left." }),
    }),
  });
  const connection = builder.connectionObject({ name: "BatteryConnection", type: health }, { name: "BatteryEdge" });
  builder.queryField("batteries", (t) =>
    t.field({
      type: connection,
      description: "Those with a forecast, the likeliest to fail within eight weeks first: whom to visit.",
      args: { ...pageArguments(builder), filter: t.arg({ type: filter }) },
      resolve: async (_root, { filter: given, ...args }, context) => {
        const page = parsePage(args, "batteries", 2);
        const asked = areaAsked(context, given?.area);
        const rows =
          asked === "elsewhere"
            ? []
            : await context.services.batteries.listBatteries(filterOf({ ...given, area: asked.area }), {
                first: page.limit,
                after: afterOf(page.after),
              });
        return toConnection(rows, {
          page,
          kind: "batteries",
          keysOf: ({ deviceNumber, forecast }) => [String(forecast?.within8Weeks ?? 0), String(deviceNumber)],
        });
      },
    }),
  );
  const count = <Name extends string, Key extends string>(name: Name, key: Key) =>
    builder.objectRef<Readonly<Record<Key, string>> & { readonly batteries: number }>(name).implement({
      fields: (t) => ({
        [key]: t.string({ resolve: (one) => one[key] }),
        batteries: t.int({ resolve: ({ batteries }) => batteries }),
      }),
    });
  const byReason = count("BatteryReasonCount", "reason");
  const bySizing = count("BatterySizingCount", "sizing");
  const byLacking = count("BatteryLackingCount", "lacking");
  const fleet = builder.objectRef<FleetBatteries>("FleetBatteries").implement({
    fields: (t) => ({
      batteries: t.exposeInt("batteries"),
      withHealth: t.exposeInt("withHealth"),
      failingSoon: t.exposeInt("failingSoon"),
      ended: t.exposeInt("ended", { description: "Below four fifths now." }),
      meanShare: t.float({ nullable: true, resolve: ({ meanShare }) => meanShare ?? null }),
      byReason: t.field({ type: [byReason], resolve: (one) => [...one.byReason] }),
      bySizing: t.field({ type: [bySizing], resolve: (one) => [...one.bySizing] }),
      byLacking: t.field({
        type: [byLacking],
        description: "Why the others have no state of health.",
        resolve: (one) => [...one.byLacking],
      }),
    }),
  });
  builder.queryField("fleetBatteries", (t) =>
    t.field({
      type: fleet,
      errors: {},
      authScopes: OFFICE,
      args: { filter: t.arg({ type: filter }) },
      resolve: (_root, { filter: given }, { services }) => services.batteries.fleetHealth(filterOf(given ?? {})),
    }),
  );
}

type Filter = Parameters<BatteryQueries["fleetHealth"]>[0];

function filterOf(given: { readonly [Name in keyof Filter]: Filter[Name] | null }): Filter {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function afterOf(keys: readonly string[] | undefined) {
  if (keys === undefined) return undefined;
  const [within8, deviceNumber] = keys.map(Number);
  if (within8 === undefined || deviceNumber === undefined || !(within8 >= 0) || !Number.isSafeInteger(deviceNumber))
    throw new InvalidInput("This cursor does not belong to this list.", "after");
  return { within8, deviceNumber };
}

function defineCommands(builder: Builder): void {
  const chemistry = builder.enumType("BatteryChemistry", { values: ["lead_acid", "lfp", "li_ion"] as const });
  const spec = builder.inputType("BatterySpecInput", {
    fields: (t) => ({
      chemistry: t.field({ type: chemistry, required: true }),
      ratedAh: t.float({ required: true }),
      cells: t.int({ required: true, description: "In series." }),
    }),
  });
  const saved = builder.objectRef<ModelBattery>("ModelBattery").implement({
    description: "What battery the devices of a model have, as far as somebody said so.",
    fields: (t) => ({
      model: t.exposeString("model"),
      devices: t.exposeInt("devices", { description: "Of this model; new ones are counted within minutes." }),
      others: t.exposeInt("others", { description: "Of these, devices with a battery of their own kind." }),
      chemistry: t.field({
        type: chemistry,
        nullable: true,
        description: "Null: nobody said, and nothing is reckoned of their health.",
        resolve: (one) => one.spec?.chemistry ?? null,
      }),
      ratedAh: t.float({ nullable: true, resolve: (one) => one.spec?.ratedAh ?? null }),
      cells: t.int({ nullable: true, description: "In series.", resolve: (one) => one.spec?.cells ?? null }),
    }),
  });
  builder.queryField("modelBatteries", (t) =>
    t.field({
      type: [saved],
      authScopes: OFFICE,
      description: "Every model with its battery, those of which nobody said it first.",
      resolve: async (_root, _args, { services }) => [...(await services.batteries.modelBatteries())],
    }),
  );
  builder.mutationField("setModelBattery", (t) =>
    t.field({
      type: saved,
      errors: {},
      authScopes: OFFICE,
      description: "Says what battery the devices of a model have. Without it nothing is said of their health.",
      args: { model: t.arg.string({ required: true }), spec: t.arg({ type: spec, required: true }) },
      resolve: async (_root, { model: name, spec: given }, context) => {
        const model = name.trim();
        await act(context, async ({ tx, audit }) => {
          await context.services.batteryCommands.setModelBattery(tx, model, given);
          await audit({ action: "battery.set_model", subjectKind: "model", subjectId: model, detail: { ...given } });
        });
        const found = (await context.services.batteries.modelBatteries()).find((one) => one.model === model);
        if (found === undefined) throw new Error(`The battery of model ${model} was set and is missing.`);
        return found;
      },
    }),
  );
  builder.mutationField("setDeviceBattery", (t) =>
    t.field({
      type: "Device",
      errors: {},
      authScopes: OFFICE,
      description:
        "Says what is particular of one device's battery: its kind where it is not the model's, and its first day. What is left out stays as it was; a battery that was replaced is of the model's kind unless said.",
      args: {
        deviceId: t.arg.id({ required: true }),
        spec: t.arg({ type: spec }),
        newOn: t.arg({ type: "LocalDate" }),
        replaced: t.arg.boolean({
          required: true,
          description: "It is another battery than before: what was learned of the old one is forgotten.",
        }),
      },
      resolve: async (_root, { deviceId, spec: given, newOn, replaced }, context) => {
        const device = await requireDevice(context, { id: deviceId });
        const first: LocalDate | undefined = newOn ? parseLocalDate(newOn) : undefined;
        await act(context, async ({ tx, audit }) => {
          const order = { deviceNumber: device.number, spec: given ?? undefined, newOn: first, replaced };
          await context.services.batteryCommands.setBattery(tx, order);
          const detail = { ...given, newOn: first ?? null, replaced };
          await audit({ action: "battery.set", subjectKind: "device", subjectId: device.id, detail });
        });
        return device;
      },
    }),
  );
}
