import type { EnumRef } from "@pothos/core";
import type { BulkAct, BulkLine, BulkOrder, BulkReport, DeviceState } from "../devices/devices.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import type { Builder, BuilderTypes } from "./builder.ts";
import { act } from "./commands.ts";
import { OFFICE } from "./device-access.ts";
import { requestOf, type DeviceCommandTypes, type GivenRequest } from "./device-commands.ts";

const KINDS = ["move", "place", "command", "issue_codes", "revoke"] as const;
/** What a page shows; the counts are of all lines. */
const LINES_SHOWN = 100;
const LINES_SHOWN_MAX = 500;
/** In characters: what fits the door's body limit. */
const CSV_CHARACTERS_MAX = 900_000;

interface GivenOrder {
  readonly csv?: string | null | undefined;
  readonly search?: string | null | undefined;
  readonly state?: DeviceState | null | undefined;
  readonly area?: string | null | undefined;
  readonly model?: string | null | undefined;
  readonly act: BulkAct["kind"];
  readonly to?: DeviceState | null | undefined;
  readonly command?: GivenRequest | null | undefined;
}

/** One act on many devices, decided line by line; the dry run says what would happen to each. */
export function defineDeviceBulk(
  builder: Builder,
  { state, requestInput }: { state: EnumRef<BuilderTypes, DeviceState> } & DeviceCommandTypes,
): void {
  const order = defineOrder(builder, { state, requestInput });
  const line = builder.objectRef<BulkLine>("BulkLine").implement({
    fields: (t) => ({
      line: t.exposeInt("line", {
        description: "Of the file, whose header is 1; of a filter, in the order of serials.",
      }),
      serial: t.exposeString("serial"),
      willDo: t.boolean({ resolve: ({ outcome }) => outcome === "do" }),
      text: t.exposeString("text"),
    }),
  });
  const report = builder.objectRef<BulkReport>("BulkReport").implement({
    fields: (t) => ({
      willDo: t.exposeInt("willDo"),
      refused: t.exposeInt("refused"),
      digest: t.exposeString("digest", {
        description: "Give it to the act: it happens only while this is still true.",
      }),
      lines: t.field({
        type: [line],
        description: "Refused ones first.",
        args: { limit: t.arg.int({ defaultValue: LINES_SHOWN }) },
        resolve: ({ lines }, { limit }) =>
          lines
            .toSorted((left, right) => Number(left.outcome === "do") - Number(right.outcome === "do"))
            .slice(0, Math.min(Math.max(limit ?? LINES_SHOWN, 1), LINES_SHOWN_MAX)),
      }),
    }),
  });
  const outcome = builder
    .objectRef<{ readonly bulkId: string; readonly done: number; readonly refused: number }>("BulkOutcome")
    .implement({
      fields: (t) => ({
        bulkId: t.exposeID("bulkId"),
        done: t.exposeInt("done"),
        refused: t.exposeInt("refused"),
      }),
    });
  builder.queryField("previewDeviceBulk", (t) =>
    t.field({
      type: report,
      errors: {},
      authScopes: OFFICE,
      description: "What the act would do, line by line. Changes nothing.",
      args: { order: t.arg({ type: order, required: true }) },
      resolve: (_root, args, { services, db }) => services.bulkActs.preview(db, orderOf(args.order)),
    }),
  );
  builder.mutationField("applyDeviceBulk", (t) =>
    t.field({
      type: outcome,
      errors: {},
      authScopes: OFFICE,
      description: "Does it for the good lines and leaves the others.",
      args: {
        order: t.arg({ type: order, required: true }),
        reason: t.arg.string({ required: true }),
        digest: t.arg.string({ description: "Of the dry run." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, reason, digest, ...args }, context) =>
        act(context, ({ tx, actor }) =>
          context.services.bulkActs.apply(tx, {
            ...orderOf(args.order),
            reason,
            actor,
            key,
            digest: digest ?? undefined,
          }),
        ),
    }),
  );
}

function defineOrder(
  builder: Builder,
  { state, requestInput }: { state: EnumRef<BuilderTypes, DeviceState> } & DeviceCommandTypes,
) {
  const kind = builder.enumType("BulkActKind", { values: KINDS });
  return builder.inputType("BulkOrderInput", {
    description: "Which devices, by a file or by a filter, and what happens to them.",
    fields: (t) => ({
      csv: t.string({
        description: "With the column Serial Number, and Area, Place, Latitude, Longitude to place by.",
      }),
      search: t.string({ description: "The start of a serial." }),
      state: t.field({ type: state }),
      area: t.string(),
      model: t.string(),
      act: t.field({ type: kind, required: true }),
      to: t.field({ type: state, description: "Of the act move." }),
      command: t.field({ type: requestInput, description: "Of the act command." }),
    }),
  });
}

function orderOf({ csv, search, state, area, model, ...what }: GivenOrder): BulkOrder {
  const filter = {
    search: search?.trim() || undefined,
    state: state ?? undefined,
    area: area ?? undefined,
    model: model ?? undefined,
  };
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  if (!csv === !isFiltered) throw new InvalidInput("Give a file or a filter.", "csv");
  if (csv && csv.length > CSV_CHARACTERS_MAX) throw new InvalidInput("Split the file.", "csv");
  return { selection: csv ? { csv } : { filter }, act: actOf(what) };
}

function actOf({ act: kind, to, command }: Pick<GivenOrder, "act" | "to" | "command">): BulkAct {
  if ((kind === "move") !== (to !== null && to !== undefined))
    throw new InvalidInput("The act move, and only that, says where to.", "to");
  if ((kind === "command") !== (command !== null && command !== undefined))
    throw new InvalidInput("The act command, and only that, has a command.", "command");
  if (to) return { kind: "move", to };
  if (command) return { kind: "command", request: requestOf(command) };
  return { kind: kind as "place" | "issue_codes" | "revoke" };
}
