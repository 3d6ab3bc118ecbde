/**
 * What Mosquitto loses of what it acknowledged, by its settings: `npm run bench:mosquitto-loss -- --rate 3000`.
 *
 * Publishers send at a steady rate with QoS 1 and note what was acknowledged to them; the consumer is our own link, with
 * deferred acknowledgements, and notes what it committed (here: in memory, so that nothing else can lose anything). In the
 * middle the consumer goes away for three seconds, or the broker is killed with SIGKILL and started again, or both.
 */
import { connectAsync, type MqttClient } from "mqtt";
import { startBrokerLink, type BrokerLink } from "../src/platform/mqtt-broker.ts";
import { readOptions, runProgram, wholeOption, WrongUse } from "../test/support/command-line.ts";
import { findMosquittoParts, makeMosquitto, type OwnMosquitto } from "../test/support/mosquitto.ts";

const HELP = `What Mosquitto loses of what it told its publishers it had, by its settings.

Usage: npm run bench:mosquitto-loss -- [--rate N] [--publishers N]

  --rate N        messages a second of all publishers together (3000)
  --publishers N  how many publish (20)
  --help          this text

About 25 seconds for each of seven settings and three trials: eight minutes. Needs Mosquitto.
`;

const BOUNDLESS = ["max_queued_messages 0", "max_inflight_messages 0"];
const PERSISTENT = ["persistence true", "persistence_location {folder}/"];
interface Setting {
  readonly name: string;
  readonly lines: readonly string[];
  /** Whether the consumer shares its subscription, as several processes would. */
  readonly isShared?: boolean;
  /** Messages a second, where the broker cannot keep up with the usual rate. */
  readonly rate?: number;
}
const SETTINGS: readonly Setting[] = [
  { name: "its defaults", lines: [] },
  { name: "queues without limits", lines: BOUNDLESS },
  {
    name: "and persistence, saved every 5 s",
    lines: [...BOUNDLESS, ...PERSISTENT, "autosave_interval 5"],
  },
  {
    name: "and persistence, saved every second",
    lines: [...BOUNDLESS, ...PERSISTENT, "autosave_interval 1"],
  },
  {
    name: "and persistence, saved every 1,000 changes",
    lines: [...BOUNDLESS, ...PERSISTENT, "autosave_on_changes true", "autosave_interval 1000"],
  },
  {
    name: "the same, the subscription shared",
    lines: [...BOUNDLESS, ...PERSISTENT, "autosave_on_changes true", "autosave_interval 1000"],
    isShared: true,
  },
  {
    // Each save writes the whole store anew: at 3,000 messages a second the broker does nothing else.
    name: "and persistence, saved at every change",
    lines: [...BOUNDLESS, ...PERSISTENT, "autosave_on_changes true", "autosave_interval 1"],
    rate: 100,
  },
];
type Trial = "consumer away for 3 s" | "broker killed" | "broker killed while the consumer is away for 6 s";
const TRIALS: readonly Trial[] = [
  "consumer away for 3 s",
  "broker killed",
  "broker killed while the consumer is away for 6 s",
];
const TOPIC = "paygo/v1/bench/data";
const AWAY_MS = 3_000;
const QUIET_MS = 2_000;

const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

/** Until the figure has not changed for a while, a minute at most. */
async function untilQuiet(figure: () => number): Promise<void> {
  const end = performance.now() + 60_000;
  for (let quiet = 0, before = -1; quiet < QUIET_MS && performance.now() < end; quiet += 100) {
    if (before !== figure()) quiet = 0;
    before = figure();
    await sleep(100);
  }
}

interface Publishers {
  readonly acknowledged: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Sends 200-byte messages until stopped; what is not acknowledged is sent again after a reconnect, as a device does. */
async function startPublishers(url: string, { rate, count }: { rate: number; count: number }): Promise<Publishers> {
  const acknowledged = new Set<string>();
  const clients: MqttClient[] = [];
  for (let number = 0; number < count; number++)
    clients.push(
      await connectAsync(url, { clientId: `publisher-${String(number)}`, clean: false, reconnectPeriod: 200 }),
    );
  for (const client of clients) client.on("error", () => undefined);
  const begun = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) / 1_000) * rate);
    for (; sent < due; sent++) {
      const client = clients[sent % count];
      const id = String(sent);
      // A device tells nothing while it has no broker; what it had under way is told again.
      if (client?.connected !== true) continue;
      client.publish(TOPIC, id.padEnd(200, "."), { qos: 1 }, (error) => {
        if (!error) acknowledged.add(id);
      });
    }
  }, 10);
  return {
    acknowledged,
    async stop() {
      clearInterval(timer);
      await untilQuiet(() => acknowledged.size);
      await Promise.all(clients.map((client) => client.endAsync(true)));
    },
  };
}

async function startConsumer(url: string, isShared: boolean, taken: Set<string>): Promise<BrokerLink> {
  const link = startBrokerLink({
    url,
    name: "bench",
    isShared,
    group: "bench",
    filters: [TOPIC],
    onFault: () => undefined,
    take(message) {
      taken.add(Buffer.from(message.payload).toString().replace(/\.+$/, ""));
      return Promise.resolve();
    },
  });
  await link.whenReady();
  return link;
}

async function restart(broker: OwnMosquitto): Promise<void> {
  await broker.end("SIGKILL");
  await broker.start();
}

async function run(
  trial: Trial,
  { lines, isShared = false }: Setting,
  { program, rate, count }: { program: string; rate: number; count: number },
): Promise<{ told: number; lost: number }> {
  const broker = await makeMosquitto(program, ["allow_anonymous true", ...lines]);
  await broker.start();
  const taken = new Set<string>();
  let consumer = await startConsumer(broker.url, isShared, taken);
  const publishers = await startPublishers(broker.url, { rate, count });
  // Long enough that a save every five seconds has happened with the subscription in it.
  await sleep(7_000);
  if (trial === "broker killed") await restart(broker);
  else {
    await consumer.stop();
    if (trial === "broker killed while the consumer is away for 6 s") {
      // Long enough that a save every second has happened more than once.
      await sleep(AWAY_MS);
      await restart(broker);
    }
    await sleep(AWAY_MS);
    consumer = await startConsumer(broker.url, isShared, taken);
  }
  await sleep(2_000);
  await publishers.stop();
  await untilQuiet(() => taken.size);
  await consumer.stop();
  await broker.remove();
  const lost = [...publishers.acknowledged].filter((id) => !taken.has(id)).length;
  return { told: publishers.acknowledged.size, lost };
}

async function main(): Promise<number> {
  const asked = readOptions({
    rate: { type: "string" },
    publishers: { type: "string" },
    help: { type: "boolean", default: false },
  });
  if (asked.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const usualRate = wholeOption("rate", asked.rate, { fallback: 3_000, least: 1 });
  const count = wholeOption("publishers", asked.publishers, { fallback: 20, least: 1 });
  const parts = findMosquittoParts();
  if (parts === undefined) throw new WrongUse("Mosquitto is not installed, such as by: apt-get install mosquitto");
  process.stdout.write(`${String(count)} publishers, messages of 200 bytes, QoS 1\n\n`);
  process.stdout.write(
    `| Mosquitto with | messages/s | ${TRIALS.join(" | ")} |\n|---|---|${TRIALS.map(() => "---").join("|")}|\n`,
  );
  for (const setting of SETTINGS) {
    const rate = setting.rate ?? usualRate;
    const cells: string[] = [];
    for (const trial of TRIALS) {
      const { told, lost } = await run(trial, setting, { program: parts.program, rate, count });
      cells.push(`${String(lost)} of ${String(told)} (${((100 * lost) / Math.max(1, told)).toFixed(1)} %)`);
    }
    process.stdout.write(`| ${setting.name} | ${String(rate)} | ${cells.join(" | ")} |\n`);
  }
  return 0;
}

await runProgram(main);
