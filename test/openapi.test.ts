import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ADAPTERS } from "../src/payments/rails/registry.ts";
import { signWave } from "../src/payments/rails/wave/proof.ts";
import { signWhatsapp } from "../src/ussd/channels/whatsapp.http.ts";
import { startTestApp, type TestApp } from "./support/app.ts";
import { CHAT_ENV } from "./support/chats.ts";

interface Media {
  readonly schema: object;
  readonly examples?: Readonly<Record<string, { readonly value: object | string; readonly "x-status": number }>>;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly (
    { name: string; in: string; required?: boolean; example?: string } | { $ref: string }
  )[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { $ref: string } | { content?: Readonly<Record<string, Media>> }>>;
}
interface Page {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>;
}

const page = parse(readFileSync(fileURLToPath(new URL("../docs/openapi.yaml", import.meta.url)), "utf8")) as Page;
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const operations = Object.entries(page.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

/** References are looked up in the page itself. */
function resolve<Thing extends object>(thing: Thing | { readonly $ref: string }): Thing {
  if (!("$ref" in thing)) return thing;
  const found = thing.$ref
    .replace("#/", "")
    .split("/")
    .reduce<unknown>((place, name) => (place as Record<string, unknown> | undefined)?.[name], page);
  if (found === undefined) throw new Error(`${thing.$ref} leads nowhere.`);
  return found as Thing;
}

const checkAgainst = (schema: object, value: unknown): string => {
  const isValid = ajv.compile({ ...schema, components: page.components });
  return isValid(value) ? "" : ajv.errorsText(isValid.errors);
};

/** Every schema in a part of the page; throws for a reference that leads nowhere. */
function schemasIn(thing: unknown): readonly object[] {
  if (typeof thing !== "object" || thing === null) return [];
  if ("$ref" in thing && typeof thing.$ref === "string") resolve({ $ref: thing.$ref });
  const own = "schema" in thing && typeof thing.schema === "object" && thing.schema !== null ? [thing.schema] : [];
  return [...own, ...Object.values(thing).flatMap(schemasIn)];
}

const SECRET = "an-example-secret-0123456789";
const SMS_SECRET = "sms0123456789abcdef";
const NOTIF_TOKEN = "dd497bda3b250e536186fc0663f32f40";
const AWAY = "http://127.0.0.1:9";
const PAGES = { returnUrl: `${AWAY}/ok`, cancelUrl: `${AWAY}/no` };
const CHANNELS = [
  { name: "daraja", country: "KE", currency: "KES", zone: "Africa/Nairobi", settings: { shortcodes: ["600966"] } },
  {
    name: "mtn-momo",
    country: "UG",
    currency: "UGX",
    zone: "Africa/Kampala",
    settings: {
      targetEnvironment: "mtnuganda",
      collection: { subscriptionKey: "an-example", apiUser: "an-example", apiKey: "an-example" },
    },
  },
  {
    name: "airtel-money",
    country: "ZM",
    currency: "ZMW",
    zone: "Africa/Lusaka",
    settings: { clientId: "an-example", clientSecret: "an-example", callbackKey: "an-example-callback-key" },
  },
  {
    name: "orange-webpay",
    country: "CI",
    currency: "XOF",
    zone: "Africa/Abidjan",
    settings: {
      clientId: "an-example",
      clientSecret: "an-example",
      merchantKey: "an-example",
      countryPath: "ci",
      ...PAGES,
    },
  },
  {
    name: "wave",
    country: "SN",
    currency: "XOF",
    zone: "Africa/Dakar",
    settings: {
      apiKey: "an-example",
      webhookSecret: "an-example-secret",
      successUrl: `${AWAY}/ok`,
      errorUrl: `${AWAY}/no`,
    },
  },
  {
    name: "flutterwave",
    country: "GH",
    currency: "GHS",
    zone: "Africa/Accra",
    settings: { secretKey: "an-example", verifHash: "an-example-hash", payerEmail: "payments@example.org" },
  },
  {
    name: "pawapay",
    country: "RW",
    currency: "RWF",
    zone: "Africa/Kigali",
    settings: { apiToken: "an-example", correspondent: "MTN_MOMO_RWA" },
  },
  {
    name: "gsma-mmapi",
    country: "TZ",
    currency: "TZS",
    zone: "Africa/Dar_es_Salaam",
    settings: { apiKey: "an-example", account: { key: "accountid", value: "2999" }, callbackKey: "an-example-key" },
  },
].map((channel) => ({
  ...channel,
  adapter: channel.name,
  secret: SECRET,
  settings: { baseUrl: AWAY, ...channel.settings },
}));

describe("the page of the doors", () => {
  test("is OpenAPI 3.1, and every reference and every schema in it holds", () => {
    expect(page.openapi).toMatch(/^3\.1\./);
    const schemas = schemasIn(page);
    expect(schemas.length).toBeGreaterThan(operations.length);
    for (const schema of schemas) ajv.compile({ ...schema, components: page.components });
    for (const schema of Object.values(page.components["schemas"] ?? {})) expect(ajv.validateSchema(schema)).toBe(true);
  });

  test("names every operation once, and each part of a path that changes", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const named = (operation.parameters ?? [])
        .map((one) => resolve<{ name: string; in: string }>(one))
        .filter((one) => one.in === "path")
        .map(({ name }) => name);
      expect([...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name).sort(), path).toEqual(named.sort());
    }
  });
});

describe("the running program", () => {
  let place: (TestApp & { drop(): Promise<void> }) | undefined;
  let folder = "";
  let session = "";
  const running = (): TestApp => {
    if (place === undefined) throw new Error("The program runs only while tests run.");
    return place;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "washa-openapi-"));
    await writeFile(join(folder, "rails.json"), JSON.stringify({ channels: CHANNELS }));
    place = await startTestApp({
      env: {
        WASHA_RAILS: join(folder, "rails.json"),
        WASHA_SMS_SECRET: SMS_SECRET,
        WASHA_USSD_SECRET: SECRET,
        ...CHAT_ENV,
        WASHA_MQTT_AUTH_SECRET: SECRET,
        MQTT_URL: "mqtt://washa:an-example-password@127.0.0.1:9",
      },
    });
    const { access, database } = place.app;
    const [email, password] = ["office@washa.test", "seven quiet lamps"];
    const passwordHash = await access.hashPassword(password);
    const person = { email, name: "Office", role: "operations", area: null, language: "en", passwordHash } as const;
    await database.db.transaction((tx) => access.createStaff(tx, { ...person, actor: "system:test" }));
    session = (await access.login({ email, password, sourceAddress: "192.0.2.1" })).token;
    // Their codes and signatures follow from the keys here, so the page can show them.
    const serials = ["SHS-OPENAPI-1", "SHS-OPENAPI-2"];
    const key = "a29ab82edc5fbbc41ec9530f6dac86b1";
    const { credentials, devices } = place.app;
    await database.db.transaction(async (tx) => {
      await devices.importCsv(tx, `Serial Number,Key\n${serials.map((serial) => `${serial},${key}`).join("\n")}\n`);
      await credentials.issueCodes(tx, { serials, actor: "system:test", reason: "labels" });
    });
    // Orange is known by the token of a page that it made for us.
    const now = place.clock.now();
    const hour = new Date(now.getTime() + 3_600_000).toISOString();
    await place.app.database.db.execute(sql`
      insert into payments.intents (id, rail, correlation, memory, reference, phone, payer_hash, amount_minor, currency, requested_by, asked_through, state, created_at, expires_at)
      values (${randomUUID()}, 'orange-webpay', ${randomUUID()}, ${JSON.stringify({ notif_token: NOTIF_TOKEN })}::jsonb, 'PG-10230', '+2250701000000', '\\x00', 100,
        'XOF', 'test', 'api', 'pending', ${now.toISOString()}, ${hour})`);
  });
  afterAll(async () => {
    await place?.drop();
    await rm(folder, { recursive: true });
  });

  /** What proves a provider, made for this body where it covers it. */
  function proofOf(path: string, raw: string): Record<string, string> {
    if (path.startsWith("/statements/") || path === "/dd" || path === "/device_data")
      return { authorization: `Bearer ${session}` };
    if (path.startsWith("/mqtt/")) return { "x-washa-secret": SECRET };
    if (path === "/messaging/telegram") return { "x-telegram-bot-api-secret-token": CHAT_ENV.WASHA_TELEGRAM_SECRET };
    if (path === "/messaging/whatsapp")
      return { "x-hub-signature-256": signWhatsapp(CHAT_ENV.WASHA_WHATSAPP_APP_SECRET, Buffer.from(raw)) };
    if (path.startsWith("/rails/flutterwave/")) return { "verif-hash": "an-example-hash" };
    if (path.startsWith("/rails/gsma-mmapi/")) return { "x-api-key": "an-example-key" };
    if (!path.startsWith("/rails/wave/")) return {};
    const seconds = String(Math.floor(running().clock.now().getTime() / 1_000));
    return { "wave-signature": `t=${seconds},v1=${signWave("an-example-secret", seconds, Buffer.from(raw))}` };
  }

  function addressOf(path: string): string {
    const secret = path.startsWith("/messaging/") ? SMS_SECRET : SECRET;
    return `${running().url}${path
      .replace("{secret}", secret)
      .replace("{rail}", "daraja")
      .replace("{conversation}", `reversal-${randomUUID()}`)
      .replace("{correlation}", randomUUID())}`;
  }

  /** What must stand in the address, with the values that the page gives as examples. */
  function queryOf({ parameters = [] }: Operation): string {
    const inQuery = parameters.flatMap((one) => ("in" in one && one.in === "query" ? [one] : []));
    const given = inQuery.flatMap(({ name, example }) =>
      example === undefined ? [] : [[name, example] as [string, string]],
    );
    return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
  }

  async function expectDocumented(response: Response, operation: Operation): Promise<void> {
    const documented = operation.responses[String(response.status)];
    expect(Object.keys(operation.responses)).toContain(String(response.status));
    const { content } = resolve<{ content?: Readonly<Record<string, Media>> }>(documented ?? {});
    const text = await response.text();
    const type = response.headers.get("content-type")?.split(";")[0] ?? "";
    expect(text === "" ? [] : [type]).toEqual(
      text === "" ? [] : [Object.keys(content ?? {}).find((one) => one === type)],
    );
    const body: unknown = type === "application/json" ? JSON.parse(text) : text;
    expect(checkAgainst(content?.[type]?.schema ?? {}, body)).toBe("");
  }

  test("has a channel of every adapter here, so that no door is left out", () => {
    expect([...running().app.rails.values()].map(({ config }) => config.adapter).sort()).toEqual(
      ADAPTERS.map(({ name }) => name).sort(),
    );
  });

  test("mounts the doors that are documented and no others, with the same methods", () => {
    const mounted = [...running().app.rails.values()].flatMap(({ rail, config }) =>
      rail.doors.flatMap(({ name, methods }) => methods.map((method) => `${method} ${config.adapter}/${name}`)),
    );
    const documented = operations
      .filter(({ path }) => path.startsWith("/rails/"))
      .map(({ path, method }) => {
        const [, , adapter = "", , door = ""] = path.split("/");
        return `${method} ${adapter}/${door}`;
      });
    expect(documented.sort()).toEqual(mounted.sort());
  });

  const examples = operations.flatMap(({ path, method, operation }) =>
    Object.entries(operation.requestBody?.content ?? {}).flatMap(([type, { schema, examples: given = {} }]) =>
      Object.entries(given).map(([name, example]) => ({ path, method, operation, type, schema, name, example })),
    ),
  );
  test.each(examples)("answers $method $path as documented to the example '$name'", async ({ example, ...door }) => {
    const isForm = door.type === "application/x-www-form-urlencoded";
    const raw = isForm
      ? new URLSearchParams(example.value as Record<string, string>).toString()
      : typeof example.value === "string"
        ? example.value
        : JSON.stringify(example.value);
    const response = await fetch(`${addressOf(door.path)}${queryOf(door.operation)}`, {
      method: door.method,
      headers: { "content-type": door.type, ...proofOf(door.path, raw) },
      body: raw,
    });
    expect(response.status).toBe(example["x-status"]);
    await expectDocumented(response, door.operation);
    // What is taken has the form that is documented; what is refused may have any.
    expect(example["x-status"] < 300 ? checkAgainst(door.schema, example.value) : "").toBe("");
  });

  test("every door has an example of what it takes", () => {
    const withExample = new Set(examples.filter(({ example }) => example["x-status"] < 300).map(({ path }) => path));
    const withBody = operations.filter(({ operation }) => operation.requestBody !== undefined).map(({ path }) => path);
    expect([...withExample].sort()).toEqual([...new Set(withBody)].sort());
  });

  test.each(operations.filter(({ path }) => path.includes("{secret}")))(
    "answers $method $path with the documented 404 to who does not know the secret, and 413 to a huge body",
    async ({ path, method, operation }) => {
      const { url } = running();
      const strange = `${url}${path.replace("{secret}", "somebody-elses-secret").replace(/\{\w+\}/, "x")}`;
      const unknown = await fetch(strange, { method, body: "{}" });
      expect(unknown.status).toBe(404);
      await expectDocumented(unknown, operation);
      const huge = await fetch(addressOf(path), { method, body: "x".repeat(20_000) });
      expect([413, 400]).toContain(huge.status);
    },
  );

  test.each(operations.filter(({ method }) => method === "GET"))(
    "answers $path as documented",
    async ({ path, operation }) => {
      const response = await fetch(`${running().url}${path}${queryOf(operation)}`, { headers: proofOf(path, "") });
      expect(response.status).toBe(200);
      await expectDocumented(response, operation);
    },
  );
});
