import { Router } from "express";
import type { Config } from "./config.ts";
import { makeDeliveryReportRouter } from "./messaging/messaging.http.ts";
import type { Modules } from "./modules.ts";
import { makeUssdRouter } from "./ussd/channels/ussd.http.ts";

/** The doors of those who carry our words to phones: delivery reports, and USSD where it is configured. */
export function openPhoneDoors({
  config,
  modules,
  log,
}: {
  config: Config;
  modules: Modules;
  log: { error(facts: object, text: string): void };
}): Router {
  const router = Router();
  router.use(makeDeliveryReportRouter({ secret: config.smsReportSecret ?? "", messaging: modules.messaging }));
  if (config.ussdSecret !== undefined)
    router.use(
      makeUssdRouter({
        secret: config.ussdSecret,
        talk: modules.talk,
        parsePhone: modules.customers.parsePhone,
        onFault: (error) => log.error({ error }, "A USSD hop failed on our side."),
      }),
    );
  return router;
}
