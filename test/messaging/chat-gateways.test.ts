import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/kernel/time.ts";
import { parseChatSettings } from "../../src/messaging/chat-settings.ts";
import { makeTelegramGateway } from "../../src/messaging/gateway.telegram.ts";
import { makeWhatsappGateway } from "../../src/messaging/gateway.whatsapp.ts";
import { makeOutboundHttp } from "../../src/platform/outbound-http.ts";
import { SIMULATED_ACCOUNTS, startChatSimulator } from "../../simulators/chat/chat-simulator.ts";

const { phoneId, whatsappToken, telegramToken } = SIMULATED_ACCOUNTS;

async function open({ token }: { token?: string } = {}) {
  const simulator = await startChatSimulator({ program: () => "http://127.0.0.1:9" });
  const httpOf = (baseUrl: string) =>
    makeOutboundHttp({ baseUrl, clock: systemClock, timeoutMs: 1_000, retriesMax: 0 });
  return {
    simulator,
    whatsapp: makeWhatsappGateway({ http: httpOf(`${simulator.url}/v25.0`), phoneId, token: token ?? whatsappToken }),
    telegram: makeTelegramGateway({ http: httpOf(simulator.url), token: token ?? telegramToken }),
  };
}

const TO = { whatsapp: "+254711000111", telegram: "55512345" } as const;

describe.each(["whatsapp", "telegram"] as const)("%s", (channel) => {
  test("shows a person the text as written and what there is to tap, under an id of its own", async () => {
    const place = await open();
    const buttons = [
      { id: "1.1", label: "Payer 1 000 F" },
      { id: "1.2", label: "Voir le solde de mon compte" },
    ];
    const first = await place[channel].send({ to: TO[channel], text: "Bonjour, ça va ? 🔦", buttons });
    const second = await place[channel].send({ to: TO[channel], text: "x" });
    expect([first, second]).toMatchObject([{ accepted: true }, { accepted: true }]);
    expect(new Set([first, second].map((one) => (one.accepted ? one.providerId : ""))).size).toBe(2);
    const [shown] = place.simulator.shown(TO[channel].replace("+", ""));
    expect(shown).toMatchObject({ text: "Bonjour, ça va ? 🔦", buttons });
    await place.simulator.stop();
  });

  test("is tried again after a fault, a limit and a lost answer, and not where the person cannot be reached", async () => {
    const place = await open();
    const send = () => place[channel].send({ to: TO[channel], text: "token 1" });
    place.simulator.failNext("http_500", "too_many_requests", "silent_after_accepting", "blocked");
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await send()).toMatchObject({ accepted: false, permanent: false });
    expect(await send()).toMatchObject({ accepted: false, permanent: true });
    expect(await send()).toMatchObject({ accepted: true });
    expect(place.simulator.shown().map(({ text }) => text)).toEqual(["token 1", "token 1"]);
    await place.simulator.stop();
  });

  test("names a wrong token and an absent service without the token", async () => {
    const place = await open({ token: "a-secret-token" });
    const refused = await place[channel].send({ to: TO[channel], text: "x" });
    await place.simulator.stop();
    const away = await place[channel].send({ to: TO[channel], text: "x" });
    expect([refused, away]).toMatchObject([
      { accepted: false, permanent: false },
      { accepted: false, permanent: false },
    ]);
    expect(JSON.stringify([refused, away])).not.toContain("a-secret-token");
  });
});

test("WhatsApp says in words that the day for free text is over, and takes a template then", async () => {
  const { simulator, whatsapp } = await open();
  simulator.failNext("outside_window");
  expect(await whatsapp.send({ to: TO.whatsapp, text: "x" })).toEqual({
    accepted: false,
    reason: "outside the 24-hour window",
    permanent: true,
  });
  const template = { name: "days_low", language: "sw", values: ["3"] };
  expect(await whatsapp.send({ to: TO.whatsapp, text: "x", template })).toMatchObject({ accepted: true });
  expect(simulator.shown().at(-1)?.text).toBe("[days_low]");
  await simulator.stop();
});

test("a text that is too long for buttons goes whole and without them", async () => {
  const { simulator, whatsapp } = await open();
  const text = "123 456 789, ".repeat(100);
  await whatsapp.send({ to: TO.whatsapp, text, buttons: [{ id: "1.00", label: "Home" }] });
  expect(simulator.shown()).toMatchObject([{ text, buttons: [] }]);
  await simulator.stop();
});

test("a channel of which something is set needs all of it, and nothing set means that there is none", () => {
  expect(parseChatSettings({})).toEqual({ settings: { whatsapp: undefined, telegram: undefined }, problems: [] });
  const { problems } = parseChatSettings({ WASHA_WHATSAPP_PHONE_ID: "12345", WASHA_TELEGRAM_SECRET: "short" });
  expect(problems.map((problem) => problem.split(/[ :]/)[0])).toEqual([
    "WASHA_WHATSAPP_TOKEN",
    "WASHA_WHATSAPP_APP_SECRET",
    "WASHA_WHATSAPP_VERIFY_TOKEN",
    "WASHA_TELEGRAM_TOKEN",
    "WASHA_TELEGRAM_SECRET",
  ]);
});
