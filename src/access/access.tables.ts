import { bigint, boolean, customType, jsonb, pgSchema, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { Json } from "../platform/idempotency.ts";
import type { Language } from "../kernel/language.ts";
import type { Role } from "./access.ts";
import type { PasswordHash } from "./passwords.ts";

const access = pgSchema("access");
const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date", precision: 6 });

export const staffTable = access.table("staff", {
  id: uuid("id").primaryKey(),
  email: text("email").notNull(),
  name: text("name").notNull(),
  role: text("role").$type<Role>().notNull(),
  area: text("area"),
  language: text("language").$type<Language>().notNull(),
  passwordHash: text("password_hash").$type<PasswordHash>().notNull(),
  createdAt: instant("created_at").notNull(),
  createdBy: text("created_by").notNull(),
  disabledAt: instant("disabled_at"),
  phone: text("phone"),
});

export const sessionsTable = access.table("sessions", {
  tokenSha256: bytea("token_sha256").primaryKey(),
  staffId: uuid("staff_id").notNull(),
  createdAt: instant("created_at").notNull(),
  expiresAt: instant("expires_at").notNull(),
  revokedAt: instant("revoked_at"),
});

export const loginAttemptsTable = access.table("login_attempts", {
  id: uuid("id").primaryKey(),
  account: text("account").notNull(),
  source: text("source").notNull(),
  at: instant("at").notNull(),
  succeeded: boolean("succeeded").notNull().default(false),
});

export const auditTable = access.table("audit", {
  id: bigint("id", { mode: "bigint" }).primaryKey().generatedAlwaysAsIdentity(),
  at: instant("at").notNull(),
  actor: text("actor").notNull(),
  action: text("action").notNull(),
  subjectKind: text("subject_kind").notNull(),
  subjectId: text("subject_id").notNull(),
  detail: jsonb("detail").$type<Json>().notNull(),
});
