/**
 * A consumer as people write it: mqtt.js with a session of its own and QoS 1, one insert for each message, errors into the log.
 * mqtt.js acknowledges a message when its listeners return, which is before the insert is committed.
 */
import { connectAsync } from "mqtt";
import { openClient, sqlStateOf } from "../../../src/platform/database.ts";

const [mqttUrl = "", databaseUrl = ""] = process.argv.slice(2);
const sql = openClient(databaseUrl, 10);
const client = await connectAsync(mqttUrl, { clientId: "consumer", clean: false, reconnectPeriod: 100 });
client.on("error", () => undefined); // it connects again by itself

client.on("message", (topic, payload) => {
  const serial = topic.split("/")[2] ?? "";
  // The simulated fleet's frames: rows that begin with Unix seconds.
  const { hd: rows } = JSON.parse(payload.toString("utf8")) as { hd: readonly (readonly number[])[] };
  const times = rows.map(([seconds = 0]) => seconds * 1_000);
  sql`insert into heard (serial, at) select ${serial}, value::bigint from json_array_elements_text(${JSON.stringify(times)}::text::json)
    on conflict do nothing`.catch((error: unknown) => {
    // In a real one: a line in the log. Only a mistake in this file must not pass for a loss of Mosquitto's.
    if (sqlStateOf(error)?.startsWith("42") === true) throw error;
  });
});
await client.subscribeAsync("paygo/v1/+/data", { qos: 1 });
process.send?.("ready");
process.on("disconnect", () => process.exit(0));
