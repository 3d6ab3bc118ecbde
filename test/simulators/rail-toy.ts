import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type {
  FaceReply,
  FaceRequest,
  MakeFace,
  OutgoingDelivery,
  SimulatedTransaction,
} from "../../simulators/rail/face.ts";

const KEY = "toy-secret-key";
export const signOf = (body: string): string => createHmac("sha256", KEY).update(body).digest("hex");

/** The smallest provider that has everything: a token, a request to pay, its state, signed news, a statement. */
export const makeToyFace: MakeFace = (world) => {
  const bodyOf = (transaction: SimulatedTransaction): string =>
    JSON.stringify({
      id: transaction.id,
      kind: transaction.kind,
      status: transaction.status,
      amount: transaction.amountMinor.toString(),
      account: transaction.reference,
      of: transaction.original,
    });
  const toDoor = (body: string, signature: string): OutgoingDelivery => ({
    method: "POST",
    url: world.doorUrl("news"),
    headers: { "content-type": "application/json", "x-signature": signature, "x-sent-at": world.now().toISOString() },
    headersNow: () => ({ "x-sent-at": world.now().toISOString() }),
    body,
    retriesMax: 5,
  });
  const makeId = (): string => `T${Math.floor(world.chance() * 2 ** 32).toString(36)}`.toUpperCase();

  function ask({ body }: FaceRequest): FaceReply {
    const asked = JSON.parse(body) as { correlation: string; amount: string; phone: string; account: string };
    if (world.find({ correlation: asked.correlation }) !== undefined) return { status: 409, body: { error: "known" } };
    world.requestPayment({
      id: makeId(),
      correlation: asked.correlation,
      providerCorrelation: `P-${asked.correlation}`,
      amountMinor: BigInt(asked.amount),
      reference: asked.account,
      phone: asked.phone,
      callbackUrl: undefined,
    });
    return { status: 202, body: { taken: true } };
  }

  return {
    adapter: "toy",
    settings: () => ({ baseUrl: world.baseUrl, key: KEY }),
    handle(request) {
      const { method, path } = request;
      if (method === "POST" && path === "/oauth/token") return { status: 200, body: { access_token: "toy" } };
      if (method === "POST" && path === "/ask") return ask(request);
      if (path === "/bug") throw new Error("a bug of the face");
      const row = world.find({ correlation: path.slice("/state/".length) });
      return row === undefined ? { status: 404, body: {} } : { status: 200, body: bodyOf(row) };
    },
    deliveries: (transaction) => [toDoor(bodyOf(transaction), signOf(bodyOf(transaction)))],
    forge: (transaction) => toDoor(bodyOf(transaction), "no signature"),
    makeId,
    payersMayBegin: true,
    tellsAmounts: true,
    statement: ({ from, to }) => ({
      fileName: "toy.csv",
      bytes: Buffer.from(
        world.transactions
          .filter(({ endedAt }) => endedAt !== undefined && endedAt >= from && endedAt < to)
          .map(({ id, amountMinor }) => `${id},${amountMinor.toString()}\n`)
          .join(""),
      ),
    }),
  };
};

export interface Heard {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly amount: string;
  readonly account: string;
  readonly isSigned: boolean;
  readonly sentAt: string;
}

/** Our program's door, as far as a simulator sees it. */
export async function startToyProgram() {
  const heard: Heard[] = [];
  const statuses: number[] = [];
  const sockets = new Set<Socket>();
  let togetherLeast = 1;
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece: string) => (body += piece));
    request.once("end", () => {
      let told: object;
      try {
        told = JSON.parse(body) as object;
      } catch {
        told = { id: "unreadable" };
      }
      const isSigned = request.headers["x-signature"] === signOf(body);
      heard.push({ ...(told as Heard), isSigned, sentAt: String(request.headers["x-sent-at"]) });
      waiting.push(() => response.writeHead(statuses.shift() ?? 200).end("{}"));
      if (waiting.length >= togetherLeast) for (const answer of waiting.splice(0)) answer();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    /** What came, in order. */
    heard,
    /** The next deliveries are answered so. */
    answerNext: (...next: number[]) => void statuses.push(...next),
    /** From now on nobody is answered before so many wait. */
    answerTogether: (least: number) => (togetherLeast = least),
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
