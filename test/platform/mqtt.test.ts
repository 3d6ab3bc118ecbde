import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeFlow, type Pausable } from "../../src/platform/mqtt-flow.ts";
import { makePacketCounter } from "../../src/platform/mqtt-packet-limit.ts";

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
  const packet = (length: number): Buffer => {
    const head: number[] = [0x30];
    for (let left = length; ; left = Math.floor(left / 128)) {
      head.push(left >= 128 ? (left % 128) | 128 : left);
      if (left < 128) break;
    }
    return Buffer.concat([Buffer.from(head), Buffer.alloc(length)]);
  };

  test("packets within the limits pass, whatever pieces they come in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(400), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (lengths, pieces) => {
          const tooLarge: number[] = [];
          const see = makePacketCounter({ firstBytesMax: 400, bytesMax: 400, onTooLarge: (one) => tooLarge.push(one) });
          const stream = Buffer.concat(lengths.map(packet));
          for (let at = 0, piece = 0; at < stream.length; piece++) {
            const size = pieces[piece % pieces.length] ?? 1;
            expect(see(stream.subarray(at, at + size))).toBe(true);
            at += size;
          }
          expect(tooLarge).toEqual([]);
        },
      ),
    );
  });

  test("the first packet that announces too much ends it, before its bytes have come", () => {
    const tooLarge: number[] = [];
    const see = makePacketCounter({ firstBytesMax: 100, bytesMax: 1_000, onTooLarge: (one) => tooLarge.push(one) });
    expect(see(packet(100))).toBe(true);
    expect(see(packet(1_000))).toBe(true);
    expect(see(packet(1_001).subarray(0, 3))).toBe(false);
    expect(tooLarge).toEqual([1_001]);
    const strict = makePacketCounter({ firstBytesMax: 100, bytesMax: 1_000, onTooLarge: () => undefined });
    expect(strict(packet(101).subarray(0, 2))).toBe(false);
  });
});
