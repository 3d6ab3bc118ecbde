import type { EnumRef } from "@pothos/core";
import { LANGUAGES, type Language } from "../kernel/language.ts";
import { actorOf, WrongCredentials, type AuditRecord, type Role, type Staff } from "../access/access.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { pageArguments, parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { cursorId, cursorNumber, parsePage, toConnection } from "./connections.ts";
import { requireActor } from "./context.ts";

/** Sign in and out, the people who work here, and what they did. */
export function defineAccess(builder: Builder) {
  const language = builder.enumType("Language", { values: LANGUAGES });
  const role = builder.enumType("Role", { values: ["admin", "operations", "agent"] as const });
  builder.objectType("Staff", {
    fields: (t) => ({
      id: t.exposeID("id"),
      email: t.exposeString("email"),
      name: t.exposeString("name"),
      role: t.field({ type: role, resolve: (person) => person.role }),
      area: t.exposeString("area", { nullable: true }),
      phone: t.exposeString("phone", {
        nullable: true,
        description: "An agent who calls from it has the agents' menu.",
      }),
      language: t.field({ type: language, resolve: (person) => person.language }),
      disabledAt: t.field({ type: "DateTime", nullable: true, resolve: (person) => person.disabledAt }),
    }),
  });
  defineSession(builder);
  defineStaffDesk(builder, { role, language });
  defineAudit(builder);
  return { language };
}

function defineSession(builder: Builder): void {
  const session = builder.objectRef<{ token: string; expiresAt: Date; staff: Staff }>("Session").implement({
    fields: (t) => ({
      token: t.exposeString("token", { description: "Send it as `Authorization: Bearer …`. It is shown only here." }),
      expiresAt: t.field({ type: "DateTime", resolve: ({ expiresAt }) => expiresAt }),
      staff: t.field({ type: "Staff", resolve: (opened) => opened.staff }),
    }),
  });
  const loggedOut = builder.objectRef<{ done: boolean }>("LoggedOut").implement({
    fields: (t) => ({ done: t.exposeBoolean("done") }),
  });
  builder.queryField("me", (t) =>
    t.field({
      type: "Staff",
      nullable: true,
      skipTypeScopes: true,
      description: "The signed-in person; null without a valid session.",
      resolve: (_root, _args, { actor }) => actor,
    }),
  );
  builder.mutationField("login", (t) =>
    t.field({
      type: session,
      errors: { types: [WrongCredentials] },
      skipTypeScopes: true,
      args: { email: t.arg.string({ required: true }), password: t.arg.string({ required: true }) },
      resolve: (_root, { email, password }, { services, sourceAddress }) =>
        services.access.login({ email, password, sourceAddress }),
    }),
  );
  builder.mutationField("logout", (t) =>
    t.field({
      type: loggedOut,
      errors: {},
      resolve: async (_root, _args, { services, sessionToken }) => {
        if (sessionToken !== null) await services.access.logout(sessionToken);
        return { done: true };
      },
    }),
  );
}

function defineStaffDesk(
  builder: Builder,
  { role, language }: { role: EnumRef<BuilderTypes, Role>; language: EnumRef<BuilderTypes, Language> },
): void {
  const connection = builder.connectionObject({ name: "StaffConnection", type: "Staff" }, { name: "StaffEdge" });
  builder.queryField("staff", (t) =>
    t.field({
      type: connection,
      authScopes: { roles: ["admin"] },
      args: pageArguments(builder),
      resolve: async (_root, args, { services }) => {
        const page = parsePage(args, "staff");
        const rows = await services.access.listStaff({ limit: page.limit, after: cursorId<"Staff">(page) });
        return toConnection(rows, { page, kind: "staff", keysOf: ({ id }) => [id] });
      },
    }),
  );
  builder.mutationField("createStaff", (t) =>
    t.field({
      type: "Staff",
      errors: {},
      authScopes: { roles: ["admin"] },
      args: {
        email: t.arg.string({ required: true }),
        name: t.arg.string({ required: true }),
        role: t.arg({ type: role, required: true }),
        area: t.arg.string({ description: "For an agent, and only for an agent." }),
        language: t.arg({ type: language, required: true }),
        password: t.arg.string({ required: true }),
      },
      resolve: async (_root, { password, area, ...person }, context) => {
        const actor = actorOf(requireActor(context));
        const passwordHash = await context.services.access.hashPassword(password);
        return context.db.transaction((tx) =>
          context.services.access.createStaff(tx, { ...person, area: area ?? null, passwordHash, actor }),
        );
      },
    }),
  );
  builder.mutationField("setStaffPhone", (t) =>
    t.field({
      type: "Staff",
      errors: {},
      authScopes: { roles: ["admin"] },
      description:
        "Gives a person a phone, or takes it away when it is left out. Their PIN is forgotten: at the next call they choose another.",
      args: { id: t.arg.id({ required: true }), phone: t.arg.string() },
      resolve: (_root, { id, phone }, context) => {
        const { access, customers, pins } = context.services;
        const staffId = parseId<"Staff">(id, "member of staff");
        const number = phone ? customers.parsePhone(phone) : null;
        return context.db.transaction(async (tx) => {
          await pins.forget(tx, { kind: "staff", id: staffId });
          return await access.setStaffPhone(tx, { staffId, phone: number, actor: actorOf(requireActor(context)) });
        });
      },
    }),
  );
  builder.mutationField("setStaffDisabled", (t) =>
    t.field({
      type: "Staff",
      errors: {},
      authScopes: { roles: ["admin"] },
      args: { id: t.arg.id({ required: true }), disabled: t.arg.boolean({ required: true }) },
      resolve: (_root, { id, disabled }, context) => {
        const actor = requireActor(context);
        if (id === actor.id) throw new InvalidInput("Ask another administrator to disable your own account.", "id");
        return context.db.transaction((tx) =>
          context.services.access.setStaffDisabled(tx, {
            staffId: parseId<"Staff">(id, "member of staff"),
            disabled,
            actor: actorOf(actor),
          }),
        );
      },
    }),
  );
}

function defineAudit(builder: Builder): void {
  const entry = builder.objectRef<AuditRecord>("AuditEntry").implement({
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => id.toString() }),
      at: t.field({ type: "DateTime", resolve: ({ at }) => at }),
      actor: t.exposeString("actor"),
      action: t.exposeString("action"),
      subjectKind: t.exposeString("subjectKind"),
      subjectId: t.exposeString("subjectId"),
      detail: t.string({ description: "JSON.", resolve: ({ detail }) => JSON.stringify(detail) }),
    }),
  });
  const connection = builder.connectionObject({ name: "AuditConnection", type: entry }, { name: "AuditEdge" });
  builder.queryField("auditLog", (t) =>
    t.field({
      type: connection,
      authScopes: { roles: ["admin"] },
      args: { ...pageArguments(builder), subjectKind: t.arg.string(), subjectId: t.arg.string() },
      resolve: async (_root, args, { services }) => {
        const page = parsePage(args, "audit");
        const { subjectKind: kind, subjectId: id } = args;
        if (!kind !== !id) throw new InvalidInput("Give both subjectKind and subjectId, or neither.", "subjectKind");
        const rows = await services.access.listAudit({
          limit: page.limit,
          before: cursorNumber(page),
          subject: kind && id ? { kind, id } : undefined,
        });
        return toConnection(rows, { page, kind: "audit", keysOf: (row) => [row.id.toString()] });
      },
    }),
  );
}
