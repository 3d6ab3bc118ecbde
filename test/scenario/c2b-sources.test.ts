import { expect, test } from "vitest";
import { TEST_DARAJA_SECRET, useApp } from "../support/app.ts";
import { c2bBody, makeHousehold } from "../support/village.ts";
import { asKept, keptBy } from "./kept.ts";

const program = useApp({ env: { WASHA_DARAJA_SOURCES: "196.201.214.0/24", WASHA_PROXY_HOPS: "1" } });
const kept = keptBy(() => program.current);

async function postFrom(
  forwardedFor: string | undefined,
  body: unknown,
  door = "confirmation",
  secret = TEST_DARAJA_SECRET,
): Promise<number> {
  const response = await fetch(`${program.current.url}/rails/daraja/${secret}/${door}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
    },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

test("case 20: a callback from outside the allow-list is refused, kept for a person, and gives no light", async () => {
  const home = await makeHousehold(program.current);
  const body = c2bBody(program.current, { account: home.accountNumber, amount: "5000" });
  expect(await postFrom("203.0.113.66", body)).toBe(403);
  expect(await kept.quarantine()).toMatchObject([
    {
      reason: "source_not_allowed",
      door: "confirmation",
      source_address: "203.0.113.66",
      raw: asKept(JSON.stringify(body)),
    },
  ]);
  expect(await program.current.settle()).toBe(0);
  expect(await home.tokens()).toEqual([]);
});

test("case 20: an address that the sender wrote in front of the proxy's own word does not help", async () => {
  const body = c2bBody(program.current, { account: "PG-1", amount: "5" });
  expect(await postFrom("196.201.214.9, 203.0.113.66", body)).toBe(403);
  expect(await postFrom("not-an-address", body)).toBe(403);
  expect(await postFrom(undefined, body)).toBe(403);
});

test("case 20: the right address with a wrong secret finds no such page, and nothing is kept", async () => {
  const before = (await kept.quarantine()).length;
  expect(
    await postFrom(
      "196.201.214.9",
      c2bBody(program.current, { account: "PG-1", amount: "5" }),
      "confirmation",
      "fedcba9876543210",
    ),
  ).toBe(404);
  expect((await kept.quarantine()).length).toBe(before);
  expect(await kept.callbacks()).toBe(0);
});

test("the provider's own address is let in, and is what is kept beside the callback", async () => {
  const body = c2bBody(program.current, { account: "PG-1", amount: "5" });
  expect(await postFrom("203.0.113.66, 196.201.214.9", body)).toBe(200);
  expect(await kept.callbacks()).toBe(1);
});

test("a question from outside is refused too, and noted at the door it came to", async () => {
  expect(await postFrom("203.0.113.66", c2bBody(program.current, { account: "PG-1", amount: "5" }), "validation")).toBe(
    403,
  );
  expect((await kept.quarantine()).at(-1)).toMatchObject({ reason: "source_not_allowed", door: "validation" });
});

test("a flood from outside is refused without filling the disk, and the next minute is kept again", async () => {
  program.current.clock.advance(60_000);
  const before = (await kept.quarantine()).length;
  const flood = Array.from({ length: 150 }, () => postFrom("203.0.113.66", { flood: true }));
  expect(new Set(await Promise.all(flood))).toEqual(new Set([403]));
  expect((await kept.quarantine()).length - before).toBe(60);
  program.current.clock.advance(60_000);
  await postFrom("203.0.113.66", { flood: false });
  expect((await kept.quarantine()).length - before).toBe(61);
});
