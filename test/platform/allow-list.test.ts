import fc from "fast-check";
import { expect, test } from "vitest";
import { makeAllowList } from "../../src/platform/allow-list.ts";

const allows = makeAllowList(["196.201.214.200", "196.201.213.0/24", "10.0.0.0/8", "2001:db8:1::/48", "2001:db8:2::7"]);

test.each([
  ["196.201.214.200", true],
  ["196.201.214.201", false],
  ["196.201.213.0", true],
  ["196.201.213.255", true],
  ["196.201.212.255", false],
  ["10.255.255.255", true],
  ["11.0.0.0", false],
  ["2001:db8:1::1", true],
  ["2001:db8:1:ffff:ffff:ffff:ffff:ffff", true],
  ["2001:db8:3::1", false],
  ["2001:db8:2::7", true],
  ["2001:db8:2::8", false],
  ["::ffff:196.201.214.200", true],
  ["::FFFF:196.201.213.9", true],
  ["::ffff:196.201.214.201", false],
  ["::ffff:c4c9:d6c8", true],
  ["0.0.0.0", false],
  ["::1", false],
  ["127.0.0.1", false],
])("%s may call: %s", (address, allowed) => {
  expect(allows(address)).toBe(allowed);
});

test("an empty list allows every source", () => {
  const open = makeAllowList([]);
  expect(open("203.0.113.9") && open("::1")).toBe(true);
});

test("a range holds exactly the addresses whose first bits are its own", () => {
  const whole = fc.integer({ min: 0, max: 0xffff_ffff });
  const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
  fc.assert(
    fc.property(whole, fc.integer({ min: 1, max: 32 }), whole, (network, prefix, address) => {
      const mask = (0xffff_ffff << (32 - prefix)) >>> 0;
      const inside = (network & mask) >>> 0 === (address & mask) >>> 0;
      expect(makeAllowList([`${dotted(network)}/${prefix}`])(dotted(address))).toBe(inside);
    }),
  );
});
