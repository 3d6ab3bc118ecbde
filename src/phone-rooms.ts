import { Router } from "express";
import { Counter, type Registry } from "prom-client";
import type { Config } from "./config.ts";
import type { E164 } from "./customers/customers.ts";
import { InvalidInput } from "./kernel/refusal.ts";
import type { Clock } from "./kernel/time.ts";
import { makeTelegramGateway } from "./messaging/gateway.telegram.ts";
import { makeWhatsappGateway } from "./messaging/gateway.whatsapp.ts";
import { makeDeliveryReportRouter } from "./messaging/messaging.http.ts";
import type { Gateway } from "./messaging/messaging.ts";
import type { Modules } from "./modules.ts";
import type { Jobs } from "./platform/jobs.ts";
import type { Database } from "./platform/database.ts";
import { makeOutboundHttp, type OutboundSettings } from "./platform/outbound-http.ts";
import { makeSmsRouter } from "./ussd/channels/sms.http.ts";
import { makeTelegramRouter } from "./ussd/channels/telegram.http.ts";
import { makeUssdRouter } from "./ussd/channels/ussd.http.ts";
import { makeWhatsappRouter } from "./ussd/channels/whatsapp.http.ts";
import { startChatJobs } from "./ussd/chats.jobs.ts";
import { countAbandoned, watchUssdDoor } from "./ussd/talk-counters.ts";
import { makeTalkSweep } from "./ussd/talk.jobs.ts";

/** Whoever takes our words to chats, of the channels that are configured. */
export function chatGateways(
  { chats: { whatsapp, telegram } }: Config,
  settings: Partial<OutboundSettings> & { readonly clock: Clock },
): { whatsapp?: Gateway; telegram?: Gateway } {
  const httpOf = (baseUrl: string) => makeOutboundHttp({ ...settings, baseUrl });
  return {
    ...(whatsapp === undefined
      ? {}
      : { whatsapp: makeWhatsappGateway({ ...whatsapp, http: httpOf(whatsapp.baseUrl) }) }),
    ...(telegram === undefined
      ? {}
      : { telegram: makeTelegramGateway({ ...telegram, http: httpOf(telegram.baseUrl) }) }),
  };
}

interface PhoneRoom {
  readonly modules: Modules;
  readonly log: { error(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/** The doors of those who carry words from and to phones: delivery reports and SMS, and USSD and chats where they are configured. */
export function openPhoneDoors({
  config,
  modules,
  clock,
  registry,
  log,
}: PhoneRoom & { config: Config; clock: Clock; registry: Registry }): Router {
  const { chats, customers, messaging, talk } = modules;
  const secret = config.smsReportSecret ?? "";
  const outcomes = new Counter({
    name: "washa_chat_calls_total",
    help: "Calls at the doors of chats by channel and outcome; forged and malformed ones too.",
    labelNames: ["channel", "outcome"],
    registers: [registry],
  });
  const observed = (channel: string) => ({
    onOutcome: (outcome: string) => outcomes.inc({ channel, outcome }),
    onFault: (error: unknown) =>
      log.error({ error, channel }, "A message of a customer could not be kept; it comes again."),
  });
  const readPhone = (text: string): E164 | undefined => {
    try {
      return customers.parsePhone(text);
    } catch (error) {
      if (error instanceof InvalidInput) return undefined;
      throw error;
    }
  };
  const router = Router();
  router.use(makeDeliveryReportRouter({ secret, messaging }));
  router.use(makeSmsRouter({ secret, chats, clock, readPhone, ...observed("sms") }));
  if (config.ussdSecret !== undefined)
    router.use(
      makeUssdRouter({
        secret: config.ussdSecret,
        talk,
        ends: modules.sessionEnds,
        readPhone,
        ...watchUssdDoor(registry),
        onFault: (error) => log.error({ error }, "A USSD hop failed on our side."),
      }),
    );
  const { whatsapp, telegram } = config.chats;
  if (whatsapp !== undefined)
    router.use(makeWhatsappRouter({ ...whatsapp, chats, messaging, readPhone, ...observed("whatsapp") }));
  if (telegram !== undefined)
    router.use(makeTelegramRouter({ ...telegram, chats, clock, readPhone, ...observed("telegram") }));
  return router;
}

/** Answers chats as their jobs arrive, and looks after conversations that are over. Returns what ends both. */
export async function startPhoneJobs({
  config,
  jobs,
  modules: { chats },
  database,
  clock,
  registry,
  log,
}: PhoneRoom & {
  config: Config;
  jobs: Pick<Jobs, "work">;
  database: Database;
  clock: Clock;
  registry: Registry;
}): Promise<{ stop(): Promise<void> }> {
  const chatJobs = await startChatJobs({
    jobs,
    chats,
    onFault: (error) => log.warn({ error }, "Messages of customers that wait too long were not released."),
  });
  const sweep = makeTalkSweep({
    database,
    clock,
    zone: config.zone,
    heardKeptDays: config.messages.heardKeptDays,
    onAbandoned: countAbandoned(registry),
    onFault: (error) => log.warn({ error }, "Conversations that are over were not looked after; it is tried again."),
  });
  sweep.start();
  return {
    async stop() {
      await Promise.all([chatJobs.stop(), sweep.stop()]);
    },
  };
}
