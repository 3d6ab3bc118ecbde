import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { personSays, SIMULATED_ACCOUNTS, startChatSimulator } from "./chat-simulator.ts";

const HELP = `WhatsApp's Cloud API and Telegram's Bot API from the other side, with a person who writes and taps.

Usage: washa simulate chat [options]

  --program URL  where the program's doors are (default http://127.0.0.1:4000)
  --port N       where both APIs answer, on this machine alone (default 4300; 0 takes a free one)
  --help         this text

Then type, for a person with the number 254711000111 or the Telegram user 55512345:

  whatsapp 254711000111 menu       writes; "tap 3.1" instead of a text taps a button, by its id
  telegram 55512345 menu
  share 55512345 254711000111      shares the own number at Telegram
  quit
`;

const OPTIONS = {
  program: { type: "string", default: "http://127.0.0.1:4000" },
  port: { type: "string", default: "4300" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Runs until the input ends or `quit` is typed. Gives the exit code: 0 done, 2 wrong use. */
export async function runChatSimulator(
  argv: readonly string[],
  { input, output }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
): Promise<number> {
  const say = (text: string): void => void output.write(`${text}\n`);
  const asked = parseAsked(argv);
  if (typeof asked === "string") {
    say(asked);
    return asked === HELP ? 0 : 2;
  }
  const simulator = await startChatSimulator({ port: asked.port, program: () => asked.program });
  say(environmentOf(simulator.url));
  let told = 0;
  // Answers come when the program's jobs have run, not with the answer of the door.
  const looking = setInterval(() => {
    for (const { channel, to, text, buttons } of simulator.shown().slice(told)) {
      told++;
      say([`${channel} ${to}:`, text, ...buttons.map(({ id, label }) => `  [${id}] ${label}`)].join("\n"));
    }
  }, 200);
  try {
    for await (const line of createInterface({ input })) {
      if (line.trim() === "quit") break;
      if (line.trim() !== "") say(await obey(line, simulator));
    }
  } finally {
    clearInterval(looking);
    await simulator.stop();
  }
  return 0;
}

async function obey(line: string, simulator: Awaited<ReturnType<typeof startChatSimulator>>): Promise<string> {
  const [command = "", from = "", ...words] = line.trim().split(" ");
  const text = words.join(" ");
  const isTap = words[0] === "tap";
  const said =
    command === "share"
      ? { channel: "telegram", from, contact: text }
      : { channel: command, from, ...(isTap ? { tap: words[1] ?? "" } : { text }) };
  try {
    const { status } = await simulator.post(personSays(said, simulator));
    return status === 200 ? "" : `The program answered ${String(status)}.`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parseAsked(argv: readonly string[]): { program: string; port: number } | string {
  try {
    const { program, port, help } = parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
    if (help) return HELP;
    if (!/^https?:\/\/[^/]/.test(program)) return "--program is an address such as http://127.0.0.1:4000. Try --help.";
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return "--port is a whole number. Try --help.";
    return { program, port: Number(port) };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}. Try --help.`;
  }
}

/** What the program needs to take this simulator for the real thing. */
function environmentOf(url: string): string {
  const { phoneId, whatsappToken, appSecret, telegramToken, telegramSecret } = SIMULATED_ACCOUNTS;
  return [
    `WASHA_WHATSAPP_BASE_URL=${url}/v25.0`,
    `WASHA_WHATSAPP_PHONE_ID=${phoneId}`,
    `WASHA_WHATSAPP_TOKEN=${whatsappToken}`,
    `WASHA_WHATSAPP_APP_SECRET=${appSecret}`,
    "WASHA_WHATSAPP_VERIFY_TOKEN=simulated-verify-token",
    `WASHA_TELEGRAM_BASE_URL=${url}`,
    `WASHA_TELEGRAM_TOKEN=${telegramToken}`,
    `WASHA_TELEGRAM_SECRET=${telegramSecret}`,
  ].join("\n");
}
