import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeFlow, type Pausable } from "../../src/platform/mqtt-flow.ts";
import { makePacketFilter, readCut } from "../../src/platform/mqtt-packet-limit.ts";

/** A sender that remembers whether it may send, and counts as aedes does. */
function makeSender(): Pausable & { isPaused: boolean; resumes: number } {
  return {
    isPaused: false,
    resumes: 0,
    pause() {
      this.isPaused = true;
    },
    resume() {
      this.isPaused = false;
      this.resumes += 1;
    },
  };
}

describe("what is in flight", () => {
  test("everybody waits when the limit is reached, and goes on when half of it is free", () => {
    const senders = [makeSender(), makeSender(), makeSender()] as const;
    const flow = makeFlow({ messagesMax: 4, bytesMax: 1_000, messagesOfOneMax: 100 }, () => senders);
    for (let at = 0; at < 4; at++) flow.begin(senders[at % 2 === 0 ? 0 : 1], 10);
    expect(senders.map(({ isPaused }) => isPaused)).toEqual([true, true, true]);
    flow.end(senders[0], 10);
    expect(senders[2].isPaused).toBe(true);
    flow.end(senders[0], 10);
    expect(senders.map(({ isPaused }) => isPaused)).toEqual([false, false, false]);
  });

  test("one that floods waits alone", () => {
    const senders = [makeSender(), makeSender()] as const;
    const flow = makeFlow({ messagesMax: 1_000, bytesMax: 1_000, messagesOfOneMax: 2 }, () => senders);
    flow.begin(senders[0], 1);
    flow.begin(senders[0], 1);
    expect(senders.map(({ isPaused }) => isPaused)).toEqual([true, false]);
    flow.end(senders[0], 1);
    expect(senders[0].isPaused).toBe(false);
  });

  test("a sender that waited is counted at least as many messages as ended meanwhile", () => {
    const sender = makeSender();
    const flow = makeFlow({ messagesMax: 100, bytesMax: 1_000, messagesOfOneMax: 20 }, () => [sender]);
    for (let at = 0; at < 20; at++) flow.begin(sender, 1);
    for (let at = 0; at < 10; at++) flow.end(sender, 1);
    expect(sender.isPaused).toBe(false);
    expect(sender.resumes).toBeGreaterThanOrEqual(10);
  });

  test("whatever begins and ends, nobody waits once nothing is in flight, and the sums are even", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ who: fc.nat(3), isBegin: fc.boolean(), bytes: fc.nat(50) })), (steps) => {
        const senders = [makeSender(), makeSender(), makeSender(), makeSender()];
        const flow = makeFlow({ messagesMax: 5, bytesMax: 120, messagesOfOneMax: 3 }, () => senders);
        const open: { who: number; bytes: number }[] = [];
        const end = ({ who, bytes }: { who: number; bytes: number }): void => {
          const sender = senders[who];
          if (sender !== undefined) flow.end(sender, bytes);
        };
        for (const { who, isBegin, bytes } of steps) {
          const sender = senders[who];
          if (isBegin && sender !== undefined) {
            flow.begin(sender, bytes);
            open.push({ who, bytes });
          } else {
            const ended = open.shift();
            if (ended !== undefined) end(ended);
          }
        }
        for (const one of open) end(one);
        expect(flow.state).toEqual({ messages: 0, bytes: 0, paused: 0 });
        expect(senders.some(({ isPaused }) => isPaused)).toBe(false);
      }),
    );
  });
});

describe("the length of packets", () => {
  const mark = Buffer.from("known to nobody");
  const headerOf = (first: number, length: number): Buffer => {
    const head: number[] = [first];
    for (let left = length; ; left = Math.floor(left / 128)) {
      head.push(left >= 128 ? (left % 128) | 128 : left);
      if (left < 128) break;
    }
    return Buffer.from(head);
  };
  const packet = (length: number): Buffer => Buffer.concat([headerOf(0x30, length), Buffer.alloc(length)]);
  const publish = (payload: Buffer, qos: 0 | 1): Buffer => {
    const name = Buffer.concat([
      Buffer.from([0, 1]),
      Buffer.from("t"),
      qos === 0 ? Buffer.alloc(0) : Buffer.from([0, 7]),
    ]);
    return Buffer.concat([headerOf(0x30 | (qos << 1), name.length + payload.length), name, payload]);
  };
  const inPieces = (stream: Buffer, pieces: readonly number[]): readonly Buffer[] => {
    const parts: Buffer[] = [];
    for (let at = 0; at < stream.length;) {
      const size = pieces[parts.length % pieces.length] ?? 1;
      parts.push(stream.subarray(at, at + size));
      at += size;
    }
    return parts;
  };

  test("packets within the limits go on as they came, and frames that are too large as their heads, whatever pieces they come in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ length: fc.nat(800), qos: fc.constantFrom(0 as const, 1 as const) }), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (frames, pieces) => {
          const filter = makePacketFilter({ firstBytesMax: 400, bytesMax: 400, mark });
          const packets = frames.map(({ length, qos }) => publish(Buffer.alloc(length, 0xff), qos));
          const stream = Buffer.concat([packet(400), ...packets, packet(0)]);
          const passed = inPieces(stream, pieces).map((part) => filter.pass(part));
          expect(passed).not.toContain(undefined);
          const expected = frames.map(({ length, qos }) => {
            if (length + (qos === 0 ? 3 : 5) <= 400) return publish(Buffer.alloc(length, 0xff), qos);
            const told = Buffer.alloc(4);
            told.writeUInt32BE(length);
            return publish(Buffer.concat([mark, told, Buffer.alloc(length, 0xff)]), qos);
          });
          expect(Buffer.concat(passed.map((part) => part ?? Buffer.alloc(0)))).toEqual(
            Buffer.concat([packet(400), ...expected, packet(0)]),
          );
          expect(filter.isWithin()).toBe(false);
        },
      ),
    );
  });

  test("of a frame that is too large no more than its head is kept, and it goes on when its end has come", () => {
    const filter = makePacketFilter({ firstBytesMax: 100, bytesMax: 10_000, mark });
    const large = publish(Buffer.alloc(5_000_000, 0x61), 1);
    filter.pass(packet(100));
    const parts = inPieces(large, [65_536]).map((part) => filter.pass(part) ?? Buffer.alloc(1));
    expect(parts.slice(0, -1).every(({ length }) => length === 0)).toBe(true);
    const last = parts.at(-1) ?? Buffer.alloc(0);
    expect(last.length).toBeLessThan(9_000);
    const payload = last.subarray(last.indexOf(mark));
    expect(readCut(payload, mark)).toMatchObject({ sentBytes: 5_000_000 });
    expect(readCut(payload, Buffer.from("known to anyone"))).toBeUndefined();
  });

  test("the first packet that announces too much ends it before its bytes have come, and so does one that is no frame", () => {
    const limits = { firstBytesMax: 100, bytesMax: 1_000, mark };
    expect(makePacketFilter(limits).pass(packet(101).subarray(0, 2))).toBeUndefined();
    const filter = makePacketFilter(limits);
    filter.pass(packet(100));
    expect(filter.pass(headerOf(0x82, 1_001))).toBeUndefined();
    const endless = makePacketFilter(limits);
    endless.pass(packet(100));
    // A topic of 60,000 letters.
    expect(endless.pass(Buffer.concat([headerOf(0x32, 70_000), Buffer.alloc(70_000, 0xea)]))).toBeUndefined();
  });
});
