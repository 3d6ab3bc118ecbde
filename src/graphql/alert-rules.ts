import type { EnumRef } from "@pothos/core";
import type { Language } from "../kernel/language.ts";
import { actorOf } from "../access/access.ts";
import type { StaffId } from "../kernel/ids.ts";
import { NotFound } from "../kernel/refusal.ts";
import { SECOND_MS } from "../kernel/time.ts";
import type { AlertReader, Rule, RuleView } from "../telemetry/telemetry.ts";
import { parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { act } from "./commands.ts";
import type { GraphqlContext } from "./context.ts";
import { OFFICE } from "./device-access.ts";

type Expectation = Awaited<ReturnType<GraphqlContext["services"]["alerts"]["expectations"]>>[number];

/** When alerts are raised and cleared, what is expected of a model, and whom alerts are told by message. For the office. */
export function defineAlertRules(
  builder: Builder,
  { rule, language }: { rule: EnumRef<BuilderTypes, Rule>; language: EnumRef<BuilderTypes, Language> },
): void {
  defineRules(builder, rule);
  defineExpectations(builder);
  defineReaders(builder, language);
}

function defineRules(builder: Builder, rule: EnumRef<BuilderTypes, Rule>): void {
  const quantity = builder.enumType("BatteryRuleQuantity", { values: ["percent", "volts"] as const });
  const direction = builder.enumType("AlertDirection", { values: ["above", "below"] as const });
  const view = builder.objectRef<RuleView>("AlertRuleSettings").implement({
    fields: (t) => ({
      rule: t.field({ type: rule, resolve: (one) => one.rule }),
      model: t.exposeString("model", { description: "Empty: all models that have no settings of their own." }),
      direction: t.field({
        type: direction,
        description: "On which side of the threshold the trouble lies.",
        resolve: (one) => one.direction,
      }),
      unit: t.exposeString("unit", { description: "Of the thresholds and of an alert's value." }),
      enabled: t.boolean({ resolve: ({ settings }) => settings.enabled }),
      quantity: t.field({ type: quantity, nullable: true, resolve: ({ settings }) => settings.quantity ?? null }),
      raiseAt: t.float({ resolve: ({ settings }) => settings.raiseAt }),
      clearAt: t.float({ resolve: ({ settings }) => settings.clearAt }),
      raiseAfterSeconds: t.int({ resolve: ({ settings }) => settings.raiseAfterMs / SECOND_MS }),
      clearAfterSeconds: t.int({ resolve: ({ settings }) => settings.clearAfterMs / SECOND_MS }),
      urgent: t.boolean({ description: "Told at night too.", resolve: ({ settings }) => settings.urgent }),
      told: t.boolean({
        description: "By message; the screen shows every alert.",
        resolve: ({ settings }) => settings.told,
      }),
      changedBy: t.string({
        nullable: true,
        description: "Null while it has the program's defaults.",
        resolve: ({ changedBy }) => changedBy ?? null,
      }),
      changedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ changedAt }) => changedAt ?? null }),
    }),
  });
  builder.queryField("alertRules", (t) =>
    t.field({
      type: [view],
      authScopes: OFFICE,
      resolve: async (_root, _args, { services }) => [...(await services.alerts.rules())],
    }),
  );
  const input = builder.inputType("AlertRuleInput", {
    fields: (t) => ({
      rule: t.field({ type: rule, required: true }),
      model: t.string({ defaultValue: "", description: "Left out: all models that have no settings of their own." }),
      enabled: t.boolean({ required: true }),
      quantity: t.field({ type: quantity, description: "Of the battery rules, and only of these." }),
      raiseAt: t.float({ required: true }),
      clearAt: t.float({ required: true, description: "On the good side of raiseAt, so that an alert does not flap." }),
      raiseAfterSeconds: t.int({ required: true, description: "How long the trouble lasts before it is raised." }),
      clearAfterSeconds: t.int({ required: true }),
      urgent: t.boolean({ required: true }),
      told: t.boolean({ required: true }),
    }),
  });
  builder.mutationField("setAlertRule", (t) =>
    t.field({
      type: view,
      errors: {},
      authScopes: OFFICE,
      args: { input: t.arg({ type: input, required: true }) },
      resolve: async (_root, { input: given }, context) => {
        const { rule: name, model, raiseAfterSeconds, clearAfterSeconds, quantity: counted, ...rest } = given;
        const settings = {
          ...rest,
          quantity: counted ?? undefined,
          raiseAfterMs: raiseAfterSeconds * SECOND_MS,
          clearAfterMs: clearAfterSeconds * SECOND_MS,
        };
        await act(context, ({ tx, actor }) =>
          context.services.alerts.setRule(tx, { rule: name, model: model ?? "", settings, actor }),
        );
        const rules = await context.services.alerts.rules();
        const found = rules.find((one) => one.rule === name && one.model === (model ?? "").trim());
        if (found === undefined) throw new Error(`Rule ${name} was set and is missing.`);
        return found;
      },
    }),
  );
}

function defineExpectations(builder: Builder): void {
  const expectation = builder.objectRef<Expectation>("ModelExpectation").implement({
    description: "What is expected of the devices of a model.",
    fields: (t) => ({
      model: t.exposeString("model"),
      intervalSeconds: t.int({
        nullable: true,
        description: "How often they report where they do not say.",
        resolve: (one) => one.intervalSeconds ?? null,
      }),
      firmwareMinimum: t.string({ nullable: true, resolve: (one) => one.firmwareMinimum ?? null }),
    }),
  });
  builder.queryField("modelExpectations", (t) =>
    t.field({
      type: [expectation],
      authScopes: OFFICE,
      resolve: async (_root, _args, { services }) => [...(await services.alerts.expectations())],
    }),
  );
  builder.mutationField("setModelExpectation", (t) =>
    t.field({
      type: expectation,
      errors: {},
      authScopes: OFFICE,
      args: {
        model: t.arg.string({ required: true }),
        intervalSeconds: t.arg.int({ description: "60 seconds to 7 days; left out: unknown." }),
        firmwareMinimum: t.arg.string({ description: "An older one is worth an alert." }),
      },
      resolve: (_root, { model, intervalSeconds, firmwareMinimum }, context) => {
        const change = {
          model: model.trim(),
          intervalSeconds: intervalSeconds ?? undefined,
          firmwareMinimum: firmwareMinimum?.trim(),
        };
        return act(context, async ({ tx, actor }) => {
          await context.services.alerts.setExpectation(tx, { ...change, actor });
          return change;
        });
      },
    }),
  );
}

function defineReaders(builder: Builder, language: EnumRef<BuilderTypes, Language>): void {
  const reader = builder.objectRef<AlertReader>("AlertReader").implement({
    description: "Whom alerts are told by message.",
    fields: (t) => ({
      staffId: t.id({ resolve: ({ actor }) => actor.replace(/^staff:/, "") }),
      phone: t.exposeString("phone"),
      language: t.field({ type: language, resolve: (one) => one.language }),
      area: t.string({ nullable: true, description: "Null: everywhere.", resolve: ({ area }) => area ?? null }),
      zone: t.exposeString("zone", { description: "Whose night is quiet." }),
      messagesADayMax: t.exposeInt("messagesADayMax"),
      since: t.field({
        type: "DateTime",
        description: "Alerts raised before are not told.",
        resolve: (one) => one.since,
      }),
    }),
  });
  builder.queryField("alertReaders", (t) =>
    t.field({
      type: [reader],
      authScopes: OFFICE,
      resolve: async (_root, _args, { services }) => [...(await services.alerts.readers())],
    }),
  );
  builder.mutationField("setAlertReader", (t) =>
    t.field({
      type: reader,
      errors: {},
      authScopes: OFFICE,
      description: "Tells alerts to a member of staff by message from now on. An agent hears of their own area.",
      args: {
        staffId: t.arg.id({ required: true }),
        phone: t.arg.string({ required: true }),
        area: t.arg.string({ description: "Left out: everywhere, or an agent's own." }),
        zone: t.arg.string({ required: true, description: "Such as Africa/Nairobi." }),
        messagesADayMax: t.arg.int({ defaultValue: 10 }),
      },
      resolve: async (_root, { staffId, phone, area, zone, messagesADayMax }, context) => {
        const staff = await requireStaff(context, staffId);
        const change = {
          actor: actorOf(staff),
          phone: phone.trim(),
          language: staff.language,
          // What a message tells is what its reader may see.
          area: staff.role === "agent" ? (staff.area ?? undefined) : (area ?? undefined),
          zone,
          messagesADayMax: messagesADayMax ?? 10,
        };
        await act(context, ({ tx, actor }) => context.services.alerts.setReader(tx, { ...change, changedBy: actor }));
        const found = (await context.services.alerts.readers()).find(({ actor }) => actor === change.actor);
        if (found === undefined) throw new Error(`Reader ${change.actor} was set and is missing.`);
        return found;
      },
    }),
  );
  const removed = builder.objectRef<{ readonly staffId: StaffId }>("RemovedAlertReader").implement({
    fields: (t) => ({ staffId: t.exposeID("staffId") }),
  });
  builder.mutationField("removeAlertReader", (t) =>
    t.field({
      type: removed,
      errors: {},
      authScopes: OFFICE,
      args: { staffId: t.arg.id({ required: true }) },
      resolve: (_root, args, context) => {
        const staffId = parseId<"Staff">(args.staffId, "member of staff");
        return act(context, async ({ tx, actor }) => {
          const order = { reader: actorOf({ id: staffId }), changedBy: actor };
          await context.services.alerts.removeReader(tx, order);
          return { staffId };
        });
      },
    }),
  );
}

async function requireStaff({ services }: GraphqlContext, id: string) {
  const [staff] = await services.access.findStaff([parseId<"Staff">(id, "member of staff")]);
  if (staff === undefined || staff.disabledAt !== null) throw new NotFound("member of staff", "staffId");
  return staff;
}
