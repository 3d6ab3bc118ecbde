import { describe, expect, test } from "vitest";
import packageUrls from "africastalking/lib/common.js";
import { makeAfricasTalkingGateway } from "../../src/messaging/gateway.africastalking.ts";
import { startSmsGateway } from "../../simulators/sms-gateway/sms-gateway.ts";
import { makeFakeGateway } from "./fake-gateway.ts";
import { describeGateway } from "./gateway-contract.ts";

const open = async ({ username = "acme", timeoutMs = 1_000, apiKey = "simulator" } = {}) => {
  const simulator = await startSmsGateway();
  const gateway = makeAfricasTalkingGateway({ username, apiKey, baseUrl: simulator.url, timeoutMs });
  return {
    simulator,
    gateway,
    received: (number: string) => simulator.messages(number).map(({ text }) => text),
    failNext: simulator.failNext,
    close: simulator.stop,
  };
};

describe("the gateway made by hand", () => {
  describeGateway(() => Promise.resolve(makeFakeGateway()));
});

describe("Africa's Talking, against its simulator", () => {
  describeGateway(() => open());

  test("two services side by side never get each other's messages, even when one is the sandbox", async () => {
    const [real, sandbox] = await Promise.all([
      open({ timeoutMs: 20_000 }),
      open({ username: "sandbox", timeoutMs: 20_000 }),
    ]);
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? real : sandbox).gateway.send({ to: "+254711000111", text: String(at) }),
      ),
    );
    const numbers = (texts: readonly string[]): number[] => texts.map(Number).sort((left, right) => left - right);
    expect(numbers(real.received("+254711000111"))).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    expect(numbers(sandbox.received("+254711000111"))).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    await Promise.all([real.close(), sandbox.close()]);
  });

  test("a call that takes too long is cut, not left hanging, and the package is left as it was", async () => {
    const before = packageUrls.SMS_URL;
    const { simulator, gateway, close } = await open({ timeoutMs: 50 });
    simulator.failNext("silent_after_accepting");
    expect(await gateway.send({ to: "+254711000111", text: "x" })).toEqual({
      accepted: false,
      permanent: false,
      reason: "no answer within 50 ms",
    });
    await expect.poll(() => simulator.givenUp).toBe(1);
    expect(packageUrls.SMS_URL).toBe(before);
    await close();
  });

  test("a wrong key and an absent service are named without the key", async () => {
    const { gateway, close } = await open({ apiKey: "a-secret-key" });
    const refused = await gateway.send({ to: "+254711000111", text: "x" });
    expect(refused).toEqual({ accepted: false, permanent: false, reason: "HTTP 401" });
    await close();
    const away = await gateway.send({ to: "+254711000111", text: "x" });
    expect(away).toEqual({
      accepted: false,
      permanent: false,
      reason: expect.stringMatching(/^ECONN(REFUSED|RESET)$/),
    });
  });
});
