import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";

/** A private key and its certificate with the chain up to the root, both PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface ListenPlace {
  readonly port: number;
  readonly host: string;
  readonly certificate?: Certificate | undefined;
  /** Several processes listen on the port, and the kernel gives each connection to one of them (Linux). */
  readonly isShared?: boolean | undefined;
}

export interface Listener {
  readonly port: number;
  /** For connections from now on; those that stand keep the one with which they began. Throws when key and certificate do not belong together. */
  renew(certificate: Certificate): void;
}

export interface Listeners {
  /** With a certificate, only TLS 1.2 and newer gets in. Rejects when the port is taken, or key and certificate do not belong together. */
  listen(place: ListenPlace): Promise<Listener>;
  /** Lets nobody in any more; resolves when every connection has ended. */
  close(): Promise<void>;
}

/** Silence after which the network is asked whether the other side is still there; a device's own keep-alive is mostly shorter. */
const TCP_KEEPALIVE_MS = 120_000;
/** What a socket reads ahead while it waits; ten thousand of them at once are 160 MB. */
const READ_AHEAD_BYTES = 16_384;
/** A connection that does not end its handshake within this time is no device. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Ports on which devices come in, with TLS or without. */
export function makeListeners({
  connectionsMax,
  onSocket,
}: {
  /** Of each port. */
  connectionsMax: number;
  onSocket(socket: Socket): void;
}): Listeners {
  const servers: Server[] = [];
  const options = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
    highWaterMark: READ_AHEAD_BYTES,
  };
  return {
    async listen({ port, host, certificate, isShared = false }) {
      const secure =
        certificate === undefined
          ? undefined
          : createTlsServer({
              ...options,
              ...certificate,
              minVersion: "TLSv1.2",
              handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
            });
      secure?.on("secureConnection", (socket: TLSSocket) => onSocket(socket));
      const server = secure ?? createServer(options, onSocket);
      server.maxConnections = connectionsMax;
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host, reusePort: isShared }, () => {
          server.off("error", reject);
          resolve();
        });
      });
      servers.push(server);
      const address = server.address();
      return {
        port: typeof address === "object" && address !== null ? address.port : port,
        renew(renewed) {
          secure?.setSecureContext({ ...renewed, minVersion: "TLSv1.2" });
        },
      };
    },
    async close() {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
