import { sightOf } from "../access/access.ts";
import { Forbidden } from "../kernel/refusal.ts";
import type { FleetSummary, MapSquare } from "../telemetry/telemetry.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { cursorNumber, parsePage, toConnection } from "./connections.ts";
import { requireActor } from "./context.ts";
import { areaAsked } from "./device-access.ts";
import { defineFleetReport } from "./fleet-report.ts";
import { defineFleetTypes, type FleetTypes } from "./fleet-types.ts";

/** The fleet as a whole: its list, counts, map, and the figures by which the sector measures itself. */
export function defineFleet(builder: Builder): FleetTypes {
  const types = defineFleetTypes(builder);
  defineList(builder, types);
  const summary = defineSummary(builder);
  defineMap(builder);
  defineFleetReport(builder, summary);
  return types;
}

function defineList(builder: Builder, { standing, liveness }: FleetTypes): void {
  const battery = builder.enumType("BatteryLevel", { values: ["unknown", "empty", "low", "good"] as const });
  const filter = builder.inputType("FleetFilter", {
    fields: (t) => ({
      search: t.string({ description: "The start of a serial." }),
      area: t.string(),
      place: t.string(),
      model: t.string(),
      liveness: t.field({ type: liveness }),
      firmwareVersion: t.string(),
      tampered: t.boolean(),
      battery: t.field({ type: battery }),
      tokenBehind: t.boolean({ description: "The device has not taken its last token yet." }),
    }),
  });
  const connection = builder.connectionObject({ name: "FleetConnection", type: standing }, { name: "FleetEdge" });
  builder.queryField("fleet", (t) =>
    t.field({
      type: connection,
      description:
        "Devices with what they told last, in the order in which they came to us. Agents see those in homes of their own area.",
      args: { ...pageArguments(builder), filter: t.arg({ type: filter }) },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "fleet");
        const asked = areaAsked(context, args.filter?.area);
        // What stands in an agent's shop told what it told in somebody's home.
        const limited = sightOf(requireActor(context)).kind === "area";
        const rows =
          asked === "elsewhere"
            ? []
            : await context.services.fleet.list({
                filter: { ...given(args.filter ?? {}), area: asked.area, inService: limited ? true : undefined },
                first: page.limit,
                after: Number(cursorNumber(page) ?? 0n),
              });
        return toConnection(rows, { page, kind: "fleet", keysOf: ({ device }) => [String(device)] });
      },
    }),
  );
}

type Given<Fields> = { [Name in keyof Fields]: Exclude<Fields[Name], null> };

/** What a client leaves out and what it sets to null are the same. */
function given<Fields extends object>(fields: Fields): Given<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as Given<Fields>;
}

const COUNTS = ["devices", "inService", "online", "tampered", "tokenBehind"] as const;
const LIVES = ["never", "alive", "late", "silent", "lost"] as const;
const LEVELS = ["unknown", "empty", "low", "good"] as const;

function defineSummary(builder: Builder) {
  const counted = <Name extends string>(name: string, names: readonly Name[]) =>
    builder.objectRef<Readonly<Record<Name, number>>>(name).implement({
      fields: (t) => Object.fromEntries(names.map((one) => [one, t.int({ resolve: (counts) => counts[one] })])),
    });
  const byLiveness = counted("LivenessCounts", LIVES);
  const byBattery = counted("BatteryLevelCounts", LEVELS);
  const area = builder.objectRef<FleetSummary["byArea"][number]>("AreaCounts").implement({
    fields: (t) => ({
      area: t.exposeString("area", { description: "Empty for devices that nobody has." }),
      devices: t.exposeInt("devices"),
      alive: t.exposeInt("alive"),
      troubled: t.exposeInt("troubled", { description: "Silent or lost." }),
    }),
  });
  const firmware = builder.objectRef<FleetSummary["byFirmware"][number]>("FirmwareCounts").implement({
    fields: (t) => ({
      model: t.exposeString("model"),
      firmwareVersion: t.exposeString("firmwareVersion", { description: "Empty where devices do not say." }),
      devices: t.exposeInt("devices"),
    }),
  });
  const summary = builder.objectRef<FleetSummary>("FleetSummary").implement({
    fields: (t) => ({
      ...Object.fromEntries(COUNTS.map((name) => [name, t.int({ resolve: (one) => one[name] })])),
      byLiveness: t.field({
        type: byLiveness,
        description: "Of those in service.",
        resolve: (one) => one.byLiveness,
      }),
      byBattery: t.field({ type: byBattery, resolve: (one) => one.byBattery }),
      byArea: t.field({ type: [area], resolve: (one) => [...one.byArea] }),
      byFirmware: t.field({ type: [firmware], resolve: (one) => [...one.byFirmware] }),
      countedAt: t.field({
        type: "DateTime",
        nullable: true,
        description: "How old the oldest of the counts is.",
        resolve: ({ countedAt }) => countedAt ?? null,
      }),
    }),
  });
  builder.queryField("fleetSummary", (t) =>
    t.field({
      type: summary,
      errors: {},
      description: "Counts of the fleet, or of one area. For an agent: always of their own.",
      args: { area: t.arg.string() },
      resolve: (_root, args, context) => {
        const asked = areaAsked(context, args.area);
        if (asked === "elsewhere") throw new Forbidden();
        return context.services.fleet.summary(asked.area);
      },
    }),
  );
  return summary;
}

function defineMap(builder: Builder): void {
  const square = builder.objectRef<MapSquare>("MapSquare").implement({
    description: "A square of the map, about 64 screen points wide, with the devices in it.",
    fields: (t) => ({
      latitude: t.exposeFloat("latitude"),
      longitude: t.exposeFloat("longitude"),
      devices: t.exposeInt("devices"),
      troubled: t.exposeInt("troubled", { description: "Silent or lost." }),
      tampered: t.exposeInt("tampered"),
      device: t.loadable({
        type: "Device",
        nullable: true,
        description: "Where it is one and the map is looked at closely.",
        load: async (numbers: number[], { services, db }) => {
          const found = await services.devices.findByNumbers(db, numbers);
          return numbers.map((number) => found.get(number) ?? null);
        },
        resolve: (one) => one.device ?? null,
      }),
    }),
  });
  const map = builder.objectRef<{ readonly squares: readonly MapSquare[] }>("FleetMap").implement({
    fields: (t) => ({ squares: t.field({ type: [square], resolve: ({ squares }) => [...squares] }) }),
  });
  const bounds = builder.inputType("MapBounds", {
    description: "In degrees, from west to east and south to north.",
    fields: (t) => ({
      west: t.float({ required: true }),
      south: t.float({ required: true }),
      east: t.float({ required: true }),
      north: t.float({ required: true }),
    }),
  });
  builder.queryField("fleetMap", (t) =>
    t.field({
      type: map,
      errors: {},
      description: "Devices put together by squares of the screen. Agents see their own area.",
      args: {
        bounds: t.arg({ type: bounds, required: true }),
        zoom: t.arg.int({ required: true, description: "Of a web map: 0 shows the world, 20 a house." }),
        area: t.arg.string(),
      },
      resolve: async (_root, { bounds: view, zoom, area }, context) => {
        const asked = areaAsked(context, area);
        if (asked === "elsewhere") return { squares: [] };
        return { squares: await context.services.fleet.map({ bounds: view, zoom, area: asked.area }) };
      },
    }),
  );
}
