/* oxlint-disable max-params, promise/no-callback-in-promise -- aedes asks its questions by callback, with up to four parameters. */
import { createServer, type Server } from "node:net";
import { Aedes } from "aedes";

export interface MqttGateway {
  listen(place: { port: number; host: string }): Promise<{ port: number }>;
  close(): Promise<void>;
}

/** A connection that says nothing for so long is no device. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The MQTT broker in our own process. A device signs in with its serial as the user name, may publish and read only below
 * `paygo/v1/{serial}/`, and its PUBACK waits for `take`, which resolves after the commit; a refused or failed frame is never
 * acknowledged, so the device keeps it. aedes sends the PUBACK after `authorizePublish`, before anything else hears of it.
 */
export async function makeMqttGateway({
  authenticate,
  take,
}: {
  authenticate(serial: string, password: string): Promise<boolean>;
  take(frame: { serial: string; topic: string; payload: Uint8Array }): Promise<void>;
}): Promise<MqttGateway> {
  const serials = new WeakMap<object, string>();
  const isOwn = (client: object | null, topic: string): boolean => {
    const serial = client === null ? undefined : serials.get(client);
    return serial !== undefined && topic.startsWith(`paygo/v1/${serial}/`);
  };
  const broker = await Aedes.createBroker({
    connectTimeout: CONNECT_TIMEOUT_MS,
    authenticate: (client, username, password, done) => {
      const serial = username ?? "";
      authenticate(serial, password?.toString("utf8") ?? "").then(
        (known) => {
          if (known) serials.set(client, serial);
          done(null, known);
        },
        (error: unknown) =>
          done(
            Object.assign(error instanceof Error ? error : new Error(String(error)), { returnCode: 3 as const }),
            false,
          ),
      );
    },
    authorizePublish: (client, packet, done) => {
      const serial = client === null ? undefined : serials.get(client);
      if (serial === undefined || !isOwn(client, packet.topic)) {
        done(new Error("This device may publish only below its own serial."));
        return;
      }
      const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
      take({ serial, topic: packet.topic, payload }).then(
        () => done(null),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    },
    authorizeSubscribe: (client, subscription, done) =>
      done(null, isOwn(client, subscription.topic) ? subscription : null),
  });
  const server: Server = createServer(broker.handle);
  return {
    async listen({ port, host }) {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host }, resolve);
      });
      const address = server.address();
      return { port: typeof address === "object" && address !== null ? address.port : port };
    },
    async close() {
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
