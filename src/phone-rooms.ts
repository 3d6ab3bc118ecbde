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
import type { Database } from "./platform/database.ts";
import type { Jobs } from "./platform/jobs.ts";
import { makeOutboundHttp, type OutboundSettings } from "./platform/outbound-http.ts";
import { makeSmsRouter } from "./ussd/channels/sms.http.ts";
import { makeTelegramRouter } from "./ussd/channels/telegram.http.ts";
import { makeUssdRouter } from "./ussd/channels/ussd.http.ts";
import { makeWhatsappRouter } from "./ussd/channels/whatsapp.http.ts";
import { startChatJobs } from "./ussd/chats.jobs.ts";
import { makeTalkCounters } from "./ussd/talk-counters.ts";
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

export interface PhoneRooms {
  /** The doors of those who carry words from and to phones: delivery reports and SMS, and USSD and chats where they are configured. */
  doors(): Router;
  /** Answers chats as their jobs arrive; what it answers ends the looking for lost ones. */
  startJobs(jobs: Pick<Jobs, "work">): Promise<{ stop(): Promise<void> }>;
  /** Begins to look after conversations that are over; answers what ends it. */
  startSweep(): () => Promise<void>;
}

export function openPhoneRooms({
  config,
  modules,
  database,
  clock,
  log,
  registry,
}: {
  config: Config;
  modules: Modules;
  database: Database;
  clock: Clock;
  log: { error(facts: object, text: string): void; warn(facts: object, text: string): void };
  registry: Registry;
}): PhoneRooms {
  const { chats, customers, messaging, sessionEnds, talk } = modules;
  const counters = makeTalkCounters(registry);
  const calls = new Counter({
    name: "washa_chat_calls_total",
    help: "Calls at the doors of chats by channel and outcome; forged and malformed ones too.",
    labelNames: ["channel", "outcome"],
    registers: [registry],
  });
  const observed = (channel: string) => ({
    onOutcome: (outcome: string) => calls.inc({ channel, outcome }),
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
  return {
    doors() {
      const router = Router();
      const secret = config.smsReportSecret ?? "";
      router.use(makeDeliveryReportRouter({ secret, messaging }));
      router.use(makeSmsRouter({ secret, chats, clock, readPhone, ...observed("sms") }));
      if (config.ussdSecret !== undefined)
        router.use(
          makeUssdRouter({
            secret: config.ussdSecret,
            talk,
            ends: sessionEnds,
            readPhone,
            ...counters.door,
            onFault: (error) => log.error({ error }, "A USSD hop failed on our side."),
          }),
        );
      const { whatsapp, telegram } = config.chats;
      if (whatsapp !== undefined)
        router.use(makeWhatsappRouter({ ...whatsapp, chats, messaging, readPhone, ...observed("whatsapp") }));
      if (telegram !== undefined)
        router.use(makeTelegramRouter({ ...telegram, chats, clock, readPhone, ...observed("telegram") }));
      return router;
    },
    startJobs: (jobs) =>
      startChatJobs({
        jobs,
        chats,
        onFault: (error) => log.warn({ error }, "Messages of customers that wait too long were not released."),
      }),
    startSweep() {
      const sweep = makeTalkSweep({
        database,
        clock,
        zone: config.zone,
        onAbandoned: counters.onAbandoned,
        onFault: (error) =>
          log.warn({ error }, "Conversations that are over were not looked after; it is tried again."),
      });
      sweep.start();
      return sweep.stop;
    },
  };
}
