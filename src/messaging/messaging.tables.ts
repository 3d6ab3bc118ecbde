import { bigint, boolean, integer, jsonb, numeric, pgSchema, text, timestamp, unique, uuid } from "drizzle-orm/pg-core";
import type { DeliveryState } from "./delivery.ts";
import type { Language } from "../kernel/language.ts";
import type { Button, MessageChannel } from "./gateway.ts";
import type { Category } from "./texts.ts";

export const messagingSchema = pgSchema("messaging");

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

export const messages = messagingSchema.table("messages", {
  id: uuid("id").primaryKey(),
  key: text("key").notNull().unique(),
  toPhone: text("to_phone").notNull(),
  language: text("language").$type<Language>().notNull(),
  template: text("template").notNull(),
  values: jsonb("template_values").$type<Record<string, string>>().notNull(),
  contractId: uuid("contract_id"),
  receiptId: uuid("receipt_id"),
  state: text("state").$type<DeliveryState>().notNull(),
  text: text("text"),
  providerId: text("provider_id"),
  costText: text("cost_text"),
  failure: text("failure"),
  attempts: integer("attempts").notNull(),
  claimedUntil: instant("claimed_until"),
  createdAt: instant("created_at").notNull(),
  sentAt: instant("sent_at"),
  stateAt: instant("state_at").notNull(),
  channel: text("channel").$type<MessageChannel>().notNull(),
  address: text("address"),
  buttons: jsonb("buttons").$type<readonly Button[]>().notNull(),
  asksContact: boolean("asks_contact").notNull(),
  category: text("category").$type<Category>().notNull(),
  customerId: uuid("customer_id"),
  campaignId: uuid("campaign_id"),
  fallbackOf: uuid("fallback_of"),
  cost: numeric("cost"),
  costCurrency: text("cost_currency"),
  notBefore: instant("not_before"),
  isDeferred: boolean("is_deferred").notNull(),
});

export const reports = messagingSchema.table(
  "reports",
  {
    id: bigint("id", { mode: "bigint" }).primaryKey().generatedAlwaysAsIdentity(),
    providerId: text("provider_id").notNull(),
    status: text("status").notNull(),
    toPhone: text("to_phone"),
    networkCode: text("network_code"),
    failure: text("failure"),
    receivedAt: instant("received_at").notNull(),
  },
  (table) => [unique().on(table.providerId, table.status)],
);
