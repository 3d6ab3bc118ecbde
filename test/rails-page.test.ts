import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseChannels } from "../src/payments/channel-config.ts";
import { ADAPTERS } from "../src/payments/rails/registry.ts";

const page = readFileSync(fileURLToPath(new URL("../docs/rails.md", import.meta.url)), "utf8");
const examples = [...page.matchAll(/^## [^\n]*: `([a-z-]+)`\n\n```json\n([^]*?)```/gm)].map(([, adapter, json]) => ({
  adapter: adapter ?? "",
  settings: JSON.parse(json ?? "{}") as Record<string, unknown>,
}));
const keys = Object.fromEntries(
  [...page.matchAll(/"env": "([A-Z_]+)"/g)].map(([, name = ""]) => [name, "an-example-of-a-key"]),
);
/** Whatever stands for a key in the page; pawaPay's must be one. */
const env = {
  ...keys,
  PAWAPAY_PUBLIC_KEY: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----`,
};

test("the operators' page has an example of every kind of rail", () => {
  expect(examples.map(({ adapter }) => adapter).sort()).toEqual(ADAPTERS.map(({ name }) => name).sort());
});

test.each(examples)("the program takes the page's example of $adapter", ({ adapter, settings }) => {
  const channel = { name: "example", adapter, country: "KE", currency: "KES", zone: "Africa/Nairobi", settings };
  const file = JSON.stringify({ channels: [{ ...channel, secret: "an-example-secret-0123456789" }] });
  expect(parseChannels(file, { env, checkSource: (source) => source }).problems).toEqual([]);
});

test("the program takes the page's example of a whole file", () => {
  const file = /```json\n(\{\n {2}"channels"[^]*?)```/.exec(page)?.[1] ?? "";
  expect(parseChannels(file, { env, checkSource: (source) => source })).toMatchObject({
    problems: [],
    channels: [{ name: "mpesa-ke", path: "paybill", confirmByEnquiry: true }],
  });
});
