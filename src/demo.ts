import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startSmsGateway, type SmsGatewaySimulator } from "../simulators/sms-gateway/sms-gateway.ts";
import { makeStage } from "../simulators/stage/stage.ts";
import { signIn, type ApiClient } from "../simulators/village/client.ts";
import { connectLamps, type LampsOnline } from "../simulators/village/lamps-online.ts";
import { playStory } from "../simulators/village/story.ts";
import { settleVillage, type Village } from "../simulators/village/village.ts";
import { buildApp, type App } from "./app.ts";
import { ConfigRefused, ROLES, type Config } from "./config.ts";
import { startDemoChat, type DemoChat, type DemoChatSecrets } from "./demo-chat.ts";
import { startDemoRail, type DemoRail } from "./demo-rail.ts";
import { migrateDatabase } from "./platform/database.ts";
import { requireDatabase, startEmbeddedPostgres, type EmbeddedPostgres } from "./platform/embedded-postgres.ts";
import { openSimulator } from "./simulator-rooms.ts";

/** What the embedded defaults invent on the first start and keep: nothing here is known to anybody else. */
interface Secrets extends DemoChatSecrets {
  readonly sealingKey: string;
  readonly darajaSecret: string;
  readonly smsReportSecret: string;
  readonly ussdSecret: string;
  readonly adminPassword: string;
}

const ADMIN_EMAIL = "admin@washa.example";
/** Where rails of the operator's own are configured, and none of them takes paybill payments. */
const OTHER_SHORTCODE = "600100";
/** Signing in, a first report and its commit take a second; a slow machine has more. */
const LAMPS_REPORT_WITHIN_MS = 30_000;
const tell = (line = ""): void => void process.stdout.write(`${line}\n`);

/** Made at the first start and kept; a secret that came to the program later is made when it is missed. */
function readSecrets(folder: string): Secrets {
  const file = join(folder, "secrets.json");
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<Secrets>) : {};
  const secrets: Secrets = {
    sealingKey: randomBytes(32).toString("hex"),
    darajaSecret: randomBytes(16).toString("hex"),
    smsReportSecret: randomBytes(16).toString("hex"),
    ussdSecret: randomBytes(16).toString("hex"),
    whatsappToken: randomBytes(16).toString("hex"),
    whatsappAppSecret: randomBytes(16).toString("hex"),
    whatsappVerifyToken: randomBytes(16).toString("hex"),
    adminPassword: randomBytes(9).toString("base64url"),
    ...kept,
  };
  if (Object.keys(kept).length < Object.keys(secrets).length)
    writeFileSync(file, JSON.stringify(secrets, undefined, 2), { mode: 0o600 });
  return secrets;
}

/** Adds a person who may sign in, and audits it. Refuses an address that is taken. */
export async function seedStaff(
  app: App,
  person: { email: string; name: string; role: string; area: string | null; password: string },
): Promise<void> {
  const role = (["admin", "operations", "agent"] as const).find((known) => known === person.role);
  if (role === undefined) throw new ConfigRefused(["--role is admin, operations or agent."]);
  const passwordHash = await app.access.hashPassword(person.password);
  await app.database.db.transaction((tx) =>
    app.access.createStaff(tx, {
      email: person.email,
      name: person.name,
      role,
      area: person.area,
      language: "en",
      passwordHash,
      actor: "command line",
    }),
  );
}

/** Fills what the environment left open with embedded defaults. */
function withDefaults(
  config: Config,
  {
    databaseUrl,
    secrets,
    smsUrl,
    chat,
    rail,
  }: {
    databaseUrl: string;
    secrets: Secrets;
    smsUrl: string;
    chat: DemoChat | undefined;
    rail: DemoRail | undefined;
  },
): Config {
  return {
    ...config,
    databaseUrl,
    channels: rail === undefined ? config.channels : [rail.channel],
    sealingKey: config.sealingKey ?? Buffer.from(secrets.sealingKey, "hex"),
    darajaSecret: config.darajaSecret ?? secrets.darajaSecret,
    darajaShortcodes:
      config.darajaShortcodes.size > 0 ? config.darajaShortcodes : new Set([rail?.paybill ?? OTHER_SHORTCODE]),
    darajaSources: config.darajaSources.length > 0 ? config.darajaSources : ["127.0.0.0/8", "::1"],
    smsUsername: config.smsUsername ?? "simulator",
    smsApiKey: config.smsApiKey ?? "simulator",
    smsSender: config.smsSender ?? "WASHA",
    smsBaseUrl: config.smsBaseUrl ?? smsUrl,
    smsReportSecret: config.smsReportSecret ?? secrets.smsReportSecret,
    ussdSecret: config.ussdSecret ?? secrets.ussdSecret,
    chats: { ...config.chats, whatsapp: config.chats.whatsapp ?? chat?.settings },
    logLevel: config.logLevel === "info" ? "warn" : config.logLevel,
  };
}

async function seedAdmin(app: App, password: string): Promise<void> {
  if ((await app.access.listStaff({ limit: 1 })).length > 0) return;
  await seedStaff(app, { email: ADMIN_EMAIL, name: "Administrator", role: "admin", area: null, password });
}

/** What an operator configured is used as it is; M-Pesa is played only where nothing is. */
const hasOwnRails = ({ channels, darajaShortcodes }: Config): boolean =>
  channels.length > 0 || darajaShortcodes.size > 0;

/** Where the demonstration's own HTTP doors are, once it runs. */
const baseOf = ({ config, ports }: App): string => `http://${config.httpHost}:${String(ports.http)}`;

const c2bUrlOf = (app: App): string => `${baseOf(app)}/rails/daraja/${app.config.darajaSecret ?? ""}`;

function tellPlaces(
  app: App,
  { secrets, smsUrl, startedAt }: { secrets: Secrets; smsUrl: string; startedAt: number },
): void {
  const base = baseOf(app);
  tell(`\nWasha is up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.\n`);
  tell(`  Try it        ${base}/simulator   a phone and a lamp; at the terminal: npm run washa -- phone +254712000101`);
  tell(`  GraphQL       ${base}/graphql`);
  tell(`  Explorer      ${base}/graphql/explorer`);
  tell(`  Sign in       ${ADMIN_EMAIL}  ${secrets.adminPassword}`);
  tell(`  C2B           ${c2bUrlOf(app)}/confirmation  (and /validation)`);
  tell(`  SMS reports   ${base}/messaging/africastalking/${app.config.smsReportSecret ?? ""}/report`);
  tell(`  USSD          ${base}/ussd/africastalking/${app.config.ussdSecret ?? ""}`);
  tell(`  WhatsApp      ${base}/messaging/whatsapp`);
  tell(`  MQTT          mqtt://${app.config.httpHost}:${String(app.ports.mqtt)}`);
  tell(`  Health        ${base}/healthz  ${base}/readyz  ${base}/metrics`);
  tell(`  SMS simulator ${smsUrl}`);
  tell(`  Data          ${app.config.dataFolder}\n`);
}

/** The lamps' passwords, given by the program at the first start and kept beside their keys, as a maker would. */
async function requirePasswords(
  app: App,
  { serials, file }: { serials: readonly string[]; file: string },
): Promise<ReadonlyMap<string, string>> {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
  const missing = serials.filter((serial) => kept[serial] === undefined);
  if (missing.length > 0) {
    const act = { serials: missing, actor: "demo", reason: "the demonstration's own lamps" };
    await app.database.db.transaction(async (tx) => {
      // Where the file was lost, what it held ends.
      await app.credentials.revoke(tx, act);
      for (const { serial, password } of await app.credentials.provision(tx, act)) kept[serial] = password;
      writeFileSync(file, JSON.stringify(kept), { mode: 0o600 });
    });
  }
  return new Map(Object.entries(kept));
}

/** The village's lamps sign in to the gateway and report. Throws when their first reports are not acknowledged. */
async function putOnline(app: App, { households }: Village): Promise<LampsOnline> {
  const lamps = households.map(({ lamp }) => lamp);
  const passwords = await requirePasswords(app, {
    serials: lamps.map((lamp) => lamp.face().serial),
    file: join(app.config.dataFolder, "lamp-passwords.json"),
  });
  const online = connectLamps({
    lamps,
    passwords,
    place: { host: app.config.httpHost, port: app.ports.mqtt ?? app.config.mqttPort, isSecure: false },
    clock: { now: () => app.clock.now().getTime() },
    onObeyed: (serial, { outcome, detail }) => tell(`  ${serial} answers a command: ${detail ?? outcome}.`),
  });
  try {
    await online.reported(LAMPS_REPORT_WITHIN_MS);
  } catch (error) {
    await online.stop();
    throw error;
  }
  tell(
    `${String(lamps.length)} lamps are on the air: they signed in by MQTT, and their first reports are committed.\n`,
  );
  return online;
}

/** Gives the village's people their phones and lamps into hand: see docs/simulator.md. */
function openStage(
  app: App,
  {
    sms,
    chat,
    rail,
    ...world
  }: {
    sms: SmsGatewaySimulator;
    chat: DemoChat | undefined;
    rail: DemoRail | undefined;
    village: Village;
    lampsOnline: LampsOnline;
    api: ApiClient;
  },
): void {
  const base = baseOf(app);
  const [paybill = ""] = app.config.darajaShortcodes;
  const stage = makeStage({
    ...world,
    sms,
    chat: chat?.simulator,
    paybill,
    clock: app.clock,
    rail: rail?.simulator,
    doors: {
      ussdUrl: `${base}/ussd/africastalking/${app.config.ussdSecret ?? ""}`,
      c2bUrl: c2bUrlOf(app),
      smsUrl: `${base}/messaging/africastalking/${app.config.smsReportSecret ?? ""}/inbound`,
    },
  });
  openSimulator(app, { stage });
}

/** Starts everything on embedded defaults, plays one story, and stays up until asked to stop. */
export async function runDemo(config: Config, untilAsked: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  if (config.isProduction)
    throw new ConfigRefused([
      "NODE_ENV: `start` brings simulators and is not for production. Use: npm run washa -- serve",
    ]);
  const asked = untilAsked();
  mkdirSync(config.dataFolder, { recursive: true });
  const secrets = readSecrets(config.dataFolder);
  const closers: (() => Promise<unknown>)[] = [];
  try {
    tell("Starting PostgreSQL …");
    const server: EmbeddedPostgres | undefined =
      config.databaseUrl === undefined ? await startEmbeddedPostgres({ folder: config.dataFolder }) : undefined;
    if (server !== undefined) closers.unshift(() => server.stop());
    const databaseUrl = server === undefined ? (config.databaseUrl ?? "") : await requireDatabase(server, "washa");
    await migrateDatabase(databaseUrl);
    const sms = await startSmsGateway({ apiKey: config.smsApiKey ?? "simulator" });
    closers.unshift(() => sms.stop());
    let base = "";
    const chat =
      config.chats.whatsapp === undefined ? await startDemoChat({ secrets, program: () => base }) : undefined;
    if (chat !== undefined) closers.unshift(() => chat.simulator.stop());
    const secret = config.darajaSecret ?? secrets.darajaSecret;
    const rail = hasOwnRails(config)
      ? undefined
      : await startDemoRail(config, { secret, doorUrl: () => `${base}/rails/daraja/${secret}` });
    if (rail !== undefined) closers.unshift(() => rail.simulator.stop());
    const app = await buildApp({
      config: withDefaults(config, { databaseUrl, secrets, smsUrl: sms.url, chat, rail }),
      roles: ROLES,
    });
    closers.unshift(() => app.stop());
    await app.start();
    base = baseOf(app);
    sms.reportTo(`${base}/messaging/africastalking/${app.config.smsReportSecret ?? ""}/report`);
    await seedAdmin(app, secrets.adminPassword);
    tellPlaces(app, { secrets, smsUrl: sms.url, startedAt });
    const api = await signIn({ url: `${base}/graphql`, email: ADMIN_EMAIL, password: secrets.adminPassword });
    const village = await settleVillage({
      api,
      file: join(config.dataFolder, "village.json"),
      clock: { now: () => app.clock.now().getTime() },
    });
    const [household] = village.households;
    if (household === undefined) throw new Error("The village is empty.");
    const online = await putOnline(app, village);
    closers.unshift(() => online.stop());
    openStage(app, { sms, chat, rail, village, lampsOnline: online, api });
    tell("One payment, from the phone to the light:\n");
    const [shortcode = ""] = app.config.darajaShortcodes;
    await playStory({
      api,
      household,
      doorUrl: c2bUrlOf(app),
      shortcode,
      smsGatewayUrl: sms.url,
      tell,
    });
    village.save();
    tell(
      `\n${((performance.now() - startedAt) / 1000).toFixed(1)} s after the start. Ctrl-C stops it; the next start keeps the data.`,
    );
    await asked;
    village.save();
    tell("\nStopping …");
  } finally {
    for (const close of closers) await close();
  }
  tell("Stopped.");
}
