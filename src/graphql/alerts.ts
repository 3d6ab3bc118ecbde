import type { EnumRef } from "@pothos/core";
import { maySee, sightOf } from "../access/access.ts";
import { NotFound } from "../kernel/refusal.ts";
import { RULES, type Alert, type Rule } from "../telemetry/telemetry.ts";
import { pageArguments, type Builder, type BuilderTypes } from "./builder.ts";
import { act, type Command } from "./commands.ts";
import { cursorNumber, parsePage, toConnection } from "./connections.ts";
import { requireActor, type GraphqlContext } from "./context.ts";
import { areaAsked, OFFICE, parseNumber, sightOn } from "./device-access.ts";

/** Alerts: what the fleet's rules raised, and what people decide about it. Agents see those of their own area. */
export function defineAlerts(builder: Builder) {
  const rule = builder.enumType("AlertRule", { values: RULES });
  const state = builder.enumType("AlertState", {
    description:
      "rising: seen, but not for long enough to be told. Closed and acknowledged ones are cleared by their rule.",
    values: ["rising", "open", "acknowledged", "closed", "cleared"] as const,
  });
  const alert = defineType(builder, { rule, state });
  defineReading(builder, { rule, alert });
  defineDecisions(builder, alert);
  return { rule, state, alert };
}

export type AlertTypes = ReturnType<typeof defineAlerts>;
type AlertType = ReturnType<typeof defineType>;

function defineType(
  builder: Builder,
  { rule, state }: { rule: EnumRef<BuilderTypes, Rule>; state: EnumRef<BuilderTypes, Alert["state"]> },
) {
  const scope = builder.enumType("AlertScope", { values: ["device", "place", "area", "fleet"] as const });
  const clearedBy = builder.enumType("AlertClearedBy", {
    description:
      "rule: the value came back. left: the device is with no customer any more. split and absorbed: a group's end.",
    values: ["rule", "left", "split", "absorbed", "disabled"] as const,
  });
  const alert = builder.objectRef<Alert>("Alert");
  const connection = builder.connectionObject(
    { name: "AlertMemberConnection", type: alert },
    { name: "AlertMemberEdge" },
  );
  return alert.implement({
    description: "One trouble of one device, or of a group: a village that fell silent is one alert.",
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => id.toString() }),
      rule: t.field({ type: rule, resolve: (one) => one.rule }),
      scope: t.field({ type: scope, resolve: (one) => one.scope }),
      serial: t.string({ nullable: true, resolve: ({ serial }) => serial ?? null }),
      area: t.exposeString("area", { description: "Empty for the whole fleet." }),
      place: t.exposeString("place"),
      state: t.field({ type: state, resolve: (one) => one.state }),
      since: t.field({
        type: "DateTime",
        description: "First seen beyond the threshold.",
        resolve: ({ since }) => since,
      }),
      raisedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ raisedAt }) => raisedAt ?? null }),
      clearedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ clearedAt }) => clearedAt ?? null }),
      clearedBy: t.field({ type: clearedBy, nullable: true, resolve: (one) => one.clearedBy ?? null }),
      value: t.exposeFloat("value", {
        description: "In the rule's unit, as of the last change; of a group: how many devices are silent.",
      }),
      memberCount: t.int({ description: "Of a group: how many it ever held.", resolve: ({ members }) => members }),
      groupId: t.id({ nullable: true, resolve: ({ groupedInto }) => groupedInto?.toString() ?? null }),
      snoozedUntil: t.field({ type: "DateTime", nullable: true, resolve: (one) => one.snoozedUntil ?? null }),
      decidedBy: t.string({ nullable: true, resolve: ({ decidedBy }) => decidedBy ?? null }),
      decidedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ decidedAt }) => decidedAt ?? null }),
      reason: t.string({ nullable: true, resolve: ({ reason }) => reason ?? null }),
      device: t.loadable({
        type: "Device",
        nullable: true,
        load: async (numbers: number[], { services, db }) => {
          const found = await services.devices.findByNumbers(db, numbers);
          return numbers.map((number) => found.get(number) ?? null);
        },
        resolve: ({ device }) => device ?? null,
      }),
      members: t.field({
        type: connection,
        description: "The alerts that a group holds, newest first.",
        args: pageArguments(builder),
        resolve: async ({ id }, args, { services }) => {
          const page = parsePage(args, "alert-members");
          const rows = await services.alerts.members({ group: id, first: page.limit, before: cursorNumber(page) });
          return toConnection(rows, { page, kind: "alert-members", keysOf: (row) => [row.id.toString()] });
        },
      }),
      toldTo: t.stringList({
        nullable: true,
        authScopes: OFFICE,
        unauthorizedResolver: () => null,
        description: "Who was told by message; null for agents.",
        resolve: async ({ id }, _args, { services }) => [...((await services.alerts.toldTo([id])).get(id) ?? [])],
      }),
    }),
  });
}

function defineReading(
  builder: Builder,
  { rule, alert }: { rule: EnumRef<BuilderTypes, Rule>; alert: AlertType },
): void {
  const includes = builder.enumType("AlertsIncluded", {
    description: "shown: what waits for a person. all: everything that ever was.",
    values: ["shown", "all"] as const,
  });
  const connection = builder.connectionObject({ name: "AlertConnection", type: alert }, { name: "AlertEdge" });
  builder.queryField("alerts", (t) =>
    t.field({
      type: connection,
      description: "Newest first.",
      args: {
        ...pageArguments(builder),
        area: t.arg.string(),
        rule: t.arg({ type: rule }),
        includes: t.arg({ type: includes, defaultValue: "shown" }),
      },
      resolve: async (_root, { area, rule: asked, includes: which, ...args }, context) => {
        const page = parsePage(args, "alerts");
        const place = areaAsked(context, area);
        const rows =
          place === "elsewhere"
            ? []
            : await context.services.alerts.list({
                filter: { ...place, rule: asked ?? undefined, includes: which ?? undefined },
                first: page.limit,
                before: cursorNumber(page),
              });
        return toConnection(rows, { page, kind: "alerts", keysOf: ({ id }) => [id.toString()] });
      },
    }),
  );
  builder.queryField("alert", (t) =>
    t.field({
      type: alert,
      errors: {},
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, { id }, context) => {
        const found = await context.services.alerts.find(parseNumber(id, "alert"));
        if (found === undefined || !maySee(requireActor(context), found.area)) throw new NotFound("alert");
        return found;
      },
    }),
  );
  builder.objectField("Device", "alerts", (t) =>
    t.field({
      type: connection,
      description: "Of this device, newest first; for agents, those since it came into its present home.",
      args: { ...pageArguments(builder), includes: t.arg({ type: includes, defaultValue: "shown" }) },
      resolve: async (device, { includes: which, ...args }, context) => {
        const page = parsePage(args, "alerts");
        const since = await sightOn(context, device);
        const place = areaAsked(context, undefined);
        const rows =
          since === undefined || place === "elsewhere"
            ? []
            : await context.services.alerts.list({
                filter: { ...place, device: device.number, includes: which ?? undefined },
                first: page.limit,
                before: cursorNumber(page),
              });
        const shown = since === undefined ? [] : rows.filter((row) => row.since >= since);
        return toConnection(shown, { page, kind: "alerts", keysOf: ({ id }) => [id.toString()] });
      },
    }),
  );
}

type Decision = Parameters<GraphqlContext["services"]["alerts"]["acknowledge"]>[1];

/** Deciding twice is deciding once more, and moves nothing: no idempotency key is needed. */
function decide(
  context: GraphqlContext,
  { id, reason }: { id: string; reason: string },
  work: (tx: Command["tx"], decision: Decision) => Promise<Alert>,
): Promise<Alert> {
  const alertId = parseNumber(id, "alert");
  return act(context, ({ tx, staff, actor }) => {
    const sight = sightOf(staff);
    return work(tx, { alertId, reason, actor, area: sight.kind === "all" ? undefined : sight.area });
  });
}

function defineDecisions(builder: Builder, alert: AlertType): void {
  const acts = [
    {
      name: "acknowledgeAlert",
      act: "acknowledge",
      description:
        "Somebody takes care of it. It stays on the list until its rule clears it, and is told to nobody any more.",
    },
    {
      name: "closeAlert",
      act: "close",
      description: "Off the list for good: it does not come back before its rule has cleared it once.",
    },
  ] as const;
  for (const { name, act: decision, description } of acts) {
    builder.mutationField(name, (t) =>
      t.field({
        type: alert,
        errors: {},
        description,
        args: { id: t.arg.id({ required: true }), reason: t.arg.string({ required: true }) },
        resolve: (_root, args, context) =>
          decide(context, args, (tx, order) => context.services.alerts[decision](tx, order)),
      }),
    );
  }
  builder.mutationField("snoozeAlert", (t) =>
    t.field({
      type: alert,
      errors: {},
      description: "Off the list and untold until an instant, a quarter of an hour to 30 days ahead.",
      args: {
        id: t.arg.id({ required: true }),
        reason: t.arg.string({ required: true }),
        until: t.arg({ type: "DateTime", required: true }),
      },
      resolve: (_root, { until, ...args }, context) =>
        decide(context, args, (tx, order) => context.services.alerts.snooze(tx, { ...order, until })),
    }),
  );
}
