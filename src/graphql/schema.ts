import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { lexicographicSortSchema, printSchema, type GraphQLSchema } from "graphql";
import { defineAccess } from "./access.ts";
import { defineAlertRules } from "./alert-rules.ts";
import { defineAlerts } from "./alerts.ts";
import { defineBatteries } from "./battery.ts";
import { makeBuilder } from "./builder.ts";
import { defineCash } from "./cash.ts";
import { defineContractCommands } from "./contract-commands.ts";
import { defineContracts } from "./contracts.ts";
import { defineCustomers } from "./customers.ts";
import { defineDesk } from "./desk.ts";
import { defineDeviceBulk } from "./device-bulk.ts";
import { defineDeviceCommands } from "./device-commands.ts";
import { defineDeviceCredentials } from "./device-credentials.ts";
import { defineDeviceLife } from "./device-life.ts";
import { defineDevices } from "./devices.ts";
import { defineFleet } from "./fleet.ts";
import { defineInbox } from "./inbox.ts";
import { defineMessages } from "./messages.ts";
import { definePayments } from "./payments.ts";
import { definePlans } from "./plans.ts";
import { defineQuarantine } from "./quarantine.ts";
import { defineRails } from "./rails.ts";
import { defineReadings } from "./readings.ts";
import { defineStatements } from "./statements.ts";
import { defineSubscriptions } from "./subscriptions.ts";
import { defineTickets } from "./tickets.ts";
import { defineTalkFigures } from "./talk-figures.ts";

/** The committed form of the schema, at the top of the repository. */
export const SCHEMA_FILE = fileURLToPath(new URL("../../schema.graphql", import.meta.url));

/** The whole schema. It holds no service: resolvers find theirs in the context, so it can be printed without a database. */
export function buildSchema(): GraphQLSchema {
  const { builder, currency } = makeBuilder();
  const { language } = defineAccess(builder);
  defineCustomers(builder, { language });
  const { state } = defineDevices(builder);
  definePayments(builder);
  definePlans(builder, { currency });
  defineContracts(builder);
  defineContractCommands(builder);
  defineTickets(builder);
  defineInbox(builder);
  defineDesk(builder);
  defineRails(builder, { currency });
  defineCash(builder, { currency });
  defineStatements(builder, { currency });
  defineDeviceLife(builder, { state });
  defineDeviceCredentials(builder);
  const { requestInput } = defineDeviceCommands(builder);
  defineDeviceBulk(builder, { state, requestInput });
  defineFleet(builder);
  const readings = defineReadings(builder);
  defineQuarantine(builder);
  defineBatteries(builder);
  const alerts = defineAlerts(builder);
  defineAlertRules(builder, { rule: alerts.rule, language });
  defineMessages(builder, { language });
  defineTalkFigures(builder);
  defineSubscriptions(builder, { ...alerts, ...readings });
  return builder.toSchema({});
}

/** The schema as text, sorted, so that moving code around changes nothing. */
export function printedSchema(): string {
  return `${printSchema(lexicographicSortSchema(buildSchema()))}\n`;
}

/** Writes the committed file anew. */
export async function writeSchemaFile(file = SCHEMA_FILE): Promise<void> {
  await writeFile(file, printedSchema());
}

/** Undefined when the committed file is what the code says; otherwise one sentence about the first line that differs. */
export async function findSchemaDrift(file = SCHEMA_FILE): Promise<string | undefined> {
  const printed = printedSchema();
  const committed = await readFile(file, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  });
  if (committed === printed) return undefined;
  const [ours, theirs] = [printed.split("\n"), committed.split("\n")];
  const at = ours.findIndex((line, index) => line !== theirs[index]);
  return `schema.graphql differs from the code from line ${at + 1} on ("${ours[at] ?? ""}"). Run \`npm run schema\` and commit the file.`;
}
