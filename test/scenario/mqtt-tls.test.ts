import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { sql } from "drizzle-orm";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CertificateUnusable, openCertificate } from "../../src/platform/certificate-files.ts";
import { makeMqttGateway } from "../../src/platform/mqtt.ts";
import { startTestApp, TEST_START, type TestApp } from "../support/app.ts";

const folder = mkdtempSync(join(tmpdir(), "washa-tls-"));
const SERIAL = "LAMP-0001";
const CONNACK = 0x20;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A certificate for 127.0.0.1 that signs itself, as an operator makes one with openssl. */
function makeCertificate(name: string): { certFile: string; keyFile: string } {
  const files = { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) };
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", files.keyFile];
  execFileSync("openssl", ["req", "-x509", "-days", "2", ...key, "-out", files.certFile, ...subject], {
    stdio: "ignore",
  });
  return files;
}

describe("devices that come by TLS", () => {
  let place: TestApp & { drop(): Promise<void> };
  const first = makeCertificate("first");
  let password = "";
  let toldUrl = "";
  const clients: MqttClient[] = [];

  beforeAll(async () => {
    place = await startTestApp({
      roles: ["gateway"],
      env: {
        WASHA_MQTTS_CERT: first.certFile,
        WASHA_MQTTS_KEY: first.keyFile,
        WASHA_MQTTS_PORT: "0",
        WASHA_MQTT_PLAIN: "no",
      },
    });
    const { devices, credentials, database } = place.app;
    const [given] = await database.db.transaction(async (tx) => {
      await devices.importCsv(
        tx,
        `Serial Number,Key,Count\n${SERIAL},${createHash("md5").update(SERIAL).digest("hex")},1\n`,
      );
      return credentials.provision(tx, { serials: [SERIAL], actor: "test", reason: "tls" });
    });
    password = given?.password ?? "";
    toldUrl = given?.broker ?? "";
  });
  afterAll(async () => {
    for (const client of clients) client.end(true);
    await place.drop();
  });
  const url = (): string => `mqtts://127.0.0.1:${String(place.app.ports.mqtts)}`;

  test("are acknowledged after the commit as any other, and get their frames of every size through", async () => {
    expect(toldUrl).toBe(url());
    const client = await connectAsync(toldUrl, {
      username: SERIAL,
      password,
      ca: readFileSync(first.certFile),
      reconnectPeriod: 0,
    });
    clients.push(client);
    const ts = Math.floor(TEST_START.getTime() / 1_000);
    const tell = (d: object) =>
      client.publishAsync(`paygo/v1/${SERIAL}/data`, JSON.stringify({ sn: SERIAL, ts, d }), { qos: 1 });
    await tell({ battery_voltage: 12.5, note: "x".repeat(200) });
    await client.publishAsync(`paygo/v1/${SERIAL}/data`, Buffer.alloc(5 * 1_048_576, 0x20), { qos: 1 });
    const [row] = await place.app.database.db.execute<Record<string, unknown>>(sql`
      select (select battery_voltage_v from telemetry.readings) as volts, (select reason from telemetry.quarantine) as reason`);
    expect(row).toEqual({ volts: 12.5, reason: "too_large" });
  });

  test("find no door without TLS where that is shut, and are not let in on trust of another's certificate", async () => {
    expect(place.app.ports.mqtt).toBeUndefined();
    const options = { username: SERIAL, password, reconnectPeriod: 0, connectTimeout: 5_000 };
    await expect(connectAsync(url(), options)).rejects.toThrow(/self.signed/);
    const plain = connectTcp(place.app.ports.mqtts ?? 0, "127.0.0.1");
    const heard: Buffer[] = [];
    plain.on("data", (bytes) => void heard.push(bytes)).on("error", () => undefined);
    // CONNECT as MQTT has it, without TLS.
    plain.write(Buffer.from([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 1, 97]));
    await once(plain, "close");
    expect(Buffer.concat(heard)[0]).not.toBe(CONNACK);
  });
});

describe("a certificate that is renewed", () => {
  test("is shown to new connections, stays in use while its files do not fit each other, and cuts nobody off", async () => {
    const [old, renewed] = [makeCertificate("old"), makeCertificate("renewed")];
    const inUse = { certFile: join(folder, "used.crt"), keyFile: join(folder, "used.key") };
    const put = (file: "certFile" | "keyFile", text: string | Buffer): void => {
      writeFileSync(`${inUse[file]}.new`, text);
      renameSync(`${inUse[file]}.new`, inUse[file]);
    };
    for (const file of ["certFile", "keyFile"] as const) put(file, readFileSync(old[file]));
    const gateway = await makeMqttGateway({
      clock: { now: () => TEST_START },
      authenticate: () => Promise.resolve(true),
      take: () => Promise.resolve(),
      refuse: () => Promise.resolve(),
    });
    const faults: unknown[] = [];
    const files = openCertificate({
      ...inUse,
      onRenewed: (certificate) => listener.renew(certificate),
      onFault: (error) => void faults.push(error),
    });
    const listener = await gateway.listen({ port: 0, host: "127.0.0.1", certificate: files.certificate });
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
          resolve(new X509Certificate(socket.getPeerX509Certificate()?.raw ?? "").subject);
          socket.destroy();
        });
        socket.once("error", reject);
      });
    const device = await connectAsync(`mqtts://127.0.0.1:${String(listener.port)}`, {
      username: "LAMP-1",
      password: "any",
      ca: readFileSync(old.certFile),
      reconnectPeriod: 0,
    });
    expect(await shown()).toBe("CN=old");
    put("certFile", readFileSync(renewed.certFile));
    files.look();
    files.look();
    expect(faults).toHaveLength(1);
    expect(String(faults[0])).toContain("cannot be used together");
    expect(await shown()).toBe("CN=old");
    put("keyFile", readFileSync(renewed.keyFile));
    files.look();
    expect(await shown()).toBe("CN=renewed");
    await device.publishAsync("paygo/v1/LAMP-1/event", "{}", { qos: 1 });
    await device.endAsync(true);
    await gateway.close();
  });

  test("that cannot be used is refused at the start, by the name of its file", () => {
    const [one, other] = [makeCertificate("one"), makeCertificate("other")];
    const open = (files: { certFile: string; keyFile: string }) => () =>
      openCertificate({ ...files, onRenewed: () => undefined, onFault: () => undefined });
    expect(open({ ...one, keyFile: other.keyFile })).toThrow(CertificateUnusable);
    expect(open({ ...one, keyFile: join(folder, "none.key") })).toThrow(/none.key" cannot be read/);
  });
});
