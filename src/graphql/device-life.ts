import type { EnumRef } from "@pothos/core";
import type { DeviceState, Movement, Whereabouts } from "../devices/devices.ts";
import { NotFound } from "../kernel/refusal.ts";
import { pageArguments, parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { actOnce } from "./commands.ts";
import { cursorNumber, parsePage, toConnection } from "./connections.ts";
import type { GraphqlContext } from "./context.ts";
import { OFFICE } from "./device-access.ts";

/** Where devices are and have been, and what the office decides about that. */
export function defineDeviceLife(builder: Builder, { state }: { state: EnumRef<BuilderTypes, DeviceState> }): void {
  defineMovements(builder, state);
  const whereabouts = defineWhereaboutsInput(builder);
  builder.mutationField("moveDevice", (t) =>
    t.field({
      type: "Device",
      errors: {},
      authScopes: OFFICE,
      description: "Takes a device to another state of its life. Sales and swaps do so themselves.",
      args: {
        id: t.arg.id({ required: true }),
        to: t.arg({ type: state, required: true }),
        reason: t.arg.string({ required: true }),
        whereabouts: t.arg({ type: whereabouts, description: "Left out: where it was, or nowhere in particular." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const deviceId = parseId<"Device">(input.id, "device");
        await actOnce(context, { mutation: "moveDevice", key, input }, async ({ tx, actor }) => {
          const place = input.whereabouts ? whereaboutsOf(input.whereabouts) : undefined;
          const order = { deviceId, to: input.to, reason: input.reason, actor, whereabouts: place };
          await context.services.deviceLife.move(tx, order);
          return { deviceId };
        });
        return readDevice(context, deviceId);
      },
    }),
  );
  builder.mutationField("placeDevice", (t) =>
    t.field({
      type: "Device",
      errors: {},
      authScopes: OFFICE,
      description: "Says where a device is, without moving it in its life.",
      args: {
        id: t.arg.id({ required: true }),
        whereabouts: t.arg({ type: whereabouts, required: true }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const deviceId = parseId<"Device">(input.id, "device");
        await actOnce(context, { mutation: "placeDevice", key, input }, async ({ tx, actor }) => {
          const order = { deviceId, whereabouts: whereaboutsOf(input.whereabouts), reason: input.reason, actor };
          await context.services.deviceLife.place(tx, order);
          return { deviceId };
        });
        return readDevice(context, deviceId);
      },
    }),
  );
}

async function readDevice({ services, db }: GraphqlContext, id: Parameters<typeof services.devices.find>[1]) {
  const device = await services.devices.find(db, id);
  if (device === undefined) throw new NotFound("device");
  return device;
}

type GivenWhereabouts = { readonly [Name in keyof Whereabouts]?: Whereabouts[Name] | undefined };

/** What is left out is nowhere in particular. */
function whereaboutsOf({ area, place, latitude, longitude }: GivenWhereabouts): Whereabouts {
  return { area: area ?? null, place: place ?? null, latitude: latitude ?? null, longitude: longitude ?? null };
}

function defineWhereaboutsInput(builder: Builder) {
  return builder.inputType("WhereaboutsInput", {
    fields: (t) => ({
      area: t.string(),
      place: t.string(),
      latitude: t.float({ description: "Degrees, with a longitude." }),
      longitude: t.float(),
    }),
  });
}

function defineMovements(builder: Builder, state: EnumRef<BuilderTypes, DeviceState>): void {
  const where = builder.objectRef<Whereabouts>("Whereabouts").implement({
    description: "Where a device is, as far as somebody said so.",
    fields: (t) => ({
      area: t.exposeString("area", { nullable: true }),
      place: t.exposeString("place", { nullable: true }),
      latitude: t.exposeFloat("latitude", { nullable: true }),
      longitude: t.exposeFloat("longitude", { nullable: true }),
    }),
  });
  const movement = builder.objectRef<Movement>("DeviceMovement").implement({
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => id.toString() }),
      from: t.field({ type: state, resolve: ({ from }) => from }),
      to: t.field({ type: state, resolve: ({ to }) => to }),
      whereabouts: t.field({ type: where, description: "Since then.", resolve: (one) => one }),
      reason: t.exposeString("reason"),
      actor: t.exposeString("actor"),
      contractId: t.id({ nullable: true, resolve: ({ contractId }) => contractId }),
      bulkId: t.id({ nullable: true, resolve: ({ bulkId }) => bulkId }),
      at: t.field({ type: "DateTime", resolve: ({ at }) => at }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "DeviceMovementConnection", type: movement },
    { name: "DeviceMovementEdge" },
  );
  builder.objectFields("Device", (t) => ({
    installedAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When it came into its present home, or the last one it had.",
      resolve: ({ installedAt }) => installedAt,
    }),
    whereabouts: t.field({
      type: where,
      nullable: true,
      authScopes: OFFICE,
      unauthorizedResolver: () => null,
      description: "Null for agents, who see where their customers live.",
      resolve: (device) => device,
    }),
    movements: t.field({
      type: connection,
      nullable: true,
      authScopes: OFFICE,
      unauthorizedResolver: () => null,
      description: "Newest first, whoever had it; null for agents.",
      args: pageArguments(builder),
      resolve: async ({ id }, args, { services, db }) => {
        const page = parsePage(args, "movements");
        const rows = await services.deviceLife.movements(db, {
          deviceId: id,
          first: page.limit,
          before: cursorNumber(page),
        });
        return toConnection(rows, { page, kind: "movements", keysOf: (row) => [row.id.toString()] });
      },
    }),
  }));
}
