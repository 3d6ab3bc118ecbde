import type { EnumRef } from "@pothos/core";
import { dayPriceMinor, type PlanVersion, type Terms } from "../credit/credit.ts";
import type { PlanId } from "../kernel/ids.ts";
import { AMOUNT_MINOR_MAX, money, type Currency } from "../kernel/money.ts";
import { parseRational } from "../kernel/rational.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Builder, BuilderTypes } from "./builder.ts";
import { act } from "./commands.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
const SECONDS = { hour: 3600, day: 86400 } as const;
type PricePer = keyof typeof SECONDS;

interface Plan {
  readonly id: PlanId;
  readonly code: string;
  readonly name: string;
  readonly versions: readonly PlanVersion[];
}

/** Price plans: their versions, and the two ways to change what is sold. */
export function definePlans(builder: Builder, { currency }: { currency: EnumRef<BuilderTypes, Currency> }): void {
  const pricePer = builder.enumType("PricePer", { values: ["hour", "day"] as const });
  builder.objectType("PlanVersion", {
    description: "What is promised to those who buy from effectiveAt on. A version never changes.",
    fields: (t) => ({
      id: t.exposeID("id"),
      code: t.exposeString("code"),
      name: t.exposeString("name"),
      version: t.exposeInt("version"),
      effectiveAt: t.expose("effectiveAt", { type: "DateTime" }),
      currency: t.field({ type: currency, resolve: (version) => version.currency }),
      deposit: t.field({
        type: "Money",
        resolve: ({ depositMinor, ...version }) => money(depositMinor, version.currency),
      }),
      depositBuysTime: t.exposeBoolean("depositBuysTime"),
      total: t.field({
        type: "Money",
        nullable: true,
        description: "Deposit included; null is rent without end.",
        resolve: ({ totalMinor, ...version }) => (totalMinor === null ? null : money(totalMinor, version.currency)),
      }),
      priceMinor: t.string({
        description: 'The exact price in minor units, as a fraction such as "10000/3" or a whole number.',
        resolve: ({ price }) =>
          price.denominator === 1n ? String(price.numerator) : `${price.numerator}/${price.denominator}`,
      }),
      pricePer: t.field({
        type: pricePer,
        resolve: ({ priceSeconds }) => (priceSeconds === SECONDS.hour ? "hour" : "day"),
      }),
      dayPrice: t.field({
        type: "Money",
        description: "The least whole amount that buys a day.",
        resolve: (version) => money(dayPriceMinor(version), version.currency),
      }),
      minimumPayment: t.field({
        type: "Money",
        resolve: (version) => money(version.minimumPaymentMinor, version.currency),
      }),
      freeSeconds: t.exposeInt("freeSeconds"),
      instalmentDays: t.exposeInt("instalmentDays"),
      graceDays: t.exposeInt("graceDays"),
    }),
  });
  defineReading(builder);
  defineCreation(builder, { currency, pricePer });
  definePriceChange(builder);
}

function defineReading(builder: Builder): void {
  const plan = builder.objectRef<Plan>("Plan").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      code: t.exposeString("code"),
      name: t.exposeString("name"),
      versions: t.field({
        type: ["PlanVersion"],
        description: "Oldest first.",
        resolve: ({ versions }) => [...versions],
      }),
      inForce: t.field({
        type: "PlanVersion",
        nullable: true,
        description: "Under which a sale would be made now.",
        resolve: ({ versions }, _args, { clock }) =>
          versions.findLast(({ effectiveAt }) => effectiveAt <= clock.now()) ?? null,
      }),
    }),
  });
  builder.queryField("plans", (t) =>
    t.field({
      type: [plan],
      resolve: async (_root, _args, { services, db }) => groupVersions(await services.credit.plans.list(db)),
    }),
  );
}

function groupVersions(versions: readonly PlanVersion[]): Plan[] {
  const groups = Map.groupBy(versions, ({ planId }) => planId);
  return [...groups].map(([id, group]) => {
    const sorted = group.toSorted((left, right) => left.version - right.version);
    const { code = "", name = "" } = sorted[0] ?? {};
    return { id, code, name, versions: sorted };
  });
}

function defineCreation(
  builder: Builder,
  { currency, pricePer }: { currency: EnumRef<BuilderTypes, Currency>; pricePer: EnumRef<BuilderTypes, PricePer> },
): void {
  const input = builder.inputType("CreatePlanInput", {
    fields: (t) => ({
      code: t.string({ required: true, description: "Short and stable, such as home-60." }),
      name: t.string({ required: true }),
      currency: t.field({ type: currency, required: true }),
      depositMinor: t.string({ required: true }),
      depositBuysTime: t.boolean({ required: true }),
      totalMinor: t.string({ description: "Deposit included; leave it out for rent without end." }),
      priceMinor: t.string({ required: true, description: "In minor units, exact: 565.4761905." }),
      pricePer: t.field({ type: pricePer, required: true }),
      minimumPaymentMinor: t.string({ required: true }),
      freeSeconds: t.int({ required: true }),
      instalmentDays: t.int({ required: true }),
      graceDays: t.int({ required: true }),
      effectiveAt: t.field({ type: "DateTime", description: "Now, when left out." }),
    }),
  });
  builder.mutationField("createPlan", (t) =>
    t.field({
      type: "PlanVersion",
      errors: {},
      authScopes: OFFICE,
      args: { input: t.arg({ type: input, required: true }) },
      resolve: (_root, { input: asked }, context) => {
        const terms: Terms = {
          currency: asked.currency,
          depositMinor: parseMinor(asked.depositMinor, "depositMinor"),
          depositBuysTime: asked.depositBuysTime,
          totalMinor: asked.totalMinor ? parseMinor(asked.totalMinor, "totalMinor") : null,
          price: parseRational(asked.priceMinor),
          priceSeconds: SECONDS[asked.pricePer],
          minimumPaymentMinor: parseMinor(asked.minimumPaymentMinor, "minimumPaymentMinor"),
          freeSeconds: asked.freeSeconds,
          instalmentDays: asked.instalmentDays,
          graceDays: asked.graceDays,
        };
        return act(context, async ({ tx, audit }) => {
          const { code, name, effectiveAt } = asked;
          const version = await context.services.credit.plans.create(tx, {
            code,
            name,
            terms,
            effectiveAt: effectiveAt ?? undefined,
          });
          await audit({ action: "plan.create", subjectKind: "plan", subjectId: version.planId, detail: { code } });
          return version;
        });
      },
    }),
  );
}

function definePriceChange(builder: Builder): void {
  builder.mutationField("changePlanPrice", (t) =>
    t.field({
      type: "PlanVersion",
      errors: {},
      authScopes: OFFICE,
      description: "Adds a version with another price for sales from effectiveAt on; contracts keep theirs.",
      args: {
        code: t.arg.string({ required: true }),
        priceMinor: t.arg.string({ required: true, description: "In minor units, exact, per the plan's hour or day." }),
        totalMinor: t.arg.string({ description: "When the whole price changes too. Deposit included." }),
        effectiveAt: t.arg({ type: "DateTime", required: true }),
      },
      resolve: (_root, { code, priceMinor, totalMinor, effectiveAt }, context) =>
        act(context, async ({ tx, audit }) => {
          const { plans } = context.services.credit;
          const latest = (await plans.list(tx))
            .filter((version) => version.code === code)
            .toSorted((a, b) => a.version - b.version)
            .at(-1);
          if (latest === undefined) throw new NotFound("plan", "code");
          const terms: Terms = {
            ...latest,
            price: parseRational(priceMinor),
            totalMinor: totalMinor ? parseMinor(totalMinor, "totalMinor") : latest.totalMinor,
          };
          const changed = await plans.change(tx, { code, terms, effectiveAt });
          if (changed.version !== latest.version + 1)
            throw new NotAllowedNow("Somebody changed this plan meanwhile. Look at it again.");
          const detail = { code, version: changed.version, priceMinor, effectiveAt: effectiveAt.toISOString() };
          await audit({ action: "plan.change_price", subjectKind: "plan", subjectId: changed.planId, detail });
          return changed;
        }),
    }),
  );
}

/** A whole number of minor units, as text; `signed` allows money to be taken back. */
export function parseMinor(text: string, field: string, { signed = false } = {}): bigint {
  const pattern = signed ? /^-?\d{1,15}$/ : /^\d{1,15}$/;
  if (!pattern.test(text)) throw new InvalidInput("An amount is a whole number of minor units, such as 5000.", field);
  const minor = BigInt(text);
  if (minor > AMOUNT_MINOR_MAX || minor < -AMOUNT_MINOR_MAX)
    throw new InvalidInput("This amount is larger than any that is moved here.", field);
  return minor;
}
