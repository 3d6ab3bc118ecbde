/** Devices of the bench, in a process of their own: they publish over plain sockets and count acknowledgements. */
import { connect, type Socket } from "node:net";
import { connectPacket, makeTemplate, serialOf, stampFrame, type FrameKind, type FrameTemplate } from "./frames.ts";

export interface PublishOrder {
  readonly port: number;
  /** Devices first, first + 1, … */
  readonly first: number;
  readonly devices: number;
  readonly inFlight: number;
  readonly kind: FrameKind;
  readonly formatId: number;
  /** Unix seconds of the first frame. */
  readonly fromSeconds: number;
  /** Frames a second of all devices together, each sent when its time has come; undefined: as fast as they are acknowledged. */
  readonly rate: number | undefined;
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface PublishReport {
  readonly acknowledged: number;
  readonly acknowledgedInAll: number;
  readonly measuredMs: number;
  readonly cpuMs: number;
  /** From when a frame was due to its acknowledgement; empty without a rate. */
  readonly latenciesMs: readonly number[];
  readonly lost: number;
}

export type PublisherWord = { readonly kind: "connected" } | ({ readonly kind: "done" } & PublishReport);

interface Device {
  readonly socket: Socket;
  readonly template: FrameTemplate;
  seconds: number;
  packetId: number;
  readonly dueAt: Map<number, number>;
}

const ACK_BYTES = 4;
const SETTLE_MS = 5_000;

async function run(order: PublishOrder): Promise<void> {
  const devices = await Promise.all(
    Array.from({ length: order.devices }, (_, at) => open(order, serialOf(order.first + at), at)),
  );
  await say({ kind: "connected" });
  await new Promise<void>((resolve) => process.once("message", () => resolve()));
  let isOpen = true;
  let acknowledged = 0;
  let lost = 0;
  const latencies: number[] = [];
  let measuringFrom = Infinity;

  function publish(device: Device, dueAt: number): Buffer {
    device.packetId = (device.packetId % 65_535) + 1;
    device.seconds += device.template.stepSeconds;
    device.dueAt.set(device.packetId, dueAt);
    return stampFrame(device.template, device);
  }
  for (const device of devices) {
    let rest: Buffer = Buffer.alloc(0);
    device.socket.on("close", () => {
      lost += 1;
    });
    device.socket.on("data", (bytes) => {
      const whole = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const now = performance.now();
      const next: Buffer[] = [];
      let at = 0;
      for (; at + ACK_BYTES <= whole.length; at += ACK_BYTES) {
        const id = whole.readUInt16BE(at + 2);
        const dueAt = device.dueAt.get(id) ?? now;
        device.dueAt.delete(id);
        acknowledged += 1;
        if (order.rate !== undefined && dueAt >= measuringFrom) latencies.push(now - dueAt);
        if (order.rate === undefined && isOpen) next.push(publish(device, now));
      }
      rest = whole.subarray(at);
      if (next.length > 0)
        device.socket.write(next.length === 1 && next[0] !== undefined ? next[0] : Buffer.concat(next));
    });
  }
  const startedAt = performance.now();
  let due: NodeJS.Timeout | undefined;
  if (order.rate === undefined) {
    for (const device of devices)
      device.socket.write(Buffer.concat(Array.from({ length: order.inFlight }, () => publish(device, startedAt))));
  } else {
    const gapMs = 1_000 / order.rate;
    let sent = 0;
    due = setInterval(() => {
      for (; startedAt + sent * gapMs <= performance.now(); sent++) {
        const device = devices[sent % devices.length];
        if (device !== undefined && isOpen) device.socket.write(publish(device, startedAt + sent * gapMs));
      }
    }, 1);
  }
  await pause(order.warmMs);
  const [before, cpuBefore] = [acknowledged, process.cpuUsage()];
  measuringFrom = performance.now();
  await pause(order.measureMs);
  const cpu = process.cpuUsage(cpuBefore);
  const measured = { acknowledged: acknowledged - before, measuredMs: performance.now() - measuringFrom };
  isOpen = false;
  clearInterval(due);
  const settledBy = performance.now() + SETTLE_MS;
  while (devices.some(({ dueAt }) => dueAt.size > 0) && performance.now() < settledBy) await pause(20);
  const lostConnections = lost;
  for (const { socket } of devices) socket.destroy();
  await say({
    kind: "done",
    ...measured,
    acknowledgedInAll: acknowledged,
    cpuMs: (cpu.user + cpu.system) / 1_000,
    latenciesMs: latencies,
    lost: lostConnections,
  });
}

function open(order: PublishOrder, serial: string, at: number): Promise<Device> {
  return new Promise((resolve, reject) => {
    // A few hundred at a time: ten thousand at once would only fill the listener's queue.
    setTimeout(() => {
      const socket = connect({ host: "127.0.0.1", port: order.port, noDelay: true });
      socket.once("error", reject);
      socket.once("data", (bytes) => {
        if (bytes[0] !== 0x20 || bytes[3] !== 0)
          reject(new Error(`Device ${serial} was not let in: ${bytes.toString("hex")}`));
        socket.off("error", reject);
        socket.on("error", () => undefined);
        const template = makeTemplate(serial, order);
        resolve({ socket, template, seconds: order.fromSeconds, packetId: 0, dueAt: new Map() });
      });
      socket.write(connectPacket(serial, "bench"));
    }, at / 3);
  });
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

/** Resolves when the word is on its way: thousands of latencies take longer than the end of a process. */
async function say(word: PublisherWord): Promise<void> {
  await new Promise<void>((resolve) => process.send?.(word, undefined, undefined, () => resolve()));
}

process.once("message", (order: PublishOrder) => {
  run(order).then(
    () => process.disconnect(),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
