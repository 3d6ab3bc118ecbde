import { randomUUID } from "node:crypto";
import { connect, type MqttClient } from "mqtt";

/** A command of Mosquitto's dynamic-security plugin, such as `{ command: "deleteClient", username: "lamp" }`. */
export type DynsecCommand = { readonly command: string } & Readonly<Record<string, unknown>>;

/** What the broker answers to one command. `error` is its own text, such as "Client not found". */
export interface DynsecAnswer {
  readonly command: string;
  readonly error: string | undefined;
  readonly data: unknown;
}

export interface DynamicSecurity {
  /**
   * Runs commands in order and answers each. Rejects when the broker is away or silent, when the user may not control it,
   * or when the plugin is not loaded; what had been done by then stays done, so commands should be safe to repeat.
   */
  run(commands: readonly DynsecCommand[]): Promise<readonly DynsecAnswer[]>;
  close(): Promise<void>;
}

const TOPIC = "$CONTROL/dynamic-security/v1";
/** A message of this many commands stays below the smallest message limit that a broker is likely to have (64 KB). */
const COMMANDS_MAX = 40;
const ANSWER_TIMEOUT_MS = 30_000;

/** A control connection to the plugin. It connects when first used, and again after it was lost. */
export function openDynamicSecurity({ url }: { url: string }): DynamicSecurity {
  let client: Promise<MqttClient> | undefined;
  // The plugin answers on one topic for all: one request at a time, told apart by its own word.
  let turn: Promise<unknown> = Promise.resolve();

  async function open(): Promise<MqttClient> {
    const opened = connect(url, {
      clientId: `washa-control-${randomUUID()}`,
      protocolVersion: 5,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: 10_000,
    });
    try {
      await new Promise<void>((resolve, reject) => {
        opened.once("connect", () => resolve());
        opened.once("error", reject);
        opened.once("close", () => reject(new Error("The broker ended the connection.")));
      });
      // What happens later is found out by the request that needs the connection.
      opened.on("error", () => undefined);
      opened.once("close", () => void (client = undefined));
      await opened.subscribeAsync(`${TOPIC}/response`, { qos: 1 });
      return opened;
    } catch (error) {
      opened.end(true);
      throw error;
    }
  }

  async function connected(): Promise<MqttClient> {
    client ??= open();
    try {
      return await client;
    } catch (error) {
      client = undefined;
      throw new Error("The broker's control topic cannot be reached.", { cause: error });
    }
  }

  async function request(commands: readonly DynsecCommand[]): Promise<readonly DynsecAnswer[]> {
    const open = await connected();
    const word = randomUUID();
    const answered = awaitAnswer(open, { word, expected: commands.length });
    const correlated = commands.map((command) => ({ ...command, correlationData: word }));
    const sent = open.publishAsync(TOPIC, JSON.stringify({ commands: correlated }), { qos: 1 });
    const [answers] = await Promise.all([answered, sent]);
    return answers;
  }

  return {
    async run(commands) {
      const answers: DynsecAnswer[] = [];
      for (let at = 0; at < commands.length; at += COMMANDS_MAX) {
        const part = turn.then(() => request(commands.slice(at, at + COMMANDS_MAX)));
        turn = part.catch(() => undefined);
        answers.push(...(await part));
      }
      return answers;
    },
    async close() {
      await turn;
      const open = await client?.catch(() => undefined);
      await open?.endAsync();
    },
  };
}

function awaitAnswer(
  client: MqttClient,
  { word, expected }: { word: string; expected: number },
): Promise<readonly DynsecAnswer[]> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      client.off("message", hear);
      client.off("close", lost);
    };
    const hear = (_topic: string, payload: Buffer): void => {
      const answers = readAnswers(payload, word);
      if (answers.length === 0) return;
      end();
      if (answers.length === expected) resolve(answers);
      else reject(new Error(`The broker answered ${String(answers.length)} of ${String(expected)} control commands.`));
    };
    const lost = (): void => {
      end();
      reject(new Error("The connection to the broker was lost before it answered."));
    };
    const timer = setTimeout(() => {
      end();
      reject(
        new Error(
          "The broker does not answer on its control topic: is the dynamic-security plugin loaded, and may the user of MQTT_CONTROL_URL publish there?",
        ),
      );
    }, ANSWER_TIMEOUT_MS);
    client.on("message", hear);
    client.once("close", lost);
  });
}

/** The answers that carry our word; none where the message is somebody else's. */
function readAnswers(payload: Buffer, word: string): readonly DynsecAnswer[] {
  const message: unknown = JSON.parse(payload.toString("utf8"));
  if (!isRecord(message) || !Array.isArray(message["responses"])) return [];
  return message["responses"].flatMap((response: unknown) =>
    isRecord(response) && response["correlationData"] === word
      ? [
          {
            command: String(response["command"]),
            error: typeof response["error"] === "string" ? response["error"] : undefined,
            data: response["data"],
          },
        ]
      : [],
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
