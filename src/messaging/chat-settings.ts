/** An operator's account at WhatsApp's Cloud API. */
export interface WhatsappSettings {
  readonly phoneId: string;
  readonly token: string;
  readonly appSecret: string;
  readonly verifyToken: string;
  readonly baseUrl: string;
}

/** An operator's bot at Telegram. */
export interface TelegramSettings {
  readonly token: string;
  /** Telegram sends it with every update. */
  readonly secret: string;
  readonly baseUrl: string;
}

/** Undefined where a channel is not used. */
export interface ChatSettings {
  readonly whatsapp: WhatsappSettings | undefined;
  readonly telegram: TelegramSettings | undefined;
}

const WHATSAPP_URL = "https://graph.facebook.com/v25.0";
const TELEGRAM_URL = "https://api.telegram.org";

/** Goes into addresses and headers as it is. */
const PLAIN = /^[\w:.-]{1,512}$/;
/** As Telegram allows it for `secret_token`; shorter ones could be guessed. */
const SECRET = /^[A-Za-z0-9_-]{16,128}$/;

const NEEDED = {
  PHONE_ID: { form: /^\d{5,30}$/, what: "the digits of the phone number id are needed." },
  TOKEN: { form: PLAIN, what: "a token without spaces is needed." },
  APP_SECRET: { form: PLAIN, what: "the application's secret without spaces is needed." },
  VERIFY_TOKEN: { form: SECRET, what: "16 to 128 letters, digits, _ or - are needed." },
  SECRET: { form: SECRET, what: "16 to 128 letters, digits, _ or - are needed." },
} as const;

/** Reads the accounts of chats from the environment. A channel of which something is set needs all of it; `problems` says what lacks. */
export function parseChatSettings(env: Readonly<Record<string, string | undefined>>): {
  readonly settings: ChatSettings;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const textOf = (name: string): string => env[name]?.trim() ?? "";
  const read = (prefix: string, part: keyof typeof NEEDED): string => {
    const [name, { form, what }] = [`${prefix}_${part}`, NEEDED[part]];
    const value = textOf(name);
    if (!form.test(value)) problems.push(value === "" ? `${name} is not set; ${what}` : `${name}: ${what}`);
    return value;
  };
  const readUrl = (name: string, fallback: string): string => {
    const value = textOf(name) === "" ? fallback : textOf(name);
    const isUrl = URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
    if (!isUrl) problems.push(`${name}: a URL starting with http:// or https:// is needed.`);
    return value;
  };
  const isUsed = (prefix: string): boolean => Object.keys(NEEDED).some((part) => textOf(`${prefix}_${part}`) !== "");
  const [whatsapp, telegram] = ["WASHA_WHATSAPP", "WASHA_TELEGRAM"];
  const settings: ChatSettings = {
    whatsapp: isUsed(whatsapp)
      ? {
          phoneId: read(whatsapp, "PHONE_ID"),
          token: read(whatsapp, "TOKEN"),
          appSecret: read(whatsapp, "APP_SECRET"),
          verifyToken: read(whatsapp, "VERIFY_TOKEN"),
          baseUrl: readUrl(`${whatsapp}_BASE_URL`, WHATSAPP_URL),
        }
      : undefined,
    telegram: isUsed(telegram)
      ? {
          token: read(telegram, "TOKEN"),
          secret: read(telegram, "SECRET"),
          baseUrl: readUrl(`${telegram}_BASE_URL`, TELEGRAM_URL),
        }
      : undefined,
  };
  return { settings, problems };
}
