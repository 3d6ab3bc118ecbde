import { connectAsync } from "mqtt";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startBrokerLink, type BrokerLink } from "../../src/platform/mqtt-broker.ts";
import { findMosquittoParts, makeMosquitto, type OwnMosquitto } from "../support/mosquitto.ts";

const program = findMosquittoParts()?.program;

describe.skipIf(program === undefined)("a gateway at Mosquitto whose settings change", () => {
  let broker: OwnMosquitto;
  let links: BrokerLink[] = [];
  let names = 0;
  beforeAll(async () => {
    broker = await makeMosquitto(program ?? "", ["allow_anonymous true", "max_queued_messages 0"]);
    await broker.start();
  });
  afterEach(async () => {
    await Promise.all(links.splice(0).map((link) => link.stop()));
    links = [];
  });
  afterAll(() => broker.remove());

  async function open(name: string, isShared: boolean): Promise<{ link: BrokerLink; taken: string[] }> {
    const taken: string[] = [];
    const link = startBrokerLink({
      url: broker.url,
      name,
      // A session that was left keeps its share of what a group is told.
      group: name,
      isShared,
      filters: ["paygo/v1/+/data"],
      onFault: (error) => taken.push(String(error)),
      take(message) {
        taken.push(Buffer.from(message.payload).toString());
        return Promise.resolve();
      },
    });
    links.push(link);
    await link.whenReady();
    return { link, taken };
  }
  const newName = (): string => `settings-${String((names += 1))}`;
  const counts = (count: number): string[] => Array.from({ length: count }, (_, at) => `count ${String(at + 1)}`);
  /** A device that does not wait for one acknowledgement before it says the next. */
  async function tell(texts: readonly string[]): Promise<void> {
    const lamp = await connectAsync(broker.url, { clientId: "lamp" });
    await Promise.all(texts.map((text) => lamp.publishAsync("paygo/v1/lamp/data", text, { qos: 1 })));
    await lamp.endAsync();
  }

  test("keeps the order of a device that does not wait, also with a shared subscription of its own", async () => {
    const { taken } = await open(newName(), true);
    await tell(counts(200));
    await expect.poll(() => taken.length).toBe(200);
    expect(taken).toEqual(counts(200));
  });

  test.each([
    [false, true],
    [true, false],
  ])("brings nothing twice when sharing goes from %s to %s, and loses nothing that waited", async (before, after) => {
    const name = newName();
    await (await open(name, before)).link.stop();
    await tell(["waited"]);
    const { taken } = await open(name, after);
    await expect.poll(() => taken).toEqual(["waited"]);
    // The old subscription is left right after the new one stands; from then on each frame comes once.
    await expect
      .poll(async () => {
        taken.length = 0;
        await tell(["probe", "end"]);
        await expect.poll(() => taken).toContain("end");
        return taken.filter((text) => text === "probe").length;
      })
      .toBe(1);
    taken.length = 0;
    await tell(counts(20));
    await expect.poll(() => taken.length).toBe(20);
    await tell(["end"]);
    await expect.poll(() => taken).toContain("end");
    expect(taken).toEqual([...counts(20), "end"]);
  });
});
