import type { ObjectRef } from "@pothos/core";
import { formatAccountNumber } from "../credit/credit.ts";
import { countryOf } from "../customers/customers.ts";
import type { IntentId } from "../kernel/ids.ts";
import { money } from "../kernel/money.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import { isAble, listSweeps, requestSweep, type Intent, type Reconciliation } from "../payments/payments.ts";
import { parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { actOnce, requireVisible } from "./commands.ts";
import type { GraphqlContext } from "./context.ts";
import { parseMinor } from "./plans.ts";

const OFFICE = { roles: ["admin", "operations"] as const };

/** What people ask of rails. Each act, its idempotency row and its audit row are one transaction. */
export function defineRailCommands(
  builder: Builder,
  { reconciliation }: { reconciliation: ObjectRef<BuilderTypes, Reconciliation> },
): void {
  defineRequest(builder);
  defineSweep(builder);
  defineReconcile(builder, reconciliation);
}

function defineRequest(builder: Builder): void {
  const asked = builder.objectRef<{ intent: Intent; isNew: boolean }>("RequestedPayment").implement({
    fields: (t) => ({
      intent: t.field({ type: "PaymentIntent", resolve: ({ intent }) => intent }),
      isNew: t.exposeBoolean("isNew", {
        description: "False: the same wish was open already, and nobody is prompted a second time.",
      }),
    }),
  });
  builder.mutationField("requestPayment", (t) =>
    t.field({
      type: asked,
      errors: {},
      description: "Asks a phone to pay for a contract. An agent asks for contracts of the agent's own area.",
      args: {
        contractId: t.arg.id({ required: true }),
        amountMinor: t.arg.string({ required: true, description: "In the contract's currency." }),
        phone: t.arg.string({ description: "Default: the customer's first." }),
        rail: t.arg.string({ description: "Default: the first that can ask this phone in the contract's currency." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { credit, customers, intents, rails } = context.services;
        const contractId = parseId<"Contract">(input.contractId, "contract");
        const amountMinor = parseMinor(input.amountMinor, "amountMinor");
        const { id, isNew } = await actOnce(
          context,
          { mutation: "requestPayment", key, input },
          async ({ tx, staff, actor, audit }) => {
            const contract = requireVisible(staff, await credit.find(tx, contractId), "contract");
            if (contract.state !== "active") throw new NotAllowedNow("This contract has ended: nothing is due on it.");
            const [first] = (await customers.find(tx, contract.customerId))?.phones ?? [];
            const rail = input.rail ?? undefined;
            const home = rails.get(rail ?? "")?.config.country ?? (first === undefined ? undefined : countryOf(first));
            const phone =
              input.phone === null || input.phone === undefined ? first : customers.parsePhone(input.phone, home);
            if (phone === undefined)
              throw new InvalidInput("This customer has no phone: say which one to ask.", "phone");
            const asking = await intents.request(tx, {
              rail,
              reference: formatAccountNumber(contract.accountNumber),
              phone,
              country: countryOf(phone) ?? "",
              amount: money(amountMinor, contract.currency),
              actor,
              through: staff.role === "agent" ? "agent" : "api",
            });
            const { intent } = asking;
            await audit({
              action: "payment.request",
              subjectKind: "contract",
              subjectId: contractId,
              detail: { intentId: intent.id, rail: intent.rail, amountMinor: input.amountMinor, isNew: asking.isNew },
            });
            return { id: intent.id, isNew: asking.isNew };
          },
        );
        return { intent: await readIntent(context, id), isNew };
      },
    }),
  );
}

async function readIntent({ services, db }: GraphqlContext, id: IntentId): Promise<Intent> {
  const intent = (await services.intents.find(db, [id])).get(id);
  if (intent === undefined) throw new Error(`Intent ${id} was made and is missing.`);
  return intent;
}

function defineSweep(builder: Builder): void {
  builder.mutationField("sweepRail", (t) =>
    t.field({
      type: "Sweep",
      errors: {},
      authScopes: OFFICE,
      description: "Makes the search through a provider's list due now; with `from` it begins again there.",
      args: {
        rail: t.arg.string({ required: true }),
        from: t.arg({ type: "DateTime" }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const open = context.services.rails.get(input.rail);
        if (open === undefined) throw new NotFound("rail", "rail");
        const { list } = open.rail;
        if (!isAble(list)) throw new NotAllowedNow(list.cannot);
        const now = context.clock.now();
        const from = input.from ?? undefined;
        if (from !== undefined && from > now) throw new InvalidInput("That time has not come yet.", "from");
        await actOnce(context, { mutation: "sweepRail", key, input }, async ({ tx, audit }) => {
          if (!(await requestSweep(tx, { rail: input.rail, from, now })))
            throw new NotAllowedNow("The first sweep of this rail has not begun yet; it is due by itself.");
          const detail = { from: from?.toISOString() ?? null };
          await audit({ action: "rail.sweep", subjectKind: "rail", subjectId: input.rail, detail });
          return { rail: input.rail };
        });
        const sweep = (await listSweeps(context.db)).find(({ rail }) => rail === input.rail);
        if (sweep === undefined) throw new Error(`The sweep of ${input.rail} is missing.`);
        return sweep;
      },
    }),
  );
}

function defineReconcile(builder: Builder, reconciliation: ObjectRef<BuilderTypes, Reconciliation>): void {
  const day = builder.objectRef<{ results: readonly Reconciliation[] }>("ReconciledDay").implement({
    fields: (t) => ({
      results: t.field({
        type: [reconciliation],
        description: "One a currency.",
        resolve: ({ results }) => [...results],
      }),
    }),
  });
  builder.mutationField("reconcileDay", (t) =>
    t.field({
      type: day,
      errors: {},
      authScopes: OFFICE,
      description: "Compares a day of a rail again: exceptions that have been explained meanwhile are closed.",
      args: {
        rail: t.arg.string({ required: true }),
        day: t.arg({ type: "LocalDate", required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { reconciliations } = context.services;
        const { rail, day: on } = input;
        await actOnce(context, { mutation: "reconcileDay", key, input }, async ({ tx, audit }) => {
          const results = await reconciliations.reconcileDay(tx, { rail, on });
          const states = results.map(({ state }) => state).join(", ");
          await audit({ action: "rail.reconcile", subjectKind: "rail", subjectId: rail, detail: { on, states } });
          return { rail, on };
        });
        return { results: await reconciliations.list(context.db, { rail, from: on, to: on, limit: 20 }) };
      },
    }),
  );
}
