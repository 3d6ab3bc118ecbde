/* oxlint-disable promise/no-callback-in-promise -- mqtt.js asks to be called back. */
/** What stands behind Mosquitto elsewhere, in a process of its own: an mqtt.js subscriber that only counts, or one that commits each message. */
import mqtt from "mqtt";
import { openClient } from "../../src/platform/database.ts";

export interface SubscriberOrder {
  readonly url: string;
  /** Commit each message there before the next; undefined: only count. */
  readonly databaseUrl: string | undefined;
}

export type SubscriberWord =
  { readonly kind: "listening" } | { readonly kind: "figures"; readonly received: number; readonly cpuMs: number };

async function run({ url, databaseUrl }: SubscriberOrder): Promise<void> {
  let received = 0;
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, properties: { receiveMaximum: 65_535 } });
  if (databaseUrl === undefined) client.on("message", () => (received += 1));
  else {
    const sql = openClient(databaseUrl, 1);
    await sql`create table if not exists public.bench_each (at timestamptz not null, topic text not null, payload jsonb not null)`;
    // The PUBACK follows when this calls back: one commit for each message, as it is mostly written.
    client.handleMessage = (packet, done) => {
      sql`insert into public.bench_each values (now(), ${packet.topic}, ${packet.payload.toString()}::jsonb)`.then(
        () => {
          received += 1;
          done();
        },
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    };
  }
  await client.subscribeAsync("paygo/v1/+/data", { qos: 1 });
  say({ kind: "listening" });
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    say({ kind: "figures", received, cpuMs: (user + system) / 1_000 });
  });
}

function say(word: SubscriberWord): void {
  process.send?.(word);
}

process.once("message", (order: SubscriberOrder) => {
  run(order).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
process.once("disconnect", () => process.exit(0));
