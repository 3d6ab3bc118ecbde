import { randomUUID } from "node:crypto";
import { decode, encode } from "cborg";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { hashHex, prepareSipKey, sipHash24 } from "../../../src/devices/tokens/siphash.ts";
import { useApp } from "../../support/app.ts";
import { keyOf, signed } from "../ingest/ingest-world.ts";

const app = useApp();
let serials = 0;

async function newDevice(): Promise<string> {
  const serial = `HTTP-${String((serials += 1))}`;
  const { devices, database } = app.current.app;
  await database.db.transaction((tx) =>
    devices.importCsv(tx, `Serial Number,Key,Count,Hardware Model\n${serial},${keyOf(serial)},1,Home 60\n`),
  );
  return serial;
}

const nowSeconds = (): number => Math.floor(app.current.clock.now().getTime() / 1000);
const post = (body: string | Uint8Array, { path = "/dd", type = "application/json" } = {}): Promise<Response> =>
  fetch(`${app.current.url}${path}`, { method: "POST", headers: { "content-type": type }, body: Buffer.from(body) });
const send = (request: object): Promise<Response> => post(JSON.stringify(request));

async function readingsOf(serial: string): Promise<number> {
  const [row] = await app.current.app.database.db.execute<{ count: number }>(sql`
    select count(*)::int as count from telemetry.readings r join devices.devices d on d.number = r.device where d.serial = ${serial}`);
  return row?.count ?? 0;
}

async function issueDays(serial: string, days: number): Promise<string> {
  const { devices, database } = app.current.app;
  const { id } = await devices.requireBySerial(database.db, serial);
  return await database.db.transaction(async (tx) => {
    const issuer = await devices.lockForTokens(tx, [id]);
    const [token] = issuer.issue({ deviceId: id, kind: "add", units: days, cause: `test:${randomUUID()}` });
    await issuer.save();
    return token?.digits ?? "";
  });
}

async function staffToken(role: "operations" | "agent"): Promise<string> {
  const { access, database } = app.current.app;
  const email = `${randomUUID()}@washa.test`;
  const password = "seven quiet lamps";
  const passwordHash = await access.hashPassword(password);
  const area = role === "agent" ? "kitui" : null;
  const person = { email, name: "Office", role, area, language: "en", passwordHash } as const;
  await database.db.transaction((tx) => access.createStaff(tx, { ...person, actor: "system:test" }));
  return (await access.login({ email, password, sourceAddress: "192.0.2.1" })).token;
}

describe("a device request", () => {
  test("is answered 201 when it is committed, and nothing is said where nothing is owed", async () => {
    const serial = await newDevice();
    const response = await send(signed({ sn: serial, ts: nowSeconds(), d: { tc: 1, battery_voltage: 12 } }));
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({});
    expect(await readingsOf(serial)).toBe(1);
  });

  test("is answered with the tokens that the device has not taken, signed under its key; asked again, with the same", async () => {
    const serial = await newDevice();
    const tokens = [await issueDays(serial, 7), await issueDays(serial, 3)];
    const ts = nowSeconds();
    const request = signed({ sn: serial, ts, d: { tc: 1 } });
    const first = (await (await send(request)).json()) as { tkl: string[]; a: string };
    expect(first.tkl).toEqual(tokens);
    const key = prepareSipKey(Buffer.from(keyOf(serial), "hex"));
    const hash = hashHex(sipHash24(key, Buffer.from(`${serial}${String(ts)}${JSON.stringify(tokens)}`)));
    expect(first.a).toBe(`da${hash.replace(/^0+/, "")}`);
    expect(await (await send(request)).json()).toEqual(first);
  });

  test("is answered with the interval that the office asked for until the device reports it, which ends the command", async () => {
    const serial = await newDevice();
    const { devices, deviceCommands, database } = app.current.app;
    const { id: deviceId } = await devices.requireBySerial(database.db, serial);
    const { id } = await database.db.transaction((tx) =>
      deviceCommands.ask(tx, {
        request: { kind: "set_interval", seconds: 600 },
        reason: "less data",
        actor: "test",
        deviceId,
      }),
    );
    const ask = async (rc: number, interval: number): Promise<unknown> =>
      (await send(signed({ sn: serial, rc, d: { reporting_interval: interval } }))).json();
    const key = prepareSipKey(Buffer.from(keyOf(serial), "hex"));
    const hash = hashHex(sipHash24(key, Buffer.from(`${serial}1{"reporting_interval":600}`)));
    expect(await ask(1, 900)).toEqual({ st: { reporting_interval: 600 }, a: `da${hash.replace(/^0+/, "")}` });
    expect(await ask(2, 600)).toEqual({});
    expect(await deviceCommands.find(database.db, id)).toMatchObject({
      state: "done",
      detail: "The device reports every 600 s.",
    });
    expect(await ask(3, 900)).toEqual({});
  });

  test("in CBOR is answered in CBOR", async () => {
    const serial = await newDevice();
    const token = await issueDays(serial, 7);
    const request = signed({ sn: serial, ts: nowSeconds(), d: { tc: 1 } });
    const response = await post(encode(request), { path: "/device_data", type: "application/cbor" });
    expect(response.status).toBe(201);
    const answer = decode(new Uint8Array(await response.arrayBuffer())) as { tkl: string[] };
    expect(answer.tkl).toEqual([token]);
  });

  test("that is not signed, signed by another key, of nobody, or told before is refused with what would be right", async () => {
    const serial = await newDevice();
    const good = signed({ sn: serial, rc: 5, d: { tc: 1 } });
    await send(good);
    const refusals = await Promise.all(
      [
        { sn: serial, ts: nowSeconds(), d: { tc: 1 } },
        { ...good, rc: 6 },
        signed({ sn: "NOBODY-1", rc: 1, d: { tc: 1 } }),
        signed({ sn: serial, rc: 4, d: { tc: 1 } }),
      ].map(async (request) => {
        const response = await send(request);
        const { error } = (await response.json()) as { error: { code: string } };
        return [response.status, error.code];
      }),
    );
    expect(refusals).toEqual([
      [401, "NOT_SIGNED"],
      [401, "SIGNATURE_INVALID"],
      [404, "UNKNOWN_DEVICE"],
      [409, "REPLAYED"],
    ]);
  });

  test("of another kind or too large is refused before it is read", async () => {
    expect((await post("x", { type: "text/plain" })).status).toBe(415);
    expect((await post("x".repeat(4_096 * 1_024 + 1))).status).toBe(413);
    expect((await post("not json")).status).toBe(400);
  });

  test("a device that sends too often is told when to come back, and others are not", async () => {
    const [eager, calm] = [await newDevice(), await newDevice()];
    const statuses: number[] = [];
    for (let rc = 1; rc <= 61; rc++) statuses.push((await send(signed({ sn: eager, rc, d: { tc: 1 } }))).status);
    expect(statuses.slice(0, 60).every((status) => status === 201)).toBe(true);
    expect(statuses[60]).toBe(429);
    expect((await send(signed({ sn: calm, rc: 1, d: { tc: 1 } }))).status).toBe(201);
  });
});

describe("data formats", () => {
  test("a format is registered once, and requests in it are read by its number", async () => {
    const serial = await newDevice();
    const format = {
      data_order: ["token_count", "battery_voltage"],
      historical_data_order: ["battery_voltage"],
      historical_data_interval: 60,
    };
    const first = await post(JSON.stringify(format), { path: "/data_format" });
    expect(first.status).toBe(201);
    const { id } = (await first.json()) as { id: number };
    const again = await post(JSON.stringify(Object.fromEntries(Object.entries(format).toReversed())), {
      path: "/data_format",
    });
    expect(await again.json()).toEqual({ id });
    const ts = nowSeconds();
    const request = signed({ sn: serial, df: id, ts, d: [1, 12.5] as unknown as object });
    expect((await send(request)).status).toBe(201);
    const [row] = await app.current.app.database.db.execute<{ volts: number }>(sql`
      select battery_voltage_v as volts from telemetry.readings r join devices.devices d on d.number = r.device where d.serial = ${serial}`);
    expect(row?.volts).toBe(12.5);
  });

  test("a format that nobody registered, and one that makes no sense, are refused", async () => {
    const serial = await newDevice();
    const unknown = await send(signed({ sn: serial, df: 999, ts: nowSeconds(), d: { tc: 1 } }));
    expect(unknown.status).toBe(400);
    expect((await post('{"data_order": 7}', { path: "/data_format" })).status).toBe(400);
  });
});

describe("what strangers may leave with us", () => {
  const register = (format: object | string, token?: string): Promise<Response> =>
    fetch(`${app.current.url}/data_format`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: typeof format === "string" ? format : JSON.stringify(format),
    });
  const described = (description: string) => ({ variables: { battery_voltage: { description } } });

  test("of a format only what is understood is kept", async () => {
    const format = {
      data_order: ["token_count"],
      note: "x".repeat(10_000),
      variables: { a: { unit: "V", more: [1] } },
    };
    const { id } = (await (await register(format)).json()) as { id: number };
    const rows = await app.current.app.database.db.execute<{ document: object }>(sql`
      select document from telemetry.data_formats where id = ${id}`);
    expect(rows).toMatchObject([{ document: { data_order: ["token_count"], variables: { a: { unit: "V" } } } }]);
    expect(JSON.stringify(rows[0]?.document)).not.toMatch(/note|more/);
    const { note: _note, ...same } = format;
    expect(await (await register(same)).json()).toEqual({ id });
  });

  test("a text that cannot be kept is refused with the reason, and what is larger than any format is not read", async () => {
    for (const text of ["a\u0000b", "half \ud800"]) {
      const response = await register(described(text));
      expect(response.status).toBe(400);
      expect(await response.text()).toContain("cannot be kept");
    }
    expect((await register(`{"data_order": []${" ".repeat(16 * 1_024)}}`)).status).toBe(413);
  });

  test("they cannot fill memory and disk: past a thousand the office alone registers, and what is there goes on", async () => {
    const known = (await (await register(described("known"))).json()) as object;
    const fill = (upTo: number) =>
      app.current.app.database.db.execute(sql`
        insert into telemetry.data_formats (digest, document, registered_at)
        select sha256(int4send(n)), '{}', ${app.current.clock.now().toISOString()}::timestamptz
        from generate_series((select count(*)::int from telemetry.data_formats) + 1, ${upTo}::int) n`);
    await fill(1_000);
    const refused = await register(described("one more"));
    expect(refused.status).toBe(409);
    expect(await refused.text()).toContain("ask the operator");
    expect(await (await register(described("known"))).json()).toEqual(known);
    expect((await register(described("one more"), "no session")).status).toBe(401);
    expect((await register(described("one more"), await staffToken("agent"))).status).toBe(403);
    const office = await staffToken("operations");
    expect((await register(described("one more"), office)).status).toBe(201);
    await fill(2_000);
    expect((await register(described("yet one more"), office)).status).toBe(409);
  });
});

describe("reading what devices told", () => {
  const ask = (query: string, token?: string): Promise<Response> =>
    fetch(`${app.current.url}/dd?${query}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });

  test("the office gets it in the simple form, an agent and a stranger get nothing", async () => {
    const serial = await newDevice();
    await send(signed({ sn: serial, ts: nowSeconds(), d: { tc: 1, battery_voltage: 12 } }));
    const query = `from_datetime=2026-03-02T00:00:00Z&to_datetime=2026-03-03T00:00:00Z&serial_number=${serial}`;
    expect((await ask(query)).status).toBe(401);
    expect((await ask(query, await staffToken("agent"))).status).toBe(403);
    const response = await ask(query, await staffToken("operations"));
    expect(await response.json()).toMatchObject([
      { serial_number: serial, historical_data: [{ timestamp: nowSeconds(), battery_voltage: 12 }] },
    ]);
  });

  test("a window that makes no sense is refused with what would be right", async () => {
    const token = await staffToken("operations");
    for (const query of [
      "",
      "from_datetime=yesterday&to_datetime=today",
      "from_datetime=1700000000&to_datetime=1800000000",
    ])
      expect((await ask(query, token)).status).toBe(400);
  });
});
