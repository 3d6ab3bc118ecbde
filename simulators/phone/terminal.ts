/** A customer's phone and lamp at a terminal, in the demonstration that `npm start` runs. */
import { createInterface } from "node:readline";
import type { LampView, PersonView, PhoneView, ScreenView, StageView } from "../stage/views.ts";
import { drawChat, drawScreen, drawSms } from "./screen.ts";

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

const HELP = `Type what the phone's owner would:
  *384*123#           dial; further along by *384*123*2#
  1                   answer the screen that is open (anything that is no command)
  hang up             end the call
  sms BALANCE         write a message
  wa MENU             write on WhatsApp
  tap 1               press what stands below the newest message there
  pay 150             pay by hand to the paybill; pay 150 PG-10008 for another's account
  pin 1234            answer a payment prompt with a PIN; refuse: refuse it
  lamp 123456789      type a token on the lamp; lamp alone looks at it
  wait 24             move the lamp's clock so many hours on
  signal off          take the lamp's network away; signal on gives it back
  help, quit`;

/** How often the phone looks for new messages. */
const LOOK_EVERY_MS = 500;
const TIMEOUT_MS = 20_000;

/** Said to the person who typed; nothing has happened. */
class Told extends Error {}

/** Runs until the input ends or `quit` is typed. Gives the exit code: 0 done, 1 where there is no demonstration or no such phone. */
export async function runPhone({ number, url }: { number: string; url: string }, terminal: Terminal): Promise<number> {
  const say = (text: string): void => void terminal.output.write(`${text}\n`);
  try {
    const world = makeClient(url);
    const stage = await world.get<StageView>("stage");
    const person = stage.people.find(({ phone }) => phone === number);
    if (person === undefined) {
      say(
        `Nobody there has ${number}. There are: ${stage.people.map(({ phone, name }) => `${phone} (${name})`).join(", ")}.`,
      );
      return 1;
    }
    say(
      `${person.name}, account ${person.account}, lamp ${person.serial}. Dial ${stage.serviceCode}; help tells more.`,
    );
    await converse({ person, world, say, input: terminal.input });
    return 0;
  } catch (error) {
    if (!(error instanceof Told)) throw error;
    say(error.message);
    return 1;
  }
}

interface World {
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: object): Promise<Answer>;
}

/** Speaks to the demonstration at `url`. Rejects with `Told` in the program's own words when it refuses. */
function makeClient(url: string): World {
  async function ask<Answer>(path: string, init: RequestInit): Promise<Answer> {
    const asked = fetch(`${url.replace(/\/+$/, "")}/simulator/api/${path}`, {
      ...init,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const response = await asked.catch(() => {
      throw new Told(`Nothing answers at ${url}. Start the demonstration with \`npm start\`, or name it with --url.`);
    });
    const answer = (await response.json()) as Answer & { error?: { message: string } };
    if (response.ok) return answer;
    throw new Told(answer.error?.message ?? `The demonstration answered ${String(response.status)}.`);
  }
  return {
    get: (path) => ask(path, {}),
    post: (path, body) =>
      ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  };
}

interface Conversation {
  readonly person: PersonView;
  readonly world: World;
  readonly say: (text: string) => void;
}

async function converse({ input, ...conversation }: Conversation & { input: NodeJS.ReadableStream }): Promise<void> {
  const { say } = conversation;
  const look = makeLook(conversation);
  await look();
  // Not before: lines that are read while nobody takes them are lost.
  const lines = createInterface({ input });
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  }, LOOK_EVERY_MS);
  try {
    for await (const line of lines) {
      const typed = line.trim();
      if (typed === "quit") break;
      try {
        if (typed !== "") say(await obey(conversation, typed));
      } catch (error) {
        if (!(error instanceof Told)) throw error;
        say(error.message);
      }
    }
  } finally {
    clearInterval(timer);
    lines.close();
    await looking;
  }
}

/** Shows what has come since it looked last: messages, and prompts of mobile money. */
function makeLook({ person, world, say }: Conversation): () => Promise<void> {
  const seen = new Set<string>();
  return async () => {
    const { messages, chat, prompts } = await world.get<PhoneView>(`phones/${person.phone}`);
    for (const message of messages) {
      if (seen.has(message.id) || message.direction === "out") continue;
      seen.add(message.id);
      say(drawSms(person.phone, { from: message.with, text: message.text, at: message.at }));
    }
    const news = chat.filter(({ id, direction }) => direction === "in" && !seen.has(id));
    for (const message of news) {
      seen.add(message.id);
      say(drawChat(person.phone, message));
    }
    if (news.length > 0) await world.post(`phones/${person.phone}/chat/read`, {});
    for (const { id, amount, account, paybill } of prompts) {
      if (seen.has(id)) continue;
      seen.add(id);
      say(drawScreen(`Pay ${amount} to ${paybill}, account ${account}? Type: pin 1234, or: refuse`));
    }
  };
}

async function obey({ person, world }: Conversation, typed: string): Promise<string> {
  const { phone, serial, account } = person;
  const [word = "", ...rest] = typed.split(/\s+/);
  switch (word.toLowerCase()) {
    case "help":
      return HELP;
    case "sms":
      return outcome(world.post(`phones/${phone}/sms`, { text: typed.slice(word.length).trim() }));
    case "wa":
      return outcome(world.post(`phones/${phone}/chat`, { text: typed.slice(word.length).trim() }));
    case "tap":
      return await tap({ phone, world }, Number(rest[0] ?? ""));
    case "pay":
      return outcome(world.post(`phones/${phone}/payment`, { amount: rest[0] ?? "", account: rest[1] ?? account }));
    case "pin":
      return await decide({ phone, world }, { pin: rest[0] ?? "" });
    case "refuse":
      return await decide({ phone, world }, { refuses: true });
    case "lamp":
      return lampLine(await typeAtLamp(world, { serial, keys: rest.join("") }));
    case "wait":
      return lampLine(await world.post<LampView>(`lamps/${serial}/clock`, { hours: Number(rest[0] ?? "24") }));
    case "signal":
      return lampLine(await world.post<LampView>(`lamps/${serial}/signal`, { isCovered: rest[0] === "on" }));
    default:
      return await callStep({ phone, world }, typed);
  }
}

async function callStep({ phone, world }: { phone: string; world: World }, typed: string): Promise<string> {
  if (typed.toLowerCase() === "hang up") {
    await world.post(`phones/${phone}/call`, { hangUp: true });
    return "The call is over.";
  }
  const step = /^\*.*#$/.test(typed) ? { dial: typed } : { answer: typed };
  const { text, isOpen } = await world.post<ScreenView>(`phones/${phone}/call`, step);
  return `${drawScreen(text)}${isOpen ? "" : "\n  The call has ended."}`;
}

async function tap({ phone, world }: { phone: string; world: World }, place: number): Promise<string> {
  const { chat } = await world.get<PhoneView>(`phones/${phone}`);
  const message = chat.findLast(({ direction }) => direction === "in");
  const button = message?.buttons[place - 1];
  if (message === undefined || button === undefined) return "There is nothing like this to press.";
  return await outcome(world.post(`phones/${phone}/chat`, { messageId: message.id, buttonId: button.id }));
}

async function decide({ phone, world }: { phone: string; world: World }, decision: object): Promise<string> {
  const { prompts } = await world.get<PhoneView>(`phones/${phone}`);
  const [prompt] = prompts;
  if (prompt === undefined) return "Nobody asks this phone for money.";
  return await outcome(world.post(`phones/${phone}/prompts/${prompt.id}`, decision));
}

async function outcome(answer: Promise<{ words: string }>): Promise<string> {
  return (await answer).words;
}

function typeAtLamp(world: World, { serial, keys }: { serial: string; keys: string }): Promise<LampView> {
  return keys === ""
    ? world.get<LampView>(`lamps/${serial}`)
    : world.post<LampView>(`lamps/${serial}/keys`, { keys: `*${keys}${keys.endsWith("#") ? "" : "#"}` });
}

function lampLine({ led, relayOn, daysLeft, count, lockedUntil, shownAt, events }: LampView): string {
  const [last] = events;
  const days = daysLeft === "unlimited" ? "unlocked for good" : `${daysLeft.toFixed(1)} days left`;
  const waits = lockedUntil === null ? "" : `, keypad waits ${String(Math.ceil((lockedUntil - shownAt) / 60_000))} min`;
  const happened = last === undefined ? "" : ` Last: ${last.kind}.`;
  return `  Lamp: light ${relayOn ? "on" : "off"} (${led}), ${days}, count ${String(count)}${waits}.${happened}`;
}
