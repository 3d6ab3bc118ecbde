import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A provider's side on this machine alone. */
export interface LocalServer {
  readonly url: string;
  readonly openSockets: number;
  /** Hangs up on everybody, whatever they wait for. */
  stop(): Promise<void>;
}

/** `port` 0: any that is free. Rejects when it is taken. */
export async function startLocalServer({
  port,
  serve,
}: {
  port: number;
  serve: RequestListener;
}): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  const server = createServer(serve);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    get openSockets() {
      return sockets.size;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A request's body as text. Throws when it is larger than `bytesMax`. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > bytesMax) throw new Error("The body is too large.");
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString("utf8");
}
