import {
  COMMAND_STATES,
  type Command,
  type CommandChange,
  type CommandId,
  type CommandKind,
  type CommandRequest,
} from "../devices/devices.ts";
import { Forbidden, InvalidInput, NotFound } from "../kernel/refusal.ts";
import { pageArguments, parseId, type Builder } from "./builder.ts";
import { act, actOnce } from "./commands.ts";
import { cursorId, parsePage, toConnection } from "./connections.ts";
import { requireActor, type GraphqlContext } from "./context.ts";
import { requireDevice, requireDeviceToActOn, sightOn } from "./device-access.ts";

const ASKED_KINDS = ["set_days", "lock", "unlock", "fetch_data", "set_interval", "offer_firmware"] as const;
const ALL_KINDS = [...ASKED_KINDS, "deliver_tokens"] as const satisfies readonly CommandKind[];
/** What an agent may tell a device: nothing that gives or takes light, or changes what it runs. */
const AGENT_KINDS: readonly CommandKind[] = ["fetch_data", "set_interval"];

export interface GivenRequest {
  readonly kind: CommandRequest["kind"];
  readonly days?: number | null | undefined;
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
  readonly seconds?: number | null | undefined;
  readonly firmware?:
    | { readonly version: string; readonly url: string; readonly bytes: number; readonly sha256: string }
    | null
    | undefined;
}

/** What devices are told to do, and what became of it. Tokens that a command carries are the device's, and no field here. */
export function defineDeviceCommands(builder: Builder) {
  const command = defineTypes(builder);
  defineReading(builder, command);
  const requestInput = defineRequest(builder);
  builder.mutationField("sendDeviceCommand", (t) =>
    t.field({
      type: command,
      errors: {},
      description:
        "Queues a command for a device. The office may tell any; agents may fetch data and set the interval of devices in homes of their area.",
      args: {
        deviceId: t.arg.id({ required: true }),
        request: t.arg({ type: requestInput, required: true }),
        reason: t.arg.string({ required: true }),
        expiresAt: t.arg({ type: "DateTime", description: "Left out: some days, by its kind." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const device = await requireDeviceToActOn(context, { id: input.deviceId });
        if (requireActor(context).role === "agent" && !AGENT_KINDS.includes(input.request.kind)) throw new Forbidden();
        const request = requestOf(input.request);
        const { id } = await actOnce(context, { mutation: "sendDeviceCommand", key, input }, async ({ tx, actor }) => {
          const { reason, expiresAt } = input;
          const order = { deviceId: device.id, request, reason, actor, expiresAt: expiresAt ?? undefined };
          return { id: (await context.services.deviceCommands.ask(tx, order)).id };
        });
        return requireCommand(context, id);
      },
    }),
  );
  builder.mutationField("cancelDeviceCommand", (t) =>
    t.field({
      type: command,
      errors: {},
      description: "Takes a command back. Refused once a token in it may have reached the device.",
      args: { id: t.arg.id({ required: true }), reason: t.arg.string({ required: true }) },
      resolve: async (_root, { id, reason }, context) => {
        const found = await requireCommand(context, id);
        if (requireActor(context).role === "agent" && !AGENT_KINDS.includes(found.kind)) throw new Forbidden();
        return act(context, ({ tx, actor }) =>
          context.services.deviceCommands.cancel(tx, { commandId: found.id, reason, actor }),
        );
      },
    }),
  );
  return { requestInput };
}

export type DeviceCommandTypes = ReturnType<typeof defineDeviceCommands>;

/** The command, when the person may see the device's present home and it was told since; otherwise `NotFound`. */
async function requireCommand(context: GraphqlContext, id: string): Promise<Command> {
  const found = await context.services.deviceCommands.find(context.db, parseId<"Command">(id, "command"));
  if (found === undefined) throw new NotFound("command");
  const device = await requireDevice(context, { id: found.deviceId });
  const since = await sightOn(context, device);
  if (since === undefined || found.createdAt < since) throw new NotFound("command");
  return found;
}

function defineTypes(builder: Builder) {
  const kind = builder.enumType("DeviceCommandKind", { values: ALL_KINDS });
  const state = builder.enumType("DeviceCommandState", {
    description: "queued, sent and delivered are open; the others are ends.",
    values: COMMAND_STATES,
  });
  const change = builder.objectRef<CommandChange>("DeviceCommandChange").implement({
    fields: (t) => ({
      state: t.field({ type: state, resolve: (one) => one.state }),
      attempts: t.exposeInt("attempts"),
      detail: t.exposeString("detail", { nullable: true }),
      actor: t.exposeString("actor"),
      at: t.field({ type: "DateTime", resolve: ({ at }) => at }),
    }),
  });
  return builder.objectRef<Command>("DeviceCommand").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      serial: t.exposeString("serial"),
      kind: t.field({ type: kind, resolve: (one) => one.kind }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      detail: t.exposeString("detail", { nullable: true, description: "The device's words, or why it ended." }),
      body: t.string({
        description: "JSON of what the device is told, without tokens.",
        resolve: ({ body }) => JSON.stringify({ ...body, tokens: undefined }),
      }),
      tokenCount: t.exposeInt("tokenCount", { nullable: true, description: "Of the last token in it." }),
      cause: t.exposeString("cause", { nullable: true, description: "The receipt whose tokens it carries." }),
      reason: t.exposeString("reason"),
      actor: t.exposeString("actor"),
      bulkId: t.id({ nullable: true, resolve: ({ bulkId }) => bulkId }),
      attempts: t.exposeInt("attempts"),
      attemptsMax: t.exposeInt("attemptsMax"),
      createdAt: t.field({ type: "DateTime", resolve: ({ createdAt }) => createdAt }),
      expiresAt: t.field({ type: "DateTime", resolve: ({ expiresAt }) => expiresAt }),
      stateAt: t.field({ type: "DateTime", resolve: ({ stateAt }) => stateAt }),
      changes: t.field({
        type: [change],
        description: "What became of it, oldest first.",
        resolve: async ({ id }, _args, { services, db }) => [...(await services.deviceCommands.changesOf(db, id))],
      }),
    }),
  });
}

type CommandType = ReturnType<typeof defineTypes>;

function defineReading(builder: Builder, command: CommandType): void {
  const connection = builder.connectionObject(
    { name: "DeviceCommandConnection", type: command },
    { name: "DeviceCommandEdge" },
  );
  builder.objectField("Device", "commands", (t) =>
    t.field({
      type: connection,
      description: "Newest first; for agents, those since it came into its present home.",
      args: { ...pageArguments(builder), open: t.arg.boolean({ description: "Only open ones, or only ended ones." }) },
      resolve: async (device, { open, ...args }, context) => {
        const page = parsePage(args, "commands");
        const since = await sightOn(context, device);
        const rows =
          since === undefined
            ? []
            : await context.services.deviceCommands.list(
                context.db,
                { deviceId: device.id, open: open ?? undefined },
                { first: page.limit, after: cursorId<"Command">(page) },
              );
        const shown = since === undefined ? [] : rows.filter(({ createdAt }) => createdAt >= since);
        return toConnection(shown, { page, kind: "commands", keysOf: ({ id }) => [id] });
      },
    }),
  );
  builder.queryField("deviceCommand", (t) =>
    t.field({
      type: command,
      errors: {},
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, { id }, context) => requireCommand(context, id satisfies string as CommandId),
    }),
  );
}

function defineRequest(builder: Builder) {
  const kind = builder.enumType("DeviceCommandRequestKind", { values: ASKED_KINDS });
  const firmware = builder.inputType("FirmwareInput", {
    fields: (t) => ({
      version: t.string({ required: true }),
      url: t.string({ required: true, description: "https" }),
      bytes: t.int({ required: true }),
      sha256: t.string({ required: true, description: "64 lower-case hexadecimal digits." }),
    }),
  });
  return builder.inputType("DeviceCommandInput", {
    fields: (t) => ({
      kind: t.field({ type: kind, required: true }),
      days: t.int({ description: "Of set_days: whole days from when the device takes it." }),
      from: t.field({ type: "DateTime", description: "Of fetch_data; left out: all that was not acknowledged yet." }),
      to: t.field({ type: "DateTime", description: "Of fetch_data." }),
      seconds: t.int({ description: "Of set_interval: 10 seconds to 7 days." }),
      firmware: t.field({ type: firmware, description: "Of offer_firmware." }),
    }),
  });
}

const FIELDS_OF: Readonly<Record<CommandRequest["kind"], readonly (keyof GivenRequest)[]>> = {
  set_days: ["days"],
  lock: [],
  unlock: [],
  fetch_data: ["from", "to"],
  set_interval: ["seconds"],
  offer_firmware: ["firmware"],
};

const unixSeconds = (at: Date): number => Math.floor(at.getTime() / 1_000);

/** The request of an input. Throws `InvalidInput` for a field that its kind does not have, and for one that it needs. */
export function requestOf(given: GivenRequest): CommandRequest {
  const { kind, days, from, to, seconds, firmware } = given;
  for (const [name, value] of Object.entries({ days, from, to, seconds, firmware }))
    if (value !== null && value !== undefined && !FIELDS_OF[kind].includes(name as keyof GivenRequest))
      throw new InvalidInput(`A command ${kind} has no ${name}.`, name);
  switch (kind) {
    case "set_days":
      return { kind, days: needed(days, "days") };
    case "lock":
    case "unlock":
      return { kind };
    case "fetch_data":
      if (from && to && from >= to) throw new InvalidInput("The end must be later than the beginning.", "to");
      return { kind, ...(from ? { from: unixSeconds(from) } : {}), ...(to ? { to: unixSeconds(to) } : {}) };
    case "set_interval":
      return { kind, seconds: needed(seconds, "seconds") };
    case "offer_firmware":
      return { kind, ...needed(firmware, "firmware") };
  }
}

function needed<Value>(value: Value | null | undefined, name: string): Value {
  if (value === null || value === undefined) throw new InvalidInput(`This command needs ${name}.`, name);
  return value;
}
