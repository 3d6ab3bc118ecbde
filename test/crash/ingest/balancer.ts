import { connect, createServer, type Socket } from "node:net";

/** One TCP address in front of several gateways, as a cloud's load balancer is: it knows nothing of MQTT. */
export interface Balancer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Takes turns over the backends; one that refuses the connection is passed over. `backends` are asked for each connection. */
export async function startBalancer(backends: () => readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  }

  function reach(client: Socket, ports: readonly number[]): void {
    const [port, ...others] = ports;
    if (port === undefined || client.destroyed) {
      client.destroy();
      return;
    }
    const upstream = connect({ port, host: "127.0.0.1" });
    keep(upstream);
    const giveUp = (): void => reach(client, others);
    upstream.once("error", giveUp);
    upstream.once("connect", () => {
      upstream.removeListener("error", giveUp);
      // Either end's death is the other's: what was under way is lost, and nobody is told that it arrived.
      upstream.on("error", () => client.destroy());
      upstream.once("close", () => client.destroy());
      client.once("close", () => upstream.destroy());
      client.pipe(upstream).pipe(client);
    });
  }

  const server = createServer({ pauseOnConnect: true }, (client) => {
    keep(client);
    client.on("error", () => client.destroy());
    const ports = backends();
    const first = turn++ % Math.max(1, ports.length);
    reach(client, [...ports.slice(first), ...ports.slice(0, first)]);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The system gave no port.");
  return {
    port: address.port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
