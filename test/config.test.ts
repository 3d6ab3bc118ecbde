import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigRefused, ROLES, VARIABLES, parseConfig, requireServing } from "../src/config.ts";

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigRefused) return String(error);
    throw error;
  }
  return "accepted";
}
const refused = (env: Record<string, string>): string => refusalOf(() => parseConfig(env));

const COMPLETE = {
  DATABASE_URL: "postgres://washa:secret@db:5432/washa",
  WASHA_KEY: "ab".repeat(32),
  WASHA_DARAJA_SECRET: "0123456789abcdef",
  WASHA_DARAJA_SHORTCODES: "600966, 174379",
  WASHA_SMS_SECRET: "fedcba9876543210",
  WASHA_SMS_USERNAME: "sandbox",
  WASHA_SMS_KEY: "key",
};

describe("a configuration that can be used", () => {
  test("an empty environment gives the defaults of a laptop", () => {
    expect(parseConfig({})).toMatchObject({
      databaseUrl: undefined,
      redisUrl: undefined,
      httpHost: "127.0.0.1",
      httpPort: 4000,
      mqttPort: 1883,
      zone: "Africa/Nairobi",
      country: "KE",
      currency: "KES",
      darajaSources: [],
      trustedProxyHops: 0,
      settleBatchMax: 200,
      databaseConnectionsMax: 10,
      isProduction: false,
      logLevel: "info",
    });
  });

  test("a blank variable is one that is not set, and spaces around a value do not count", () => {
    expect(parseConfig({ WASHA_HTTP_PORT: "  ", WASHA_CURRENCY: " UGX ", WASHA_DARAJA_SOURCES: "" })).toMatchObject({
      httpPort: 4000,
      currency: "UGX",
      darajaSources: [],
    });
  });

  test("lists are separated by commas, and everything is read into its own type", () => {
    const config = parseConfig({
      ...COMPLETE,
      WASHA_DARAJA_SOURCES: "196.201.214.200, 196.201.213.0/24,2001:db8::/32",
      WASHA_PROXY_HOPS: "1",
      NODE_ENV: "production",
    });
    expect([...config.darajaShortcodes]).toEqual(["600966", "174379"]);
    expect(config.darajaSources).toEqual(["196.201.214.200", "196.201.213.0/24", "2001:db8::/32"]);
    expect(config.sealingKey).toHaveLength(32);
    expect(config).toMatchObject({ trustedProxyHops: 1, isProduction: true });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("bridges are named by a list, or by a file with a line for each", () => {
    const file = join(mkdtempSync(join(tmpdir(), "washa-portals-")), "portals.txt");
    writeFileSync(file, "# the clinic\nc0619ab1cd23 = GX-0001\n\nc0619ab1cd24=GX-0002 # the school\n");
    const portals = new Map([
      ["c0619ab1cd23", "GX-0001"],
      ["c0619ab1cd24", "GX-0002"],
    ]);
    expect(parseConfig({ WASHA_VICTRON_PORTALS: file }).victronPortals).toEqual(portals);
    const config = parseConfig({
      WASHA_VICTRON_PORTALS: "c0619ab1cd23=GX-0001, c0619ab1cd24=GX-0002",
      WASHA_SPARKPLUG_GROUPS: "village, town",
    });
    expect(config.victronPortals).toEqual(portals);
    expect([...config.sparkplugGroups]).toEqual(["village", "town"]);
  });

  test("what serves needs is all there", () => {
    expect(refusalOf(() => requireServing(parseConfig(COMPLETE), ROLES))).toBe("accepted");
  });
});

describe("a wrong variable is refused by its name, with what would do", () => {
  test.each([
    ["DATABASE_URL", "mysql://db/washa", "postgres://"],
    ["DATABASE_URL", "db:5432", "postgres://"],
    ["REDIS_URL", "http://redis", "redis://"],
    ["MQTT_URL", "tcp://broker", "mqtt://"],
    ["MQTT_CONTROL_URL", "broker:1883", "mqtt://"],
    ["WASHA_MQTT_NAME", "two words", "letters"],
    ["WASHA_MQTT_TOPICS", "spBv1.0/#/more", "topic filter"],
    ["WASHA_MQTT_SHARED", "1", "yes or no"],
    ["WASHA_MQTT_TOPICS", "$SYS/#", "topic filter"],
    ["WASHA_VICTRON_PORTALS", "c0619ab1cd23", "cannot be read"],
    ["WASHA_VICTRON_PORTALS", "c0619ab1cd23=", "c0619ab1cd23=LAMP-0001"],
    ["WASHA_VICTRON_PORTALS", "c0/#=LAMP-0001", "c0619ab1cd23=LAMP-0001"],
    ["WASHA_VICTRON_PORTALS", "c0=LAMP-0001,c0=LAMP-0002", "is there twice"],
    ["WASHA_VICTRON_PORTALS", "c0=LAMP-0001,c0/solarcharger=first", "c0619ab1cd23/solarcharger=279"],
    ["WASHA_VICTRON_PORTALS", "c0=LAMP-0001,c0/solarcharger=1,c0/solarcharger=2", "is there twice"],
    ["WASHA_SPARKPLUG_GROUPS", "village/1", "without spaces"],
    ["WASHA_SIGNED_FRAMES", "yes", "optional or required"],
    ["WASHA_MQTT_AUTH_SECRET", "short", "16 to 128"],
    ["WASHA_HTTP_PORT", "http", "0 to 65535"],
    ["WASHA_HTTP_PORT", "-1", "0 to 65535"],
    ["WASHA_HTTP_PORT", "4000.5", "0 to 65535"],
    ["WASHA_HTTP_PORT", "70000", "0 to 65535"],
    ["WASHA_MQTT_PORT", "1e3", "0 to 65535"],
    ["WASHA_TIME_ZONE", "Nairobi", "Africa/Nairobi"],
    ["WASHA_COUNTRY", "Kenya", "KE"],
    ["WASHA_COUNTRY", "ZZ", "KE"],
    ["WASHA_CURRENCY", "Shilling", "KES"],
    ["WASHA_KEY", "short", "openssl rand -hex 32"],
    ["WASHA_KEY", "zz".repeat(32), "openssl rand -hex 32"],
    ["WASHA_DARAJA_SECRET", "short", "16 to 128"],
    ["WASHA_DARAJA_SECRET", "0123456789/abcdef", "16 to 128"],
    ["WASHA_DARAJA_SECRET", "my-MPESA-secret-0123", "mpesa, safaricom, exe, cmd, sql or query"],
    ["WASHA_DARAJA_SECRET", "0123456789executor", "mpesa, safaricom, exe, cmd, sql or query"],
    ["WASHA_DARAJA_SHORTCODES", "600966,till", "4 to 12 digits"],
    ["WASHA_DARAJA_SOURCES", "safaricom.co.ke", "196.201.214.0/24"],
    ["WASHA_DARAJA_SOURCES", "196.201.214.0/33", "196.201.214.0/24"],
    ["WASHA_DARAJA_SOURCES", "196.201.214.0/", "196.201.214.0/24"],
    ["WASHA_DARAJA_SOURCES", "196.201.214.0/24/0", "196.201.214.0/24"],
    ["WASHA_DARAJA_SOURCES", "196.201.214.0/1e1", "196.201.214.0/24"],
    ["WASHA_DARAJA_SOURCES", "2001:db8::/129", "196.201.214.0/24"],
    ["WASHA_DARAJA_SOURCES", "196.201.214.200,10.0.0", "196.201.214.0/24"],
    ["WASHA_PROXY_HOPS", "all", "0 to 10"],
    ["WASHA_SMS_URL", "ftp://sms", "https://"],
    ["WASHA_SMS_SECRET", "a b c d e f g h i j k", "16 to 128"],
    ["WASHA_SETTLE_BATCH", "0", "1 to 2000"],
    ["WASHA_DB_CONNECTIONS", "1", "2 to 200"],
    ["WASHA_KEPT_DAYS", "9", "10 to 365"],
    ["WASHA_LOG", "loud", "fatal, error, warn"],
  ])("%s=%s", (name, value, remedy) => {
    const told = refused({ [name]: value });
    expect(told).toContain(`${name}: `);
    expect(told).toContain(remedy);
  });

  test("a certificate needs its key, and only with both may the door without TLS be shut", () => {
    expect(refused({ WASHA_MQTTS_CERT: "a.crt" })).toContain("both are needed");
    expect(refused({ WASHA_MQTT_PLAIN: "no" })).toContain("set WASHA_MQTTS_CERT");
    const both = { WASHA_MQTTS_CERT: "a.crt", WASHA_MQTTS_KEY: "a.key", WASHA_MQTT_PLAIN: "no" };
    expect(refused(both)).toBe("accepted");
  });

  test("Sparkplug groups and a shared subscription do not go together", () => {
    expect(refused({ WASHA_SPARKPLUG_GROUPS: "village", WASHA_MQTT_SHARED: "yes" })).toContain("every birth");
  });

  test("a misspelt name is refused instead of being ignored", () => {
    expect(refused({ WASHA_HTTPPORT: "80" })).toMatch(
      /WASHA_HTTPPORT: there is no such variable\. Known: .*WASHA_HTTP_PORT/,
    );
    expect(refused({ PATH: "/bin", HOME: "/root" })).toBe("accepted");
  });

  test("all problems are told at once", () => {
    const told = refused({ WASHA_HTTP_PORT: "x", WASHA_KEY: "x", WASHA_ZONE: "x" });
    expect(told.split("\n")).toHaveLength(4);
  });

  test("a refusal does not repeat a secret", () => {
    expect(refused({ WASHA_KEY: "deadbeef".repeat(7) })).not.toContain("deadbeef");
    expect(refused({ WASHA_DARAJA_SECRET: "mpesa-hunter2-hunter2" })).not.toContain("hunter2");
    expect(refused({ DATABASE_URL: "mysql://washa:hunter2@db/washa" })).not.toContain("hunter2");
  });
});

describe("what a role cannot do without is named before anything starts", () => {
  test.each([
    ["DATABASE_URL", "settle"],
    ["WASHA_KEY", "settle"],
    ["WASHA_DARAJA_SECRET", "api"],
    ["WASHA_DARAJA_SHORTCODES", "api"],
    ["WASHA_SMS_SECRET", "api"],
    ["WASHA_SMS_USERNAME", "worker"],
    ["WASHA_SMS_KEY", "worker"],
  ] as const)("%s for %s", (name, role) => {
    const told = refusalOf(() => requireServing(parseConfig({ ...COMPLETE, [name]: "" }), [role]));
    expect(told).toContain(`${name} is not set. ${VARIABLES[name] ?? "?"}`);
  });

  test("and only that: the settle loop needs no SMS key", () => {
    const { WASHA_SMS_KEY: _key, WASHA_SMS_USERNAME: _name, WASHA_DARAJA_SECRET: _secret, ...enough } = COMPLETE;
    expect(refusalOf(() => requireServing(parseConfig(enough), ["settle"]))).toBe("accepted");
  });
});

test("every variable is explained", () => {
  for (const [name, meaning] of Object.entries(VARIABLES)) expect([name, meaning.length > 20]).toEqual([name, true]);
});
