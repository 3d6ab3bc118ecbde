import { connect } from "node:net";
import { once } from "node:events";
import { platform } from "node:os";
import { expect, test } from "vitest";
import { makeListeners } from "../../src/platform/mqtt-listeners.ts";

const HOST = "127.0.0.1";

function makeCounter() {
  let count = 0;
  const listeners = makeListeners({
    connectionsMax: 100,
    onSocket(socket) {
      count += 1;
      socket.on("error", () => undefined);
      socket.end("x");
    },
  });
  return { listeners, count: () => count };
}

test.skipIf(platform() !== "linux")(
  "several gateways of a machine share a port, and the devices are shared out among them",
  async () => {
    const [one, other] = [makeCounter(), makeCounter()];
    const { port } = await one.listeners.listen({ port: 0, host: HOST, isShared: true });
    await other.listeners.listen({ port, host: HOST, isShared: true });
    for (let device = 0; device < 60; device++) {
      const socket = connect(port, HOST);
      await once(socket, "data");
      socket.destroy();
    }
    expect(one.count() + other.count()).toBe(60);
    expect(Math.min(one.count(), other.count())).toBeGreaterThan(5);
    await Promise.all([one.listeners.close(), other.listeners.close()]);
  },
);

test("a port that is not shared is refused to a second gateway, so that nobody starts two by mistake", async () => {
  const [one, other] = [makeCounter(), makeCounter()];
  const { port } = await one.listeners.listen({ port: 0, host: HOST });
  await expect(other.listeners.listen({ port, host: HOST })).rejects.toThrow(/EADDRINUSE/);
  await expect(other.listeners.listen({ port, host: HOST, isShared: true })).rejects.toThrow(/EADDRINUSE/);
  await one.listeners.close();
});
