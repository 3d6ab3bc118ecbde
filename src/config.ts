import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import {
  checkCountry,
  checkLevel,
  checkShortcode,
  checkSource,
  checkUrl,
  parseLimit,
  parseSealingKey,
  parseYes,
} from "./config-values.ts";
import { parseCurrency, type Currency } from "./kernel/money.ts";
import { parseZone } from "./kernel/time.ts";
import { parseMessageSettings, type MessageSettings } from "./messaging/message-settings.ts";
import { parseChatSettings, type ChatSettings } from "./messaging/chat-settings.ts";
import { parseChannels } from "./payments/channel-config.ts";
import type { ChannelConfig } from "./payments/payments.ts";
import { parseClientName, parseTopicFilter } from "./telemetry/broker/topics.ts";
import { parseGroups, parseInstances, parsePortals } from "./telemetry/frames/bridges.ts";
import { simSwapSettings, type SimSwapSettings } from "./ussd/sim-swap-settings.ts";
import { VARIABLES } from "./variables.ts";

export { VARIABLES } from "./variables.ts";

export const ROLES = ["api", "gateway", "settle", "worker", "history"] as const;
export type AppRole = (typeof ROLES)[number];

/** Everything the environment decides, parsed once and frozen. Secrets stand only here. */
export interface Config {
  /** PostgreSQL 15 or newer; undefined means the embedded one. */
  readonly databaseUrl: string | undefined;
  /** Jobs on Redis; undefined means on PostgreSQL. */
  readonly redisUrl: string | undefined;
  /** History on a ClickHouse server; undefined means the embedded one. */
  readonly clickhouseUrl: string | undefined;
  readonly clickhouseCluster: string | undefined;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly mqttPort: number;
  /** Several gateways of this machine listen on the same port. */
  readonly mqttPortShared: boolean;
  readonly mqttsPort: number;
  /** Whether devices may come to our own gateway without TLS. */
  readonly mqttPlain: boolean;
  /** With it, our own gateway speaks TLS on a port of its own. */
  readonly mqttCertificate: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** How devices reach the broker from outside; undefined means at the HTTP host and the MQTT port. */
  readonly mqttPublicUrl: string | undefined;
  /** A broker outside, with our gateway's user; undefined means that devices come to our own gateway. */
  readonly mqttUrl: string | undefined;
  /** The same broker with the user who may control Mosquitto's accounts. */
  readonly mqttControlUrl: string | undefined;
  /** The name of this process at the broker outside, the same after every start. */
  readonly mqttName: string;
  /** Whether several processes share what that broker brings; not every broker keeps its promises then. */
  readonly mqttShared: boolean;
  /** Topic filters besides those of devices: vendors' own, bridges. */
  readonly mqttTopics: readonly string[];
  /** Victron portals and the serials that they have here. */
  readonly victronPortals: ReadonlyMap<string, string>;
  /** Which of several like services of a portal counts, by "portal/service". */
  readonly victronInstances: ReadonlyMap<string, string>;
  /** Sparkplug groups whose nodes are believed. */
  readonly sparkplugGroups: ReadonlySet<string>;
  /** Whether readings must be signed by the device's key although its connection is known. */
  readonly signedFrames: "optional" | "required";
  /** Shared with a broker that asks us over HTTP who may speak. */
  readonly mqttAuthSecret: string | undefined;
  /** Whether tokens are sent to devices that can be reached: never, besides the SMS, or instead of it while that works. */
  readonly tokenByAir: "off" | "both" | "first";
  /** With `first`: how long the SMS with the token waits for the device. */
  readonly tokenByAirMinutes: number;
  /** Where the embedded defaults keep their data. */
  readonly dataFolder: string;
  /** Instalments fall due on days of this zone; M-Pesa's times are in it. */
  readonly zone: string;
  /** Phone numbers without prefix are from here: ISO 3166 alpha-2. */
  readonly country: string;
  readonly currency: Currency;
  /** 32 bytes; seals device keys at rest. */
  readonly sealingKey: Uint8Array | undefined;
  /** Where the company works: the currency and zone of each country. The first is the operator's own. */
  readonly countries: readonly CountryConfig[];
  /** How providers reach our doors from outside; undefined means at the HTTP host and port. */
  readonly publicUrl: string | undefined;
  /** From the rails file. */
  readonly channels: readonly ChannelConfig[];
  /** Above these amounts (minor units) an act of the desk needs a second person. */
  readonly approvalAbove: ReadonlyMap<Currency, bigint>;
  readonly darajaSecret: string | undefined;
  readonly darajaShortcodes: ReadonlySet<string>;
  readonly darajaSources: readonly string[];
  readonly trustedProxyHops: number;
  readonly smsUsername: string | undefined;
  readonly smsApiKey: string | undefined;
  readonly smsSender: string | undefined;
  readonly smsBaseUrl: string | undefined;
  readonly smsReportSecret: string | undefined;
  readonly messages: MessageSettings;
  /** WhatsApp and Telegram, where they are used. */
  readonly chats: ChatSettings;
  /** Without it there is no USSD door. */
  readonly ussdSecret: string | undefined;
  /** Undefined: nobody is asked whether a SIM card is new. */
  readonly simSwap: SimSwapSettings | undefined;
  readonly settleBatchMax: number;
  readonly databaseConnectionsMax: number;
  /** Days of readings that PostgreSQL keeps; those before are history's. Older readings that arrive are set aside. */
  readonly keptDays: number;
  /** Connections by which one process writes readings. */
  readonly ingestLanes: number;
  /** Takes device requests over HTTP that sign neither time nor count, which whoever hears one can send again. */
  readonly metricsSimpleAuth: boolean;
  readonly isProduction: boolean;
  readonly logLevel: string;
}

export interface CountryConfig {
  readonly country: string;
  readonly currency: Currency;
  readonly zone: string;
}

/** The configuration cannot be used; each line names a variable and what to do. */
export class ConfigRefused extends Error {
  constructor(problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "ConfigRefused";
  }
}

const MQTT_PROTOCOLS = ["mqtt:", "mqtts:", "ws:", "wss:"];
const FORBIDDEN_IN_DARAJA_URL = /mpesa|safaricom|exe|cmd|sql|query/i;

/** Reads the environment. Throws ConfigRefused with every problem at once. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const text = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === undefined || value === "" ? undefined : value;
  };
  const attempt = <Value>(name: string, fallback: Value, read: (value: string) => Value): Value => {
    const value = text(name);
    if (value === undefined) return fallback;
    try {
      return read(value);
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return fallback;
    }
  };
  const whole = (name: string, fallback: number, { least, most }: { least: number; most: number }): number =>
    attempt(name, fallback, (value) => {
      if (!/^\d+$/.test(value) || Number(value) < least || Number(value) > most)
        throw new Error(`a whole number from ${least} to ${most} is needed.`);
      return Number(value);
    });
  const url = (name: string, protocols: readonly string[]): string | undefined =>
    attempt(name, undefined, (value): string | undefined => checkUrl(value, protocols));
  const list = (value: string): readonly string[] =>
    value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  const secret = (name: string, value: string): string => {
    if (!/^[A-Za-z0-9_-]{16,128}$/.test(value))
      throw new Error("16 to 128 letters, digits, _ or - are needed, such as from: openssl rand -hex 16");
    if (name === "WASHA_DARAJA_SECRET" && FORBIDDEN_IN_DARAJA_URL.test(value))
      throw new Error("Safaricom refuses URLs that contain mpesa, safaricom, exe, cmd, sql or query.");
    return value;
  };
  const chats = parseChatSettings(env);
  problems.push(...chats.problems);
  const config: Config = {
    databaseUrl: url("DATABASE_URL", ["postgres:", "postgresql:"]),
    redisUrl: url("REDIS_URL", ["redis:", "rediss:"]),
    clickhouseUrl: url("CLICKHOUSE_URL", ["http:", "https:"]),
    clickhouseCluster: text("CLICKHOUSE_CLUSTER"),
    httpHost: text("WASHA_HTTP_HOST") ?? "127.0.0.1",
    httpPort: whole("WASHA_HTTP_PORT", 4000, { least: 0, most: 65_535 }),
    mqttPort: whole("WASHA_MQTT_PORT", 1883, { least: 0, most: 65_535 }),
    mqttsPort: whole("WASHA_MQTTS_PORT", 8883, { least: 0, most: 65_535 }),
    mqttPortShared: attempt("WASHA_MQTT_PORT_SHARED", false, parseYes),
    mqttPlain: attempt("WASHA_MQTT_PLAIN", true, parseYes),
    mqttCertificate: pairOf(text("WASHA_MQTTS_CERT"), text("WASHA_MQTTS_KEY")),
    mqttUrl: url("MQTT_URL", MQTT_PROTOCOLS),
    mqttControlUrl: url("MQTT_CONTROL_URL", MQTT_PROTOCOLS),
    mqttName: attempt("WASHA_MQTT_NAME", `washa-${hostname()}`, parseClientName),
    mqttShared: attempt("WASHA_MQTT_SHARED", false, parseYes),
    mqttTopics: attempt<readonly string[]>("WASHA_MQTT_TOPICS", [], (value) => list(value).map(parseTopicFilter)),
    ...attempt<Pick<Config, "victronPortals" | "victronInstances">>(
      "WASHA_VICTRON_PORTALS",
      { victronPortals: new Map(), victronInstances: new Map() },
      (value) => {
        const said = value.includes("=") ? value : readText(value);
        return { victronPortals: parsePortals(said), victronInstances: parseInstances(said) };
      },
    ),
    sparkplugGroups: attempt<ReadonlySet<string>>("WASHA_SPARKPLUG_GROUPS", new Set(), parseGroups),
    signedFrames: attempt<"optional" | "required">("WASHA_SIGNED_FRAMES", "optional", (value) => {
      if (value !== "optional" && value !== "required") throw new Error("optional or required is needed.");
      return value;
    }),
    mqttAuthSecret: attempt<string | undefined>("WASHA_MQTT_AUTH_SECRET", undefined, (value) =>
      secret("WASHA_MQTT_AUTH_SECRET", value),
    ),
    mqttPublicUrl: url("WASHA_MQTT_PUBLIC_URL", MQTT_PROTOCOLS),
    tokenByAir: attempt<Config["tokenByAir"]>("WASHA_TOKEN_BY_AIR", "both", parseTokenByAir),
    tokenByAirMinutes: whole("WASHA_TOKEN_BY_AIR_MINUTES", 10, { least: 1, most: 1_440 }),
    dataFolder: text("WASHA_DATA") ?? ".washa",
    zone: attempt("WASHA_TIME_ZONE", "Africa/Nairobi", parseZone),
    country: attempt("WASHA_COUNTRY", "KE", checkCountry),
    currency: attempt<Currency>("WASHA_CURRENCY", "KES", parseCurrency),
    countries: [],
    publicUrl: url("WASHA_PUBLIC_URL", ["http:", "https:"]),
    channels: attempt<readonly ChannelConfig[]>("WASHA_RAILS", [], (file) => readChannels(file, { env, problems })),
    approvalAbove: attempt<ReadonlyMap<Currency, bigint>>(
      "WASHA_APPROVAL_ABOVE",
      new Map(),
      (value) => new Map(list(value).map(parseLimit)),
    ),
    sealingKey: attempt<Uint8Array | undefined>("WASHA_KEY", undefined, parseSealingKey),
    darajaSecret: attempt<string | undefined>("WASHA_DARAJA_SECRET", undefined, (value) =>
      secret("WASHA_DARAJA_SECRET", value),
    ),
    darajaShortcodes: attempt<ReadonlySet<string>>(
      "WASHA_DARAJA_SHORTCODES",
      new Set(),
      (value) => new Set(list(value).map(checkShortcode)),
    ),
    darajaSources: attempt<readonly string[]>("WASHA_DARAJA_SOURCES", [], (value) => list(value).map(checkSource)),
    trustedProxyHops: whole("WASHA_PROXY_HOPS", 0, { least: 0, most: 10 }),
    smsUsername: text("WASHA_SMS_USERNAME"),
    smsApiKey: text("WASHA_SMS_KEY"),
    smsSender: text("WASHA_SMS_SENDER"),
    smsBaseUrl: url("WASHA_SMS_URL", ["http:", "https:"]),
    smsReportSecret: attempt<string | undefined>("WASHA_SMS_SECRET", undefined, (value) =>
      secret("WASHA_SMS_SECRET", value),
    ),
    messages: parseMessageSettings(attempt),
    chats: chats.settings,
    ussdSecret: attempt<string | undefined>("WASHA_USSD_SECRET", undefined, (value) =>
      secret("WASHA_USSD_SECRET", value),
    ),
    simSwap: simSwapSettings(url("WASHA_SIM_SWAP_URL", ["http:", "https:"]), text("WASHA_SIM_SWAP_TOKEN"), problems),
    settleBatchMax: whole("WASHA_SETTLE_BATCH", 200, { least: 1, most: 2_000 }),
    databaseConnectionsMax: whole("WASHA_DB_CONNECTIONS", 10, { least: 2, most: 200 }),
    // Battery health reads a week when it is over and two days more have passed: its Monday is nine days old then.
    keptDays: whole("WASHA_KEPT_DAYS", 40, { least: 10, most: 365 }),
    ingestLanes: whole("WASHA_INGEST_LANES", 1, { least: 1, most: 16 }),
    metricsSimpleAuth: whole("WASHA_METRICS_SIMPLE_AUTH", 0, { least: 0, most: 1 }) === 1,
    isProduction: env["NODE_ENV"] === "production",
    logLevel: attempt("WASHA_LOG", "info", checkLevel),
  };
  const further = attempt<readonly CountryConfig[]>("WASHA_COUNTRIES", [], (value) =>
    list(value).map(parseCountryConfig),
  );
  const { country, currency, zone } = config;
  Object.assign(config, { countries: [{ country, currency, zone }, ...further] });
  const lacksCertificate = config.mqttCertificate === undefined;
  if (lacksCertificate && (text("WASHA_MQTTS_CERT") ?? text("WASHA_MQTTS_KEY")) !== undefined)
    problems.push("WASHA_MQTTS_CERT and WASHA_MQTTS_KEY: both are needed, or none.");
  if (lacksCertificate && !config.mqttPlain)
    problems.push("WASHA_MQTT_PLAIN: no would let nobody in: set WASHA_MQTTS_CERT and WASHA_MQTTS_KEY.");
  // Births would come to one process and data to another.
  if (config.mqttShared && config.sparkplugGroups.size > 0)
    problems.push("WASHA_MQTT_SHARED: no is needed with WASHA_SPARKPLUG_GROUPS: each process must see every birth.");
  for (const name of Object.keys(env)) {
    if (name.startsWith("WASHA_") && !(name in VARIABLES))
      problems.push(`${name}: there is no such variable. Known: ${Object.keys(VARIABLES).join(", ")}.`);
  }
  if (problems.length > 0) throw new ConfigRefused(problems);
  return Object.freeze(config);
}

function readChannels(
  file: string,
  { env, problems }: { env: Readonly<Record<string, string | undefined>>; problems: string[] },
): readonly ChannelConfig[] {
  const { channels, problems: found } = parseChannels(readText(file), { env, checkSource });
  problems.push(...found.map((problem) => `WASHA_RAILS: ${problem}`));
  return channels;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new Error(`the file "${file}" cannot be read.`);
  }
}

function pairOf(certFile: string | undefined, keyFile: string | undefined): Config["mqttCertificate"] {
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}

function parseCountryConfig(text: string): CountryConfig {
  const [country = "", currency = "", zone = ""] = text.split(":");
  return { country: checkCountry(country), currency: parseCurrency(currency), zone: parseZone(zone) };
}

/** The name under which M-Pesa C2B stands in the books when it is configured by variables alone. */
const MPESA = "mpesa";

/** All channels: those of the rails file, and M-Pesa C2B where the variables configure it. */
export function channelsOf(config: Config): readonly ChannelConfig[] {
  const { darajaSecret, darajaShortcodes, channels } = config;
  if (darajaSecret === undefined || darajaShortcodes.size === 0) return channels;
  const mpesa: ChannelConfig = {
    name: MPESA,
    adapter: "daraja",
    path: "daraja",
    secret: darajaSecret,
    sources: config.darajaSources,
    confirmByEnquiry: false,
    country: config.country,
    currency: config.currency,
    zone: config.zone,
    settings: { baseUrl: "https://api.safaricom.co.ke", shortcodes: [...darajaShortcodes] },
  };
  return channels.some(({ name, path }) => name === MPESA || path === "daraja") ? channels : [mpesa, ...channels];
}

/** What `serve` cannot do without; `start` fills it with embedded defaults instead. */
export function requireServing(config: Config, roles: readonly AppRole[]): Config {
  const problems: string[] = [];
  const need = (value: unknown, name: string): void => {
    if (value === undefined || (value instanceof Set && value.size === 0))
      problems.push(`${name} is not set. ${VARIABLES[name] ?? ""}`);
  };
  need(config.databaseUrl, "DATABASE_URL");
  need(config.sealingKey, "WASHA_KEY");
  if (roles.includes("api")) {
    if (config.channels.length === 0 || config.darajaSecret !== undefined || config.darajaShortcodes.size > 0) {
      need(config.darajaSecret, "WASHA_DARAJA_SECRET");
      need(config.darajaShortcodes, "WASHA_DARAJA_SHORTCODES");
    }
    need(config.smsReportSecret, "WASHA_SMS_SECRET");
  }
  if (roles.includes("worker")) {
    need(config.smsUsername, "WASHA_SMS_USERNAME");
    need(config.smsApiKey, "WASHA_SMS_KEY");
  }
  if (problems.length > 0) throw new ConfigRefused(problems);
  return config;
}

function parseTokenByAir(value: string): Config["tokenByAir"] {
  if (value === "off" || value === "both" || value === "first") return value;
  throw new Error("one of both, first, off is needed.");
}

/** Reads the process environment; nobody else does. */
export function readConfig(): Config {
  return parseConfig(process.env);
}

/** Both or none: an address without its token would leave every SIM card unknown. */
