import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChatSimulator } from "../../simulators/chat/chat-simulator.ts";
import type { SmsGatewaySimulator } from "../../simulators/sms-gateway/sms-gateway.ts";
import { makeStage, type Stage } from "../../simulators/stage/stage.ts";
import { signIn } from "../../simulators/village/client.ts";
import { connectLamps } from "../../simulators/village/lamps-online.ts";
import { settleVillage, type Village } from "../../simulators/village/village.ts";
import { seedStaff } from "../../src/demo.ts";
import { TEST_DARAJA_SECRET, TEST_SHORTCODE, TEST_USSD_SECRET, type TestApp } from "./app.ts";

export interface TestStage {
  readonly stage: Stage;
  /** Where the village is kept; goes with the stage. */
  readonly folder: string;
  /** The village as the next start finds it. */
  settle(): Promise<Village>;
  stop(): Promise<void>;
}

const PASSWORD = "a long enough password";

/** The village's people with their phones and lamps at a program's doors. Lamps are off the air; nobody reads SMS. */
export async function startTestStage(
  { app, url, clock }: TestApp,
  { sms, chat }: { sms: SmsGatewaySimulator; chat?: ChatSimulator },
): Promise<TestStage> {
  const folder = mkdtempSync(join(tmpdir(), "washa-phone-"));
  await seedStaff(app, { email: "a@b.example", name: "A", role: "admin", area: null, password: PASSWORD });
  const api = await signIn({ url: `${url}/graphql`, email: "a@b.example", password: PASSWORD });
  const now = { now: () => clock.now().getTime() };
  const settle = () => settleVillage({ api, file: join(folder, "village.json"), clock: now });
  const village = await settle();
  // Nobody gave these lamps passwords: they stay off the air, and their keypads are the only way in.
  const place = { host: "127.0.0.1", port: 9, isSecure: false };
  const lampsOnline = connectLamps({ lamps: [], passwords: new Map(), place, clock: now });
  const stage = makeStage({
    village,
    sms,
    chat,
    rail: undefined,
    lampsOnline,
    api,
    clock,
    paybill: TEST_SHORTCODE,
    doors: {
      ussdUrl: `${url}/ussd/africastalking/${TEST_USSD_SECRET}`,
      c2bUrl: `${url}/rails/daraja/${TEST_DARAJA_SECRET}`,
      smsUrl: undefined,
    },
  });
  return {
    stage,
    folder,
    settle,
    async stop() {
      await lampsOnline.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
