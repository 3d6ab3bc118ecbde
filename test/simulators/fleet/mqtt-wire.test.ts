import fc from "fast-check";
import { expect, test } from "vitest";
import {
  HEARD_BYTES_MAX,
  makePacketReader,
  publishPacket,
  pubackPacket,
  type Heard,
} from "../../../simulators/fleet/mqtt-wire.ts";

const publish = fc.record({
  topic: fc.string({ minLength: 1, maxLength: 80, unit: "grapheme" }),
  payload: fc.uint8Array({ maxLength: 40_000, size: "medium" }),
  packetId: fc.integer({ min: 1, max: 65_535 }),
});

test("a device hears the same packets however the network cuts them", () => {
  fc.assert(
    fc.property(
      fc.array(publish, { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 40 }),
      (messages, cuts) => {
        const bytes = Buffer.concat(
          messages.flatMap(({ topic, payload, packetId }) => [
            publishPacket({ topic, payload, isRetained: false }, { packetId, isAgain: false }),
            pubackPacket(packetId),
          ]),
        );
        const heard: Heard[] = [];
        const read = makePacketReader((packet) => void heard.push(packet));
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1;
          read(bytes.subarray(at, at + length));
          at += length;
        }
        const expected = messages.flatMap(({ topic, payload, packetId }) => [
          { kind: "publish", topic, payload: Buffer.from(payload), qos: 1, packetId, isRetained: false },
          { kind: "puback", packetId },
        ]);
        expect(heard).toEqual(expected);
      },
    ),
    { numRuns: 60 },
  );
});

test("a packet that no device can hold ends the connection instead of its memory", () => {
  const read = makePacketReader(() => undefined);
  expect(() => read(Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]))).toThrow(RangeError);
  const long = publishPacket(
    { topic: "t", payload: Buffer.alloc(HEARD_BYTES_MAX + 1), isRetained: false },
    { packetId: 1, isAgain: false },
  );
  expect(() => makePacketReader(() => undefined)(long)).toThrow(RangeError);
});

test("a packet too short to be one ends the connection", () => {
  expect(() => makePacketReader(() => undefined)(Buffer.from([0x40, 0]))).toThrow(RangeError);
});
