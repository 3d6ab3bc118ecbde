/* oxlint-disable promise/no-callback-in-promise -- aedes asks its questions by callback. */
import { createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";

/** A message as the broker took it over. */
export interface Heard {
  readonly serial: string;
  readonly channel: string;
  readonly payload: Buffer;
  readonly isAgain: boolean;
  readonly isRetained: boolean;
}

export interface Frame {
  readonly sn: string;
  readonly rc: number;
  readonly ts?: number;
  readonly d: readonly unknown[];
  readonly hd: readonly (readonly number[])[];
}

/** A broker in this process that can die in the middle of everything and come back at the same port. */
export interface TestBroker {
  readonly port: number;
  /** Every message that it acknowledged, in order. */
  readonly heard: Heard[];
  /** The measurements among them. */
  frames(serial?: string): readonly Frame[];
  command(serial: string, command: unknown): Promise<void>;
  /** Resolves as soon as what it heard satisfies the question. */
  until(question: () => boolean): Promise<void>;
  /** All connections break; nothing more is acknowledged. */
  die(): Promise<void>;
  revive(): Promise<void>;
  stop(): Promise<void>;
}

/** `before` is awaited before a message is acknowledged; an error leaves it with the device. */
export async function startTestBroker({
  before = () => Promise.resolve(),
}: { before?: (heard: Heard) => Promise<void> } = {}): Promise<TestBroker> {
  const heard: Heard[] = [];
  const waiting: { question: () => boolean; resolve: () => void }[] = [];
  let running = await start(0);

  async function start(port: number): Promise<{ broker: Aedes; server: Server; sockets: Set<Socket>; port: number }> {
    const broker = await Aedes.createBroker({
      authorizePublish(_client, packet, done) {
        const [, , serial = "", channel = ""] = packet.topic.split("/");
        const message: Heard = {
          serial,
          channel,
          payload: Buffer.from(packet.payload),
          isAgain: packet.dup,
          isRetained: packet.retain,
        };
        before(message).then(
          () => {
            heard.push(message);
            done(null);
            for (const asked of waiting.splice(0)) {
              if (asked.question()) asked.resolve();
              else waiting.push(asked);
            }
          },
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
        );
      },
    });
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      broker.handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const address = server.address();
    return { broker, server, sockets, port: typeof address === "object" && address !== null ? address.port : port };
  }

  async function die(): Promise<void> {
    const { broker, server, sockets } = running;
    const closed = new Promise((resolve) => server.close(resolve));
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    // One that had not introduced itself yet is no client of the broker's, and would keep the server open for ever.
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  return {
    port: running.port,
    heard,
    frames: (serial) =>
      heard
        .filter((message) => message.channel === "data" && (serial === undefined || message.serial === serial))
        .map(({ payload }) => JSON.parse(payload.toString("utf8")) as Frame),
    command: (serial, command) =>
      new Promise((resolve, reject) => {
        running.broker.publish(
          {
            cmd: "publish",
            topic: `paygo/v1/${serial}/cmd`,
            payload: Buffer.from(JSON.stringify(command)),
            qos: 1,
            retain: false,
            dup: false,
          },
          (error) => (error ? reject(error) : resolve()),
        );
      }),
    until: (question) =>
      question() ? Promise.resolve() : new Promise((resolve) => waiting.push({ question, resolve })),
    die,
    async revive() {
      running = await start(running.port);
    },
    stop: die,
  };
}
