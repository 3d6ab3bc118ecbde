import { createHmac } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody, startLocalServer } from "../local-server.ts";
import { makeDeliveryNews, type DeliveryNews } from "./delivery-news.ts";
import { makeTelegramFace, type TelegramFace } from "./telegram-face.ts";
import { makeWhatsappFace, type WhatsappFace } from "./whatsapp-face.ts";

export type ChatChannel = "whatsapp" | "telegram";

/** Something to tap below a message. */
export interface ShownButton {
  /** Empty for the button that shares the person's own number. */
  readonly id: string;
  readonly label: string;
}

/** A message as a person sees it in their chat. */
export interface ShownMessage {
  readonly channel: ChatChannel;
  readonly id: string;
  /** A number without plus at WhatsApp, the number of the chat at Telegram. */
  readonly to: string;
  readonly text: string;
  readonly buttons: readonly ShownButton[];
  /** The name of the button that opens the choices, where WhatsApp shows them as a list. */
  readonly list?: string;
  /** Shows the button that shares the person's own number. */
  readonly asksContact: boolean;
  /** ISO 8601. */
  readonly at: string;
}

/** What a face answers to a request, and what it shows for it. */
export interface FaceAnswer {
  readonly status: number;
  readonly body: object;
  readonly shown?: Omit<ShownMessage, "at">;
}

/** What the next request meets: no answer worth reading, a person who blocked us, a limit, a window that is shut. */
export type ChatFault = "http_500" | "blocked" | "too_many_requests" | "outside_window" | "silent_after_accepting";

/** An update on its way to the program: the raw bytes are what was signed. */
export interface Update {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ChatAccounts {
  readonly phoneId: string;
  readonly whatsappToken: string;
  readonly appSecret: string;
  readonly telegramToken: string;
  readonly telegramSecret: string;
}

export interface ChatSimulator {
  readonly url: string;
  readonly accounts: ChatAccounts;
  /** What WhatsApp and Telegram would post; `post` posts it, a test may post it twice or change it before. */
  readonly whatsapp: WhatsappFace;
  readonly telegram: TelegramFace;
  /** Posts an update to the program; the status and text that it answered with. */
  post(update: Update): Promise<{ status: number; text: string }>;
  /** Oldest first; of one chat where it is given. */
  shown(to?: string): readonly ShownMessage[];
  /** What WhatsApp tells the program of what it sent; undefined where it was asked to keep that to itself. */
  readonly news: DeliveryNews | undefined;
  failNext(...faults: ChatFault[]): void;
  stop(): Promise<void>;
}

const BODY_BYTES_MAX = 65_536;
const POST_TIMEOUT_MS = 10_000;

export const SIMULATED_ACCOUNTS: ChatAccounts = {
  phoneId: "106540352242922",
  whatsappToken: "simulated-whatsapp-token",
  appSecret: "simulated-app-secret",
  telegramToken: "123456:simulated-bot-token",
  telegramSecret: "simulated-telegram-secret",
};

/**
 * WhatsApp's Cloud API and Telegram's Bot API from the other side: takes what the program sends (under `/v25.0` and `/bot…`),
 * refuses what they would refuse, and lets a person write, tap and share a card towards `program`, rightly signed. What
 * was shown is read under `GET /simulator/messages?to=…`; `POST /simulator/says` with `{channel, from, text | tap | contact}`
 * is how a page speaks for a person. Loopback alone.
 */
export async function startChatSimulator({
  port = 0,
  program,
  accounts = SIMULATED_ACCOUNTS,
  tellsDelivery = false,
  now = () => Date.now(),
}: {
  port?: number;
  /** Where the program's doors are. */
  program: () => string;
  accounts?: ChatAccounts;
  /** Whether WhatsApp tells the program by itself that a message was sent and delivered. */
  tellsDelivery?: boolean;
  /** Milliseconds since 1970, for the times that updates carry. */
  now?: () => number;
}): Promise<ChatSimulator> {
  const messages: ShownMessage[] = [];
  const faults: ChatFault[] = [];
  const faces = {
    whatsapp: makeWhatsappFace({ accounts, now, doorUrl: () => `${program()}/messaging/whatsapp`, sign }),
    telegram: makeTelegramFace({ accounts, now, doorUrl: () => `${program()}/messaging/telegram` }),
  };

  function sign(body: string): string {
    return `sha256=${createHmac("sha256", accounts.appSecret).update(body).digest("hex")}`;
  }

  async function post({ url, headers, body }: Update): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(POST_TIMEOUT_MS);
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      signal,
    });
    return { status: response.status, text: await response.text() };
  }

  const news = tellsDelivery
    ? makeDeliveryNews(async ({ id, to, state }) => {
        const { status } = await post(faces.whatsapp.reports(to, [{ id, status: state }]));
        return status === 200;
      })
    : undefined;

  const shown = (to?: string): readonly ShownMessage[] =>
    to === undefined ? [...messages] : messages.filter((message) => message.to === to);

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://simulator");
    if (request.method === "GET" && pathname === "/simulator/messages")
      return write(response, 200, shown(searchParams.get("to") ?? undefined));
    if (request.method !== "POST") return write(response, 404, { error: "not found" });
    const body: unknown = JSON.parse(await readBody(request, BODY_BYTES_MAX));
    if (pathname === "/simulator/says") return write(response, 200, await post(personSays(body, faces)));
    const given = { path: pathname, authorization: request.headers.authorization, body };
    const fault = faults.shift();
    if (fault === "http_500") return write(response, 500, { error: "Internal Server Error" });
    const answer = pathname.startsWith("/bot") ? faces.telegram.take(given, fault) : faces.whatsapp.take(given, fault);
    if (answer.shown !== undefined) messages.push({ ...answer.shown, at: new Date(now()).toISOString() });
    if (fault !== "silent_after_accepting") write(response, answer.status, answer.body);
    if (answer.shown?.channel === "whatsapp") news?.arrived(answer.shown);
  }

  const server = await startLocalServer({
    port,
    serve: (request, response) => {
      take(request, response).catch((error: unknown) => write(response, 400, { error: String(error) }));
    },
  });
  return {
    url: server.url,
    accounts,
    ...faces,
    post,
    shown,
    news,
    failNext: (...next) => void faults.push(...next),
    async stop() {
      await server.stop();
      await news?.settled();
    },
  };
}

/** What a person does, as a page or a terminal tells it. */
export function personSays(
  said: unknown,
  { whatsapp, telegram }: { whatsapp: WhatsappFace; telegram: TelegramFace },
): Update {
  const read = (name: string): string | undefined => {
    const value: unknown = typeof said === "object" && said !== null ? Reflect.get(said, name) : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const [channel, from, text, tap, contact] = ["channel", "from", "text", "tap", "contact"].map(read);
  const face = channel === "telegram" ? telegram : channel === "whatsapp" ? whatsapp : undefined;
  if (face === undefined || from === undefined) throw new Error("channel (whatsapp or telegram) and from are needed.");
  if (tap !== undefined) return face.taps(from, tap);
  if (contact !== undefined && channel === "telegram") return telegram.shares(from, contact);
  if (text === undefined) throw new Error("text, tap or (Telegram) contact is needed.");
  return face.writes(from, text);
}

function write(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
