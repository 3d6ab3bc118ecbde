import { afterAll, beforeAll } from "vitest";
import { buildApp, type App } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import type { OutboundSettings } from "../../src/platform/outbound-http.ts";
import { cloneDatabase } from "./database.ts";

export const TEST_START = new Date("2026-03-02T06:00:00Z");
export const TEST_SHORTCODE = "600966";
export const TEST_USSD_SECRET = "ussd0123456789abcdef";
export const TEST_SMS_SECRET = "sms0123456789abcdef";
export const TEST_DARAJA_SECRET = "0123456789abcdefTEST";

/** A program on a database of its own, with a clock that only the test moves. Its loops run when the test says so. */
export interface TestApp {
  readonly app: App;
  readonly clock: ReturnType<typeof makeManualClock>;
  /** Base URL of its HTTP doors. */
  readonly url: string;
  /** Settles everything that is due; answers how many payments were booked. */
  settle(): Promise<number>;
}

export async function startTestApp({
  roles = ["api"],
  env = {},
  outbound = {},
}: {
  roles?: readonly ("api" | "gateway" | "settle" | "worker")[];
  env?: Record<string, string>;
  /** How providers are called, where a test cannot wait as long as the world does. */
  outbound?: Partial<OutboundSettings>;
} = {}): Promise<TestApp & { drop(): Promise<void> }> {
  const cloned = await cloneDatabase({ connectionsMax: 1 });
  const clock = makeManualClock(TEST_START);
  const config = parseConfig({
    DATABASE_URL: cloned.url,
    WASHA_HTTP_PORT: "0",
    WASHA_MQTT_PORT: "0",
    WASHA_KEY: "11".repeat(32),
    WASHA_DARAJA_SECRET: TEST_DARAJA_SECRET,
    WASHA_DARAJA_SHORTCODES: TEST_SHORTCODE,
    WASHA_SMS_SECRET: TEST_SMS_SECRET,
    WASHA_USSD_SECRET: TEST_USSD_SECRET,
    WASHA_SMS_USERNAME: "test",
    WASHA_SMS_KEY: "test",
    WASHA_SMS_URL: "http://127.0.0.1:9",
    WASHA_LOG: "silent",
    ...env,
  });
  const app = await buildApp({ config, roles, clock, outbound });
  await app.start();
  return {
    app,
    clock,
    url: `http://127.0.0.1:${String(app.ports.http)}`,
    settle: () => app.settleLoop.settleAll(),
    async drop() {
      await app.stop();
      await cloned.drop();
    },
  };
}

/** Gives the test file a running program of its own. Read `.current` inside tests. */
export function useApp(options: Parameters<typeof startTestApp>[0] = {}): { readonly current: TestApp } {
  let started: Awaited<ReturnType<typeof startTestApp>> | undefined;
  beforeAll(async () => {
    started = await startTestApp(options);
  });
  afterAll(async () => {
    await started?.drop();
  });
  return {
    get current() {
      if (started === undefined) throw new Error("The program runs only while tests run.");
      return started;
    },
  };
}
