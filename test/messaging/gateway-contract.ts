import { afterEach, beforeEach, expect, test } from "vitest";
import type { Gateway } from "../../src/messaging/gateway.ts";

/** A gateway under test, with the other side's view of it. */
export interface GatewayUnderTest {
  readonly gateway: Gateway;
  /** Texts that reached a phone. */
  received(number: string): readonly string[];
  failNext(fault: "refuse_recipient" | "http_500" | "silent_after_accepting"): void;
  close(): Promise<void>;
}

const NUMBER = "+254711000111";

/** What every SMS gateway promises, the real one and the one made by hand. */
export function describeGateway(open: () => Promise<GatewayUnderTest>): void {
  let under: GatewayUnderTest;
  beforeEach(async () => {
    under = await open();
  });
  afterEach(async () => {
    await under.close();
  });
  const send = (text: string, to = NUMBER) => under.gateway.send({ to, text });

  test("an accepted message reaches the phone as written, under an id of its own", async () => {
    const first = await send("Paiement accepté: 100% & +1 = é");
    const second = await send("another");
    expect(first).toMatchObject({ accepted: true });
    expect(second).toMatchObject({ accepted: true });
    if (!first.accepted || !second.accepted) return;
    expect(first.providerId).not.toBe("");
    expect(first.providerId).not.toBe(second.providerId);
    expect(under.received(NUMBER)).toEqual(["Paiement accepté: 100% & +1 = é", "another"]);
  });

  test("a refused recipient is a refusal for good, though the call itself went well", async () => {
    under.failNext("refuse_recipient");
    expect(await send("x")).toMatchObject({ accepted: false, permanent: true });
    expect(under.received(NUMBER)).toEqual([]);
  });

  test("a text that is no number is refused for good", async () => {
    expect(await send("x", "+2547")).toMatchObject({ accepted: false, permanent: true });
  });

  test("a fault of the service is worth another attempt", async () => {
    under.failNext("http_500");
    expect(await send("x")).toMatchObject({ accepted: false, permanent: false });
    expect(await send("x")).toMatchObject({ accepted: true });
    expect(under.received(NUMBER)).toEqual(["x"]);
  });

  test("a service that takes the message and never answers does not hold the caller: the same text goes again", async () => {
    under.failNext("silent_after_accepting");
    expect(await send("token 1")).toMatchObject({ accepted: false, permanent: false });
    expect(await send("token 1")).toMatchObject({ accepted: true });
    expect(under.received(NUMBER)).toEqual(["token 1", "token 1"]);
  });
}
