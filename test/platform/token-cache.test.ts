import { expect, test } from "vitest";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeTokenCache } from "../../src/platform/token-cache.ts";

function makeIssuer(expiresInSeconds: number) {
  const clock = makeManualClock(new Date("2026-11-20T09:00:00Z"));
  const issuer = { issued: 0, fails: false };
  const cache = makeTokenCache({
    clock,
    fetchToken: async () => {
      await Promise.resolve();
      if (issuer.fails) throw new Error("the token server is away");
      issuer.issued += 1;
      return { token: `token-${String(issuer.issued)}`, expiresInSeconds };
    },
  });
  return { clock, issuer, cache };
}

test("many requests at once share one token, fetched once", async () => {
  const { cache, issuer } = makeIssuer(3_600);
  const tokens = await Promise.all(Array.from({ length: 20 }, () => cache.current()));
  expect(new Set(tokens)).toEqual(new Set(["token-1"]));
  expect(await cache.current()).toBe("token-1");
  expect(issuer.issued).toBe(1);
});

test.each([
  ["an hour's token a tenth before its end", 3_600, 3_240],
  ["a minute's token 15 seconds before its end", 60, 45],
  ["a very short one at half its life", 10, 5],
])("%s is renewed", async (_promise, lifeSeconds, renewedAfterSeconds) => {
  const { cache, clock } = makeIssuer(lifeSeconds);
  await cache.current();
  clock.advance(renewedAfterSeconds * 1_000 - 1);
  expect(await cache.current()).toBe("token-1");
  clock.advance(1);
  expect(await cache.current()).toBe("token-2");
});

test("a token server's failure reaches everybody who waits and nobody afterwards", async () => {
  const { cache, issuer } = makeIssuer(3_600);
  issuer.fails = true;
  const ends = await Promise.allSettled([cache.current(), cache.current()]);
  expect(ends.map((end) => end.status)).toEqual(["rejected", "rejected"]);
  issuer.fails = false;
  expect(await cache.current()).toBe("token-1");
});

test("a fetch that throws before it begins is not remembered either", async () => {
  let calls = 0;
  const cache = makeTokenCache({
    clock: makeManualClock(new Date(0)),
    fetchToken: () => {
      calls += 1;
      if (calls === 1) throw new Error("no settings");
      return Promise.resolve({ token: "second", expiresInSeconds: 60 });
    },
  });
  await expect(cache.current()).rejects.toThrow("no settings");
  expect(await cache.current()).toBe("second");
});

test("a refused token is replaced, and a late refusal of an old one costs nothing", async () => {
  const { cache } = makeIssuer(3_600);
  const first = await cache.current();
  cache.reject(first);
  expect(await cache.current()).toBe("token-2");
  cache.reject(first);
  expect(await cache.current()).toBe("token-2");
});

test("a token without a readable life is used by those who waited for it, and not kept", async () => {
  const { cache } = makeIssuer(Number.NaN);
  expect(await cache.current()).toBe("token-1");
  expect(await cache.current()).toBe("token-2");
});
