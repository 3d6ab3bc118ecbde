import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { makeRailConsole } from "./console.ts";
import { everyChannel } from "./channels.ts";
import { isFaultKind, noFaults, usualFaults, type Faults } from "./faults.ts";
import { startRailSimulator, type ChannelSetup } from "./rail-simulator.ts";
import { doorUrlsBelow, railsFileOf } from "./rails-file.ts";
import { COMMANDS, deliveryLine, promptLine, transactionLine } from "./screen.ts";

const HELP = `Every mobile-money provider from the other side: pays, asks payers, posts notifications, and fails as they do.

Usage: node simulators/rail/main.ts [options]

  --program URL     where the program's doors are (default http://127.0.0.1:4000)
  --port N          where the providers answer, on this machine alone (default 4200; 0 takes a free one)
  --channel NAME    only this channel; may be repeated (default: all)
  --seed N          the same seed brings the same faults and the same door secrets (default 1)
  --faults SET      none (default) or usual, a bad day
  --fault KIND=N    share of one fault, from 0 to 1; may be repeated
  --payers WHO      wait (default): prompts wait for your approve or cancel; decide: payers decide by the seed
  --rails-file FILE write the program's rails file there instead of printing it. It holds secrets of this simulator only
  --stay            go on when the input ends, until interrupted
  --help            this text

Give the program the rails file by WASHA_RAILS. Then type:

${COMMANDS}
`;

const OPTIONS = {
  program: { type: "string", default: "http://127.0.0.1:4000" },
  port: { type: "string", default: "4200" },
  channel: { type: "string", multiple: true },
  seed: { type: "string", default: "1" },
  faults: { type: "string", default: "none" },
  fault: { type: "string", multiple: true, default: [] as string[] },
  payers: { type: "string", default: "wait" },
  "rails-file": { type: "string" },
  stay: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

class WrongUse extends Error {}

interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Ends the simulator. */
  readonly signal?: AbortSignal;
  /** Which channels there are to choose from. Default: one of every provider. */
  readonly channels?: readonly ChannelSetup[];
}

/** Runs until the input ends, `quit` is typed or the signal comes. Gives the exit code: 0 done, 2 wrong use. */
export async function runRailSimulator(argv: readonly string[], terminal: Terminal): Promise<number> {
  const say = (text: string): void => void (text !== "" && terminal.output.write(`${text}\n`));
  try {
    const asked = parseAsked(argv, terminal.channels ?? everyChannel);
    if (asked === undefined) say(HELP.trimEnd());
    else await converse(asked, { ...terminal, say });
    return 0;
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error;
    say(`${error.message} Try --help.`);
    return 2;
  }
}

type Asked = Exclude<ReturnType<typeof parseAsked>, undefined>;

function parseAsked(argv: readonly string[], known: readonly ChannelSetup[]) {
  const values = parseValues(argv);
  if (values.help) return undefined;
  const { payers, program, stay } = values;
  if (payers !== "wait" && payers !== "decide") throw new WrongUse("--payers is wait or decide.");
  if (!/^https?:\/\/[^/]/.test(program)) throw new WrongUse("--program is an address such as http://127.0.0.1:4000.");
  const whole = (name: "port" | "seed", most: number): number => {
    const text = values[name];
    if (!/^\d{1,9}$/.test(text) || Number(text) > most) throw new WrongUse(`--${name} is a whole number.`);
    return Number(text);
  };
  return {
    payers,
    program,
    stay,
    port: whole("port", 65_535),
    seed: whole("seed", 999_999_999),
    faults: parseFaults(values.faults, values.fault),
    channels: parseChannels(values.channel, known),
    railsFile: values["rails-file"],
  } as const;
}

function parseValues(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    if (error instanceof TypeError) throw new WrongUse(`${error.message}.`, { cause: error });
    throw error;
  }
}

function parseFaults(set: string, single: readonly string[]): Faults {
  if (set !== "none" && set !== "usual") throw new WrongUse("--faults is none or usual.");
  const faults = { ...(set === "none" ? noFaults : usualFaults) };
  for (const text of single) {
    const [kind = "", share = ""] = text.split("=");
    if (!isFaultKind(kind) || !/^(0|1|0?\.\d+)$/.test(share)) {
      throw new WrongUse(`--fault takes KIND=SHARE such as drop=0.2. Kinds: ${Object.keys(noFaults).join(", ")}.`);
    }
    faults[kind] = Number(share);
  }
  return faults;
}

function parseChannels(names: readonly string[] | undefined, known: readonly ChannelSetup[]): readonly ChannelSetup[] {
  if (names === undefined) return known;
  return names.map((name) => {
    const channel = known.find((one) => one.name === name);
    if (channel !== undefined) return channel;
    throw new WrongUse(`--channel is one of ${known.map((one) => one.name).join(", ")}.`);
  });
}

async function converse(asked: Asked, { input, output, signal, say }: Terminal & { say: (text: string) => void }) {
  const { channels, seed, faults, payers, port } = asked;
  const simulator = await startRailSimulator({
    channels,
    seed,
    faults,
    payers,
    port,
    clock: "real",
    doorUrlOf: doorUrlsBelow(asked.program, seed),
    onTransaction(transaction) {
      const isPrompt = transaction.kind === "payment" && transaction.status === "pending";
      say(isPrompt ? promptLine(person.numberOf(transaction), transaction) : transactionLine(transaction));
    },
    onDelivery: (record) => say(deliveryLine(record)),
    onTrouble: (trouble) =>
      say(`A bug of the simulator: ${trouble instanceof Error ? trouble.message : String(trouble)}`),
  }).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    throw new WrongUse(`Port ${String(port)} is taken; choose another with --port.`, { cause: error });
  });
  const railsText = (): string => JSON.stringify(railsFileOf(simulator, seed), undefined, 2);
  const person = makeRailConsole(simulator, railsText);
  try {
    if (asked.railsFile === undefined) say(railsText());
    // It opens doors, even if only of a simulator: readable by its owner alone.
    else writeFileSync(asked.railsFile, `${railsText()}\n`, { mode: 0o600 });
    say(`The providers answer at ${simulator.url} and post to ${asked.program}. Type: help`);
    const lines = createInterface({ input, output, terminal: "isTTY" in input && input.isTTY === true });
    const close = (): void => lines.close();
    signal?.addEventListener("abort", close, { once: true });
    let isLeft = signal?.aborted === true;
    for await (const line of lines) {
      isLeft = line.trim() === "quit";
      if (isLeft) break;
      say(person.obey(line));
    }
    if (asked.stay && !isLeft && signal?.aborted === false) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
  } finally {
    await simulator.stop();
  }
}

if (process.argv[1] === import.meta.filename) {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort());
  process.exitCode = await runRailSimulator(process.argv.slice(2), {
    input: process.stdin,
    output: process.stdout,
    signal: ending.signal,
  });
}
