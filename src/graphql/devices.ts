import type { EnumRef } from "@pothos/core";
import { sightOf } from "../access/access.ts";
import { DEVICE_STATES, type DeviceState, type ImportReport, type LineRefusal } from "../devices/devices.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { pageArguments, type Builder, type BuilderTypes } from "./builder.ts";
import { act } from "./commands.ts";
import { cursorId, parsePage, toConnection } from "./connections.ts";
import { requireActor } from "./context.ts";
import { requireDevice } from "./device-access.ts";

const TOKENS_SHOWN_MAX = 100;
/** In characters: what fits the door's body limit, with room for the rest of the request. */
const CSV_CHARACTERS_MAX = 1_000_000;

/** Lamps and their tokens. A device's key and starting code are no fields here, and no face gives them. */
export function defineDevices(builder: Builder) {
  const state = builder.enumType("DeviceState", { values: DEVICE_STATES });
  const kind = builder.enumType("TokenKind", { values: ["add", "set", "disable", "sync"] as const });
  builder.objectType("Token", {
    fields: (t) => ({
      id: t.exposeID("id"),
      count: t.exposeInt("count", { description: "The device's counter after this token." }),
      kind: t.field({ type: kind, resolve: (token) => token.kind }),
      units: t.exposeInt("units", {
        description: "Of the device's time divider per day; 0 for kinds that carry no time.",
      }),
      digits: t.exposeString("digits", { description: "What the customer types." }),
      cause: t.exposeString("cause", { description: "The receipt or command that it answers." }),
      part: t.exposeInt("part"),
      issuedAt: t.expose("issuedAt", { type: "DateTime" }),
    }),
  });
  builder.objectType("Device", {
    fields: (t) => ({
      id: t.exposeID("id"),
      serial: t.exposeString("serial"),
      model: t.exposeString("model"),
      hardwareVersion: t.exposeString("hardwareVersion", { nullable: true }),
      state: t.field({ type: state, resolve: (device) => device.state }),
      tokenCount: t.int({ description: "The counter of the last token issued.", resolve: ({ count }) => count }),
      timeDivider: t.exposeInt("timeDivider", { description: "Token units per day." }),
      restrictedDigits: t.exposeBoolean("restrictedDigits"),
      importedAt: t.expose("importedAt", { type: "DateTime" }),
      tokens: t.field({
        type: ["Token"],
        nullable: true,
        unauthorizedResolver: () => null,
        authScopes: { roles: ["admin", "operations"] },
        args: { limit: t.arg.int({ defaultValue: 10 }) },
        description:
          "Newest first, whoever the device was sold to; null for agents, who see the tokens of their contracts.",
        resolve: async ({ id }, { limit }, { services, db }) => [
          ...(await services.devices.tokensOf(db, {
            deviceId: id,
            limit: Math.min(Math.max(limit ?? 10, 1), TOKENS_SHOWN_MAX),
          })),
        ],
      }),
    }),
  });
  defineReading(builder, state);
  defineImport(builder);
  return { state };
}

function defineReading(builder: Builder, state: EnumRef<BuilderTypes, DeviceState>): void {
  const connection = builder.connectionObject({ name: "DeviceConnection", type: "Device" }, { name: "DeviceEdge" });
  builder.queryField("device", (t) =>
    t.field({
      type: "Device",
      errors: {},
      args: { id: t.arg.id(), serial: t.arg.string() },
      resolve: (_root, name, context) => requireDevice(context, name),
    }),
  );
  builder.queryField("devices", (t) =>
    t.field({
      type: connection,
      description: "An agent is shown what is in stock; sold devices are reached through their contracts.",
      args: {
        ...pageArguments(builder),
        search: t.arg.string({ description: "The start of a serial." }),
        state: t.arg({ type: state }),
      },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "devices");
        const limited = sightOf(requireActor(context)).kind === "area";
        const asked = args.state ?? undefined;
        const hidden = limited && asked !== undefined && asked !== "stock";
        const rows = hidden
          ? []
          : await context.services.devices.list(
              context.db,
              { search: args.search?.trim() || undefined, state: limited ? "stock" : asked },
              { first: page.limit, after: cursorId<"Device">(page) },
            );
        return toConnection(rows, { page, kind: "devices", keysOf: ({ id }) => [id] });
      },
    }),
  );
}

function defineImport(builder: Builder): void {
  const refusal = builder.objectRef<LineRefusal>("RefusedLine").implement({
    fields: (t) => ({
      line: t.exposeInt("line", { description: "The header is line 1." }),
      reason: t.exposeString("reason"),
    }),
  });
  const report = builder.objectRef<ImportReport>("ImportReport").implement({
    fields: (t) => ({
      added: t.exposeInt("added"),
      existing: t.stringList({
        description: "Serials that were there before and were left as they are.",
        resolve: ({ existing }) => [...existing],
      }),
      refused: t.field({ type: [refusal], resolve: ({ refused }) => [...refused] }),
    }),
  });
  builder.mutationField("importDevices", (t) =>
    t.field({
      type: report,
      errors: {},
      authScopes: { roles: ["admin", "operations"] },
      description:
        "Takes the text of a device exchange CSV. The columns Battery Chemistry (lead_acid, lfp or li_ion), Battery Ah and Battery Cells say what battery a device has. Doing it twice changes nothing.",
      args: { csv: t.arg.string({ required: true }) },
      resolve: (_root, { csv }, context) => {
        if (csv.length > CSV_CHARACTERS_MAX)
          throw new InvalidInput("Split the file: at most a million characters at once.", "csv");
        return act(context, async ({ tx, audit }) => {
          const done = await context.services.devices.importCsv(tx, csv);
          const detail = { added: done.added, existing: done.existing.length, refused: done.refused.length };
          await audit({ action: "devices.import", subjectKind: "devices", subjectId: "import", detail });
          return done;
        });
      },
    }),
  );
}
