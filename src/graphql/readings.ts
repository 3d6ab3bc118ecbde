import type { Device } from "../devices/devices.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { DAY_MS, HOUR_MS } from "../kernel/time.ts";
import {
  QUANTITIES,
  type Rollup,
  type RolledQuantity,
  type Series,
  type StoredEvent,
  type StoredReading,
} from "../telemetry/telemetry.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { cursorInstant, cursorNumber, parsePage, POINTS_MAX, toConnection } from "./connections.ts";
import type { GraphqlContext } from "./context.ts";
import { sightOn } from "./device-access.ts";

const POINTS_DEFAULT = 300;
const POINTS_MIN = 3;
/** What is asked for when nobody says since when. */
const DAYS_DEFAULT = 7;
/** Clocks of devices run ahead of ours by a little. */
const AHEAD_MS = HOUR_MS;

/** What devices measured: as they told it, as lines that are thinned on the side of the stores, and by hour and day. */
export function defineReadings(builder: Builder) {
  const quantity = defineQuantity(builder);
  const reading = defineReadingType(builder);
  defineRows(builder, reading);
  defineSeries(builder, quantity);
  defineRollups(builder, quantity);
  defineEvents(builder);
  return { reading };
}

export type ReadingTypes = ReturnType<typeof defineReadings>;
type QuantityEnum = ReturnType<typeof defineQuantity>;

function defineQuantity(builder: Builder) {
  return builder.enumType("Quantity", {
    description: "V, A, W, °C, %, Wh and dBm, as the name ends; a battery's current is above zero while it is charged.",
    values: QUANTITIES,
  });
}

function defineReadingType(builder: Builder) {
  return builder.objectRef<StoredReading>("Reading").implement({
    description: "One moment of a device. Null: it did not tell.",
    fields: (t) => ({
      at: t.field({ type: "DateTime", description: "By the device's clock, put right.", resolve: ({ at }) => at }),
      ...Object.fromEntries(
        QUANTITIES.map((name) => [name, t.float({ nullable: true, resolve: (reading) => reading[name] })]),
      ),
      extra: t.string({
        nullable: true,
        description: "JSON of what no quantity holds.",
        resolve: ({ extra }) => (extra === null ? null : JSON.stringify(extra)),
      }),
    }),
  });
}

interface Asked {
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

/** The time that is asked for and that the person may see; undefined when that is none. `to` is not included. */
async function spanOf(
  context: GraphqlContext,
  device: Device,
  { from, to }: Asked,
): Promise<{ readonly from: Date; readonly to: Date } | undefined> {
  const now = context.clock.now().getTime();
  const end = to ?? new Date(now + AHEAD_MS);
  const start = from ?? new Date((to?.getTime() ?? now) - DAYS_DEFAULT * DAY_MS);
  if (start >= end) throw new InvalidInput("The end must be later than the beginning.", "to");
  const since = await sightOn(context, device);
  if (since === undefined || since >= end) return undefined;
  return { from: since > start ? since : start, to: end };
}

/** The periods that lie wholly in what the person may see: one that began before holds what is not theirs to know. */
async function periodsOf(
  context: GraphqlContext,
  device: Device,
  { grain, ...asked }: Asked & { readonly grain: "hour" | "day" },
): Promise<{ readonly fromMs: number; readonly toMs: number } | undefined> {
  const span = await spanOf(context, device, asked);
  const since = await sightOn(context, device);
  if (span === undefined || since === undefined) return undefined;
  const width = grain === "hour" ? HOUR_MS : DAY_MS;
  const fromMs = Math.max(span.from.getTime(), Math.ceil(since.getTime() / width) * width);
  const toMs = span.to.getTime();
  return fromMs < toMs ? { fromMs, toMs } : undefined;
}

function spanArguments(builder: Builder) {
  return builder.args((t) => ({
    from: t.field({ type: "DateTime", description: `Left out: ${DAYS_DEFAULT} days before the end.` }),
    to: t.field({ type: "DateTime", description: "Not included. Left out: up to the newest." }),
  }));
}

function defineRows(builder: Builder, reading: ReturnType<typeof defineReadingType>): void {
  const connection = builder.connectionObject({ name: "ReadingConnection", type: reading }, { name: "ReadingEdge" });
  builder.objectField("Device", "readings", (t) =>
    t.field({
      type: connection,
      description:
        "As they came, oldest first, of the days that PostgreSQL keeps; a line over any time is `series`. For agents: since it came into its present home.",
      args: { ...pageArguments(builder), ...spanArguments(builder) },
      resolve: async (device, args, context) => {
        const page = parsePage(args, "readings");
        const span = await spanOf(context, device, args);
        const rows =
          span === undefined
            ? []
            : await context.services.readings.readingsOf({
                ...span,
                deviceNumber: device.number,
                first: page.limit,
                after: cursorInstant(page),
              });
        return toConnection(rows, { page, kind: "readings", keysOf: ({ at }) => [String(at.getTime())] });
      },
    }),
  );
}

function defineSeries(builder: Builder, quantity: QuantityEnum): void {
  const sampling = builder.enumType("Sampling", {
    description:
      "How a line is thinned. shape: by largest triangles (LTTB), so that it looks the same. extremes: lowest and highest of each stretch, so that no peak is lost.",
    values: ["shape", "extremes"] as const,
  });
  const point = builder.objectRef<Series["points"][number]>("SeriesPoint").implement({
    fields: (t) => ({
      at: t.field({ type: "DateTime", resolve: ({ atMs }) => new Date(atMs) }),
      value: t.exposeFloat("value"),
    }),
  });
  const series = builder.objectRef<Series>("Series").implement({
    fields: (t) => ({
      points: t.field({ type: [point], description: "In order of time.", resolve: ({ points }) => [...points] }),
      missingBefore: t.field({
        type: "DateTime",
        nullable: true,
        description: "History was away: what is older than this is not among the points. Null when everything is.",
        resolve: ({ missingBeforeMs }) => (missingBeforeMs === undefined ? null : new Date(missingBeforeMs)),
      }),
    }),
  });
  builder.objectField("Device", "series", (t) =>
    t.field({
      type: series,
      errors: {},
      description: "One quantity over any time, as a line of so many points.",
      args: {
        quantity: t.arg({ type: quantity, required: true }),
        ...spanArguments(builder),
        points: t.arg.int({
          defaultValue: POINTS_DEFAULT,
          description: `How many at most, ${POINTS_MIN} to ${POINTS_MAX}. Each counts as one object.`,
        }),
        sampling: t.arg({ type: sampling, defaultValue: "shape" }),
      },
      resolve: async (device, args, context) => {
        const pointsMax = args.points ?? POINTS_DEFAULT;
        if (pointsMax < POINTS_MIN || pointsMax > POINTS_MAX)
          throw new InvalidInput(`A line has ${POINTS_MIN} to ${POINTS_MAX} points.`, "points");
        const span = await spanOf(context, device, args);
        if (span === undefined) return { points: [], missingBeforeMs: undefined };
        return context.services.history.series({
          device: device.number,
          quantity: args.quantity,
          fromMs: span.from.getTime(),
          toMs: span.to.getTime(),
          pointsMax,
          sampling: args.sampling ?? "shape",
        });
      },
    }),
  );
}

type Figures = Rollup["figures"][RolledQuantity];

function defineRollups(builder: Builder, quantity: QuantityEnum): void {
  const grain = builder.enumType("Grain", { values: ["hour", "day"] as const });
  const figures = builder.objectRef<{ quantity: RolledQuantity; figures: Figures }>("RollupFigures").implement({
    description: "Null: the device told nothing of it, or history does not keep that figure.",
    fields: (t) => ({
      quantity: t.field({ type: quantity, resolve: (one) => one.quantity }),
      least: t.float({ nullable: true, resolve: (one) => one.figures.min ?? null }),
      most: t.float({ nullable: true, resolve: (one) => one.figures.max ?? null }),
      mean: t.float({ nullable: true, resolve: (one) => one.figures.mean ?? null }),
      last: t.float({ nullable: true, resolve: (one) => one.figures.last ?? null }),
    }),
  });
  const rollup = builder.objectRef<Rollup>("Rollup").implement({
    description: "An hour or a UTC day of a device.",
    fields: (t) => ({
      startsAt: t.field({ type: "DateTime", resolve: ({ startsAtMs }) => new Date(startsAtMs) }),
      readings: t.exposeInt("readings"),
      energyInWh: t.exposeFloat("energyInWh", {
        nullable: true,
        description: "From the sun. Null when the device does not count energy.",
      }),
      energyOutWh: t.exposeFloat("energyOutWh", { nullable: true, description: "Used." }),
      quantities: t.field({
        type: [figures],
        args: { of: t.arg({ type: [quantity], description: "Left out: all that history keeps." }) },
        resolve: (one, { of }) =>
          (Object.entries(one.figures) as [RolledQuantity, Figures][])
            .filter(([name]) => !of || of.includes(name))
            .map(([name, kept]) => ({ quantity: name, figures: kept })),
      }),
    }),
  });
  const connection = builder.connectionObject({ name: "RollupConnection", type: rollup }, { name: "RollupEdge" });
  builder.objectField("Device", "rollups", (t) =>
    t.field({
      type: connection,
      errors: {},
      description: "Hours or UTC days in order of time, from history.",
      args: { grain: t.arg({ type: grain, required: true }), ...pageArguments(builder), ...spanArguments(builder) },
      resolve: async (device, { grain: asked, ...args }, context) => {
        const page = parsePage(args, "rollups");
        const periods = await periodsOf(context, device, { ...args, grain: asked });
        const rows =
          periods === undefined
            ? []
            : await context.services.history.rollups({
                ...periods,
                device: device.number,
                grain: asked,
                first: page.limit,
                afterMs: cursorInstant(page)?.getTime(),
              });
        return toConnection(rows, { page, kind: "rollups", keysOf: ({ startsAtMs }) => [String(startsAtMs)] });
      },
    }),
  );
}

function defineEvents(builder: Builder): void {
  const event = builder.objectRef<StoredEvent>("DeviceEvent").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      at: t.field({ type: "DateTime", description: "By the device's clock.", resolve: ({ at }) => at }),
      kind: t.exposeString("kind"),
      detail: t.string({ description: "JSON.", resolve: ({ detail }) => JSON.stringify(detail) }),
      receivedAt: t.field({ type: "DateTime", resolve: ({ receivedAt }) => receivedAt }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "DeviceEventConnection", type: event },
    { name: "DeviceEventEdge" },
  );
  builder.objectField("Device", "events", (t) =>
    t.field({
      type: connection,
      description: "What happened at the device, newest first; for agents, since it came into its present home.",
      args: pageArguments(builder),
      resolve: async (device, args, context) => {
        const page = parsePage(args, "device-events");
        const since = await sightOn(context, device);
        const rows =
          since === undefined
            ? []
            : await context.services.readings.eventsOf({
                deviceNumber: device.number,
                first: page.limit,
                before: cursorNumber(page)?.toString(),
              });
        const shown = since === undefined ? [] : rows.filter(({ receivedAt }) => receivedAt >= since);
        return toConnection(shown, { page, kind: "device-events", keysOf: ({ id }) => [id] });
      },
    }),
  );
}
