import { InvalidInput, NotFound } from "../kernel/refusal.ts";
import type { QuarantinedFrame } from "../telemetry/telemetry.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { act } from "./commands.ts";
import { cursorNumber, parsePage, toConnection } from "./connections.ts";
import { OFFICE, parseNumber, requireDevice } from "./device-access.ts";

const REASONS = [
  "too_large",
  "not_readable",
  "wrong_schema",
  "unknown_device",
  "foreign_serial",
  "unknown_format",
  "not_signed",
  "signature_invalid",
  "replayed",
  "clock_off",
  "too_many_rows",
  "unknown_topic",
] as const satisfies readonly QuarantinedFrame["reason"][];

/** Frames that were set aside: what came, from whom, and why it was not taken. For the office. */
export function defineQuarantine(builder: Builder): void {
  const reason = builder.enumType("QuarantineReason", { values: REASONS });
  const frame = builder.objectRef<QuarantinedFrame>("QuarantinedFrame").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      serial: t.exposeString("serial", { nullable: true, description: "As it was claimed; nobody vouches for it." }),
      topic: t.exposeString("topic"),
      reason: t.field({ type: reason, resolve: (one) => one.reason }),
      detail: t.exposeString("detail", { description: "What is wrong, and what would be right." }),
      source: t.exposeString("source", { description: "The address, or the client's name at the broker." }),
      bytes: t.exposeInt("bytes", { description: "How many came." }),
      receivedAt: t.field({ type: "DateTime", resolve: ({ receivedAt }) => receivedAt }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "QuarantinedFrameConnection", type: frame },
    { name: "QuarantinedFrameEdge" },
  );
  builder.queryField("quarantinedFrames", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Newest first.",
      args: { ...pageArguments(builder), serial: t.arg.string(), reason: t.arg({ type: reason }) },
      resolve: async (_root, { serial, reason: asked, ...args }, { services }) => {
        const page = parsePage(args, "quarantined-frames");
        const rows = await services.readings.quarantine({
          serial: serial?.trim() || undefined,
          reason: asked ?? undefined,
          first: page.limit,
          before: cursorNumber(page)?.toString(),
        });
        return toConnection(rows, { page, kind: "quarantined-frames", keysOf: ({ id }) => [id] });
      },
    }),
  );
  const bytes = builder.objectRef<{ readonly base64: string }>("FrameBytes").implement({
    fields: (t) => ({ base64: t.exposeString("base64", { description: "The first 64 KB at most." }) }),
  });
  builder.queryField("quarantinedBytes", (t) =>
    t.field({
      type: bytes,
      errors: {},
      authScopes: OFFICE,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, { id }, { services }) => {
        const raw = await services.readings.quarantinedBytes(parseNumber(id, "frame").toString());
        if (raw === undefined) throw new NotFound("frame");
        return { base64: Buffer.from(raw).toString("base64") };
      },
    }),
  );
  builder.mutationField("resetReplayGuard", (t) =>
    t.field({
      type: "Device",
      errors: {},
      authScopes: OFFICE,
      description:
        "Lets a device count anew whose clock or counter was set back: its next signed frame is fresh, whatever it counts.",
      args: { deviceId: t.arg.id({ required: true }), reason: t.arg.string({ required: true }) },
      resolve: async (_root, { deviceId, reason: given }, context) => {
        const device = await requireDevice(context, { id: deviceId });
        const why = given.trim();
        if (why === "" || why.length > 500) throw new InvalidInput("Give a reason of 1 to 500 characters.", "reason");
        await act(context, async ({ tx, audit }) => {
          if (!(await context.services.readings.resetReplayGuard(tx, device.number)))
            throw new NotFound("report of this device", "deviceId");
          const detail = { reason: why };
          await audit({ action: "device.reset_replay_guard", subjectKind: "device", subjectId: device.id, detail });
        });
        return device;
      },
    }),
  );
}
