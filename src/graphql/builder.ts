import SchemaBuilder from "@pothos/core";
import DataloaderPlugin from "@pothos/plugin-dataloader";
import ErrorsPlugin from "@pothos/plugin-errors";
import RelayPlugin from "@pothos/plugin-relay";
import ScopeAuthPlugin from "@pothos/plugin-scope-auth";
import { DateTimeResolver } from "graphql-scalars";
import { NotSignedIn, WrongCredentials, type Role, type Staff } from "../access/access.ts";
import type { Contract, PlanVersion } from "../credit/credit.ts";
import type { Customer } from "../customers/customers.ts";
import type { Device, Token } from "../devices/devices.ts";
import { looksLikeId, type Id } from "../kernel/ids.ts";
import type { Currency, Money } from "../kernel/money.ts";
import {
  Forbidden,
  IdempotencyConflict,
  InvalidInput,
  NotAllowedNow,
  NotFound,
  Refusal,
  TooMany,
} from "../kernel/refusal.ts";
import { parseLocalDate, type LocalDate } from "../kernel/time.ts";
import type { Exception, Intent, Payout, StoredReceipt, SuspenseItem, Sweep } from "../payments/payments.ts";
import type { GraphqlContext } from "./context.ts";
import { PAGE_DEFAULT, PAGE_MAX } from "./connections.ts";

interface Types {
  Context: GraphqlContext;
  DefaultFieldNullability: false;
  AuthScopes: { signedIn: boolean; roles: readonly Role[] };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    LocalDate: { Input: LocalDate; Output: string };
  };
  Objects: {
    Money: Money;
    Staff: Staff;
    Customer: Customer;
    Device: Device;
    Token: Token;
    Receipt: StoredReceipt;
    SuspenseItem: SuspenseItem;
    PaymentIntent: Intent;
    Payout: Payout;
    ReconciliationException: Exception;
    Sweep: Sweep;
    PlanVersion: PlanVersion;
    Contract: Contract;
  };
}

/** Refusals that any field may end in. One that is not named here reaches the client as `OtherRefusal`, with its code. */
const COMMON_REFUSALS = { NotFound, InvalidInput, NotAllowedNow, Forbidden, NotSignedIn, IdempotencyConflict } as const;

const CURRENCIES: Readonly<Record<Currency, { description: string }>> = {
  KES: { description: "Kenyan shilling, 2 decimals" },
  UGX: { description: "Ugandan shilling, no decimals" },
  TZS: { description: "Tanzanian shilling, 2 decimals" },
  RWF: { description: "Rwandan franc, no decimals" },
  NGN: { description: "Nigerian naira, 2 decimals" },
  GHS: { description: "Ghanaian cedi, 2 decimals" },
  ZMW: { description: "Zambian kwacha, 2 decimals" },
  MWK: { description: "Malawian kwacha, 2 decimals" },
  ETB: { description: "Ethiopian birr, 2 decimals" },
  XOF: { description: "West African franc, no decimals" },
  XAF: { description: "Central African franc, no decimals" },
  SLE: { description: "Sierra Leonean leone, 2 decimals" },
  MZN: { description: "Mozambican metical, 2 decimals" },
  CDF: { description: "Congolese franc, 2 decimals" },
  BIF: { description: "Burundian franc, no decimals" },
  USD: { description: "United States dollar, 2 decimals" },
  EUR: { description: "Euro, 2 decimals" },
};

/** The schema builder with scalars, money, refusals and scopes; modules add their own types to it. */
export function makeBuilder() {
  const builder = new SchemaBuilder<Types>({
    // The first plugin wraps the others: refusals thrown by a scope become union members too.
    plugins: [ErrorsPlugin, ScopeAuthPlugin, RelayPlugin, DataloaderPlugin],
    defaultFieldNullability: false,
    scopeAuth: {
      // A stream is refused before it opens, not at its first event.
      authorizeOnSubscribe: true,
      authScopes: (context) => ({
        signedIn: context.actor !== null,
        roles: (roles) => context.actor !== null && roles.includes(context.actor.role),
      }),
      unauthorizedError: (_parent, context) => (context.actor === null ? new NotSignedIn() : new Forbidden()),
    },
    errors: {
      // An abstract class is as good as another for `instanceof`, which is all that the plugin does with it.
      defaultTypes: [...Object.values(COMMON_REFUSALS), TooMany, Refusal as unknown as new () => Refusal],
      directResult: true,
      defaultUnionOptions: { name: ({ fieldName }) => `${capital(fieldName)}Result` },
    },
    relay: { nodeQueryOptions: false, nodesQueryOptions: false, cursorType: "String" },
  });

  builder.addScalarType("DateTime", DateTimeResolver);
  builder.scalarType("LocalDate", {
    description: "A day on the calendar of the operator's zone, such as 2026-11-20.",
    serialize: (on) => on,
    parseValue: (text) => parseLocalDate(String(text)),
  });

  // Everything needs a session, except the few fields that say otherwise.
  builder.queryType({ authScopes: { signedIn: true } });
  builder.mutationType({ authScopes: { signedIn: true } });
  builder.subscriptionType({ authScopes: { signedIn: true } });

  const currency = builder.enumType("Currency", { values: CURRENCIES });
  builder.objectType("Money", {
    description: "An amount in whole minor units, as a string, since it may exceed what a JSON number carries.",
    fields: (t) => ({
      amountMinor: t.string({ resolve: ({ minor }) => minor.toString() }),
      currency: t.field({ type: currency, resolve: (money) => money.currency }),
    }),
  });
  defineRefusals(builder);
  return { builder, currency };
}

export type BuilderTypes = PothosSchemaTypes.ExtendDefaultTypes<Types>;
export type Builder = PothosSchemaTypes.SchemaBuilder<BuilderTypes>;

function defineRefusals(builder: Builder): void {
  const refusal = builder.interfaceRef<Refusal>("Refusal").implement({
    description: "An expected no. `code` is for programs, `message` for people, `field` the argument it is about.",
    fields: (t) => ({
      code: t.exposeString("code"),
      message: t.exposeString("message"),
      field: t.string({ nullable: true, resolve: ({ field }) => field ?? null }),
    }),
  });
  for (const [name, type] of Object.entries({ ...COMMON_REFUSALS, WrongCredentials })) {
    builder.objectType(type, { name, interfaces: [refusal] });
  }
  builder.objectType(TooMany, {
    name: "TooMany",
    interfaces: [refusal],
    fields: (t) => ({ retryAt: t.field({ type: "DateTime", resolve: ({ retryAt }) => retryAt }) }),
  });
  builder.objectType(Refusal as unknown as new () => Refusal, {
    name: "OtherRefusal",
    description: "A refusal of a rule that has no type of its own; its code tells it apart.",
    interfaces: [refusal],
  });
}

/** The arguments of every list. */
export function pageArguments(builder: Builder) {
  return builder.args((t) => ({
    first: t.int({ defaultValue: PAGE_DEFAULT, description: `How many, at most ${PAGE_MAX}.` }),
    after: t.string({ description: "The endCursor of the page before." }),
  }));
}

/** An id from outside. What cannot be an id names nothing: throws `NotFound`. */
export function parseId<Kind extends string>(text: string, what: string): Id<Kind> {
  if (!looksLikeId(text)) throw new NotFound(what);
  return text.toLowerCase() as Id<Kind>;
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
