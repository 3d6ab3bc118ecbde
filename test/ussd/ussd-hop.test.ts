import fc from "fast-check";
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readHop, type HopMemory } from "../../src/ussd/channels/ussd-hop.ts";

const mark = (text: string): string => createHash("sha256").update(text).digest("hex");
const TURN_MS = 4_000;

/** What a person typed, as the dialogue hears it, when a gateway delivers these texts. */
function heard(texts: readonly string[], sinceAnswerMs = TURN_MS): string[][] {
  let memory: HopMemory | undefined;
  return texts.flatMap((text) => {
    const reading = readHop(memory, text, { mark, sinceAnswerMs });
    memory = reading.memory;
    return reading.kind === "said" ? [[...reading.inputs]] : [];
  });
}

describe("what a caller typed is heard once", () => {
  test("where the gateway joins all answers", () => {
    expect(heard(["", "1", "1*50", "1*50*1"])).toEqual([[], ["1"], ["50"], ["1"]]);
  });
  test("where the gateway sends the last answer alone", () => {
    expect(heard(["", "1", "50", "2"])).toEqual([[], ["1"], ["50"], ["2"]]);
  });
  test("when a code with a tail was dialled, whether the gateway goes on joining or not", () => {
    expect(heard(["2*1", "2*1*3"])).toEqual([["2", "1"], ["3"]]);
    expect(heard(["2*1", "3"])).toEqual([["2", "1"], ["3"]]);
  });
  test("when a dialled string comes again, however late and often", () => {
    expect(heard(["4*3", "4*3", "4*3", "4*3"])).toEqual([["4", "3"]]);
  });
  test("when hops come again, late, or the session begins twice", () => {
    expect(heard(["", "", "1", "1", "1*50", "1", "", "1*50*1", "1*50", "1*50*1"])).toEqual([[], ["1"], ["50"], ["1"]]);
  });
  test("when one hop was lost on its way, and the next tells both", () => {
    expect(heard(["", "1", "1*50*1"])).toEqual([[], ["1"], ["50", "1"]]);
    expect(heard(["", "1*50", "1", "1*50*1"])).toEqual([[], ["1", "50"], ["1"]]);
  });
  test("when the same number is typed twice and the gateway sends the last alone: at the latest at the second try", () => {
    expect(heard(["", "1", "1", "1"])).toEqual([[], ["1"], ["1"]]);
    expect(heard(["", "1", "2", "2"])).toEqual([[], ["1"], ["2"], ["2"]]);
    // Known to send the last alone, the same at once is the gateway's doing, and later the person's.
    expect(heard(["", "1", "2", "2"], 500)).toEqual([[], ["1"], ["2"]]);
  });
});

test("a gateway that joins, repeats and delays as it likes never makes anybody say a thing twice, nor out of order", () => {
  const input = fc.stringMatching(/^[0-9A-Za-z ]{1,6}$/);
  fc.assert(
    fc.property(fc.array(input, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat(3)), (typed, chance) => {
      const texts = ["", ...typed.map((_, at) => typed.slice(0, at + 1).join("*"))];
      // Each hop is followed by repetitions of itself and of any before it.
      const delivered = texts.flatMap((text, at) => {
        const { value: times } = chance.next();
        return [
          text,
          ...Array.from({ length: times ?? 0 }, () => texts[(chance.next().value ?? 0) % (at + 1)] ?? text),
        ];
      });
      // The first answer does not show yet whether the gateway joins; from the second on it is known.
      const said = heard(delivered, 0).flat();
      expect(said).toEqual(typed);
    }),
  );
});
