import fc from "fast-check";
import { expect, test } from "vitest";
import { decideTelling, isQuiet, type DueAlert, type Reader } from "../../../src/telemetry/alerts/telling.ts";

const READER: Reader = {
  actor: "staff:1",
  phone: "+254711000111",
  language: "en",
  zone: "Africa/Nairobi",
  messagesADayMax: 5,
};
const NOON = new Date("2026-03-02T09:00:00Z");
const NIGHT = new Date("2026-03-02T20:00:00Z");
const alert = (id: number, rest: Partial<DueAlert> = {}): DueAlert => ({
  id: BigInt(id),
  rule: "silent",
  scope: "device",
  serial: `LAMP-${String(id)}`,
  area: "kitui",
  place: "Mutomo",
  devices: 1,
  urgent: false,
  ...rest,
});

test("one alert is one message that says what and where", () => {
  expect(decideTelling({ reader: READER, due: [alert(7, { rule: "tampered" })], sentToday: 0 }, NOON)).toEqual([
    {
      key: "alert:7:staff:1",
      alertIds: [7n],
      content: { kind: "device", rule: "tampered", device: "LAMP-7", place: "Mutomo" },
    },
  ]);
});

test("many alerts are one digest that names the village first", () => {
  const village = alert(9, { scope: "place", serial: undefined, devices: 40, place: "Ikutha" });
  const [message, ...rest] = decideTelling(
    { reader: READER, due: [alert(1), alert(2), alert(3), village], sentToday: 0 },
    NOON,
  );
  expect(rest).toEqual([]);
  expect(message?.content).toEqual({ kind: "digest", alerts: 4, worst: "Ikutha, LAMP-1, LAMP-2" });
  expect(message?.alertIds).toHaveLength(4);
});

test("nobody is woken but for what is urgent", () => {
  expect(isQuiet(NIGHT, READER.zone)).toBe(true);
  expect(decideTelling({ reader: READER, due: [alert(1)], sentToday: 0 }, NIGHT)).toEqual([]);
  const told = decideTelling({ reader: READER, due: [alert(1), alert(2, { urgent: true })], sentToday: 0 }, NIGHT);
  expect(told.map(({ alertIds }) => alertIds)).toEqual([[2n]]);
});

test("night is the reader's own: at 20:00 in Nairobi an agent in Dakar still works", () => {
  expect(isQuiet(new Date("2026-03-02T17:00:00Z"), "Africa/Nairobi")).toBe(true);
  expect(isQuiet(new Date("2026-03-02T17:00:00Z"), "Africa/Dakar")).toBe(false);
});

test("a day never has more messages than allowed, nothing is told twice, and the last message holds all that waits", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(6), { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (arrivals, messagesADayMax) => {
      const reader = { ...READER, messagesADayMax };
      let waiting: DueAlert[] = [];
      let made = 0;
      let sentToday = 0;
      const told: bigint[] = [];
      for (const count of arrivals) {
        for (let at = 0; at < count; at++) waiting.push(alert(++made));
        const messages = decideTelling({ reader, due: waiting, sentToday }, NOON);
        sentToday += messages.length;
        const now = messages.flatMap(({ alertIds }) => alertIds);
        told.push(...now);
        waiting = waiting.filter(({ id }) => !now.includes(id));
        expect(messages.length === 0 || waiting.length === 0).toBe(true);
        expect(waiting.length === 0 || sentToday === messagesADayMax).toBe(true);
      }
      expect(sentToday).toBeLessThanOrEqual(messagesADayMax);
      expect(new Set(told).size).toBe(told.length);
    }),
  );
});
