import type { EnumRef } from "@pothos/core";
import type { Language } from "../kernel/language.ts";
import { maySee, sightOf } from "../access/access.ts";
import { parseAccountNumber } from "../credit/credit.ts";
import type { Customer } from "../customers/customers.ts";
import { Forbidden } from "../kernel/refusal.ts";
import { pageArguments, parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { actOnce, requireVisible } from "./commands.ts";
import { cursorId, parsePage, toConnection } from "./connections.ts";
import { requireActor, type GraphqlContext } from "./context.ts";

const SEARCH_CHARACTERS_MAX = 100;
const CONTRACTS_SHOWN_MAX = 20;

/** People: who they are, how they are found, and their registration. */
export function defineCustomers(builder: Builder, { language }: { language: EnumRef<BuilderTypes, Language> }): void {
  builder.objectType("Customer", {
    fields: (t) => ({
      id: t.exposeID("id"),
      name: t.exposeString("name"),
      language: t.field({ type: language, resolve: (customer) => customer.language }),
      area: t.exposeString("area"),
      place: t.exposeString("place", { nullable: true }),
      latitude: t.exposeFloat("latitude", { nullable: true }),
      longitude: t.exposeFloat("longitude", { nullable: true }),
      phones: t.stringList({ description: "Messages go to the first.", resolve: ({ phones }) => [...phones] }),
      serviceConsentAt: t.expose("serviceConsentAt", { type: "DateTime", nullable: true }),
      marketingConsentAt: t.expose("marketingConsentAt", { type: "DateTime", nullable: true }),
      registeredAt: t.expose("registeredAt", { type: "DateTime" }),
      contracts: t.field({
        type: ["Contract"],
        description: `The first ${CONTRACTS_SHOWN_MAX} that you may see, oldest first.`,
        resolve: async ({ id: customerId }, _args, context) => {
          const sight = sightOf(requireActor(context));
          const filter = { customerId, area: sight.kind === "area" ? sight.area : undefined };
          return [...(await context.services.credit.list(context.db, filter, { first: CONTRACTS_SHOWN_MAX }))];
        },
      }),
    }),
  });
  defineReading(builder);
  defineRegistration(builder, language);
}

function defineReading(builder: Builder): void {
  const connection = builder.connectionObject(
    { name: "CustomerConnection", type: "Customer" },
    { name: "CustomerEdge" },
  );
  builder.queryField("customer", (t) =>
    t.field({
      type: "Customer",
      errors: {},
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, { id }, context) => {
        const found = await context.services.customers.find(context.db, parseId<"Customer">(id, "customer"));
        return requireVisible(requireActor(context), found, "customer");
      },
    }),
  );
  builder.queryField("customers", (t) =>
    t.field({
      type: connection,
      args: {
        ...pageArguments(builder),
        search: t.arg.string({ description: "The start of a name, a phone number in any form, or an account number." }),
        area: t.arg.string(),
      },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "customers");
        const rows = await findCustomers(context, { search: args.search?.trim(), area: args.area ?? undefined }, page);
        return toConnection(rows, { page, kind: "customers", keysOf: ({ id }) => [id] });
      },
    }),
  );
}

/** An agent's search stays in the agent's own area, whatever area was asked for. */
async function findCustomers(
  context: GraphqlContext,
  { search, area }: { search: string | undefined; area: string | undefined },
  page: ReturnType<typeof parsePage>,
): Promise<readonly Customer[]> {
  const staff = requireActor(context);
  const { services, db } = context;
  const sight = sightOf(staff);
  if (sight.kind === "area" && area !== undefined && area !== sight.area) return [];
  const text = search === "" ? undefined : search?.slice(0, SEARCH_CHARACTERS_MAX);
  const filter = { search: text, area: sight.kind === "area" ? sight.area : area };
  const after = cursorId<"Customer">(page);
  const found = await services.customers.list(db, filter, { first: page.limit, after });
  if (found.length > 0 || text === undefined || after !== undefined) return found;
  const number = parseAccountNumber(text);
  const contract = number === undefined ? undefined : await services.credit.findByAccountNumber(db, number);
  if (contract === undefined || !maySee(staff, contract.area)) return [];
  const customer = await services.customers.find(db, contract.customerId);
  return customer === undefined || (filter.area !== undefined && customer.area !== filter.area) ? [] : [customer];
}

function defineRegistration(builder: Builder, language: EnumRef<BuilderTypes, Language>): void {
  const input = builder.inputType("RegisterCustomerInput", {
    fields: (t) => ({
      name: t.string({ required: true }),
      language: t.field({ type: language, required: true }),
      area: t.string({ required: true, description: "An agent registers in the agent's own area." }),
      place: t.string(),
      latitude: t.float(),
      longitude: t.float(),
      phones: t.stringList({ required: true }),
      country: t.string({
        description: "Where phones without prefix are from, such as UG; the operator's own country when left out.",
      }),
      serviceConsent: t.boolean({ required: true, description: "To messages about the customer's own system." }),
      marketingConsent: t.boolean({ required: true }),
    }),
  });
  builder.mutationField("registerCustomer", (t) =>
    t.field({
      type: "Customer",
      errors: {},
      args: { input: t.arg({ type: input, required: true }), idempotencyKey: t.arg.string({ required: true }) },
      resolve: async (_root, { input: asked, idempotencyKey: key }, context) => {
        const { customers } = context.services;
        const { place, latitude, longitude, country, ...rest } = asked;
        const { id } = await actOnce(
          context,
          { mutation: "registerCustomer", key, input: asked },
          async ({ tx, staff, actor, audit }) => {
            if (!maySee(staff, asked.area.trim()))
              throw new Forbidden("You may register customers in your own area only.");
            const customer = await customers.register(tx, {
              ...rest,
              place: place ?? undefined,
              country: country ?? undefined,
              latitude: latitude ?? undefined,
              longitude: longitude ?? undefined,
              actor,
            });
            await audit({
              action: "customer.register",
              subjectKind: "customer",
              subjectId: customer.id,
              detail: { area: customer.area },
            });
            return { id: customer.id };
          },
        );
        return customers.require(context.db, id);
      },
    }),
  );
}
