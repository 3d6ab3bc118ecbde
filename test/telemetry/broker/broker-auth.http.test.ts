import express from "express";
import request from "supertest";
import { beforeEach, describe, expect, test } from "vitest";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeBrokerAuthDoor } from "../../../src/telemetry/broker/broker-auth.http.ts";

const SECRET = "0123456789abcdef";
const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
let revoked: Set<string>;
let asked: number;
let faults: unknown[];
let app: express.Express;

beforeEach(() => {
  revoked = new Set();
  asked = 0;
  faults = [];
  app = express();
  app.use(
    "/mqtt",
    makeBrokerAuthDoor({
      secret: SECRET,
      clock,
      authenticate: (serial, password) => {
        asked += 1;
        if (serial === "BROKEN") return Promise.reject(new Error("The database is away."));
        return Promise.resolve(password === `${serial}-password` && !revoked.has(serial));
      },
      maySpeak: (serial) => Promise.resolve(!revoked.has(serial)),
      rights: (serial) => ({
        publish: ["status", "data", "event", "ack"].map((kind) => `paygo/v1/${serial}/${kind}`),
        subscribe: [`paygo/v1/${serial}/cmd`],
      }),
      gateway: { username: "washa", password: "gateway-password" },
      onFault: (error) => faults.push(error),
    }),
  );
});

async function emqx(path: "auth" | "acl", body: object, secret = SECRET): Promise<unknown> {
  const response = await request(app).post(`/mqtt/${path}`).set("x-washa-secret", secret).send(body);
  expect(response.status).toBe(200);
  return response.body as unknown;
}
const signIn = (body: object, secret?: string) =>
  emqx("auth", { clientid: "LAMP", peerhost: "192.0.2.1", ...body }, secret);
const act = (action: string, topic: string, username = "LAMP") => emqx("acl", { username, action, topic });
const ALLOWED = { result: "allow", is_superuser: false };
const DENIED = { result: "deny", is_superuser: false };

describe("EMQX asks who may sign in", () => {
  test("a device with its password may; a wrong one, another's, and none may not", async () => {
    expect(await signIn({ username: "LAMP", password: "LAMP-password" })).toEqual(ALLOWED);
    expect(await signIn({ username: "LAMP", password: "RADIO-password" })).toEqual(DENIED);
    expect(await signIn({ username: "LAMP", password: null })).toEqual(DENIED);
    expect(await signIn({ password: "LAMP-password" })).toEqual(DENIED);
  });

  test("a device may not take another's session, nor ours, by its client id", async () => {
    const lamp = { username: "LAMP", password: "LAMP-password" };
    expect(await signIn({ ...lamp, clientid: "RADIO" })).toEqual(DENIED);
    expect(await signIn({ ...lamp, clientid: "washa-gateway-0" })).toEqual(DENIED);
    expect(asked).toBe(0);
  });

  test("our gateways may, by the password of MQTT_URL, under any client id", async () => {
    const gateway = { username: "washa", clientid: "washa-one-0" };
    expect(await signIn({ ...gateway, password: "gateway-password" })).toEqual({ result: "allow", is_superuser: true });
    expect(await signIn({ ...gateway, password: "guess" })).toEqual(DENIED);
  });

  test("without the shared secret nobody learns whether a password is right", async () => {
    expect(await signIn({ username: "LAMP", password: "LAMP-password" }, "another-secret")).toEqual(DENIED);
    expect(asked).toBe(0);
  });

  test("a fault or a body that makes no sense is a denial, told to the operator", async () => {
    expect(await signIn({ username: "BROKEN", clientid: "BROKEN", password: "x" })).toEqual(DENIED);
    expect(await signIn({ username: ["LAMP"], password: { $ne: "" } })).toEqual(DENIED);
    expect(await signIn({ username: "LAMP", password: "x".repeat(10_000) })).toEqual(DENIED);
    expect(faults).toHaveLength(3);
  });

  test("after five wrong passwords a guesser is not looked at for a minute, and the device itself comes in", async () => {
    for (let guess = 0; guess < 5; guess++)
      await signIn({ username: "LAMP", password: `guess ${guess}`, peerhost: "198.51.100.9" });
    expect(asked).toBe(5);
    const right = { username: "LAMP", password: "LAMP-password" };
    expect(await signIn({ ...right, peerhost: "198.51.100.9" })).toEqual(DENIED);
    expect(asked).toBe(5);
    expect(await signIn(right)).toEqual(ALLOWED);
    clock.advance(60_000);
    expect(await signIn({ ...right, peerhost: "198.51.100.9" })).toEqual(ALLOWED);
  });
});

describe("EMQX asks who may do what", () => {
  test("a device publishes and reads its own topics only, named whole", async () => {
    for (const kind of ["status", "data", "event", "ack"])
      expect(await act("publish", `paygo/v1/LAMP/${kind}`), kind).toEqual(ALLOWED);
    expect(await act("subscribe", "paygo/v1/LAMP/cmd")).toEqual(ALLOWED);
    for (const [action, topic] of [
      ["publish", "paygo/v1/LAMP/cmd"],
      ["publish", "paygo/v1/RADIO/data"],
      ["publish", "paygo/v1/LAMP/data/more"],
      ["subscribe", "paygo/v1/LAMP/data"],
      ["subscribe", "paygo/v1/LAMP/#"],
      ["subscribe", "paygo/v1/+/cmd"],
      ["subscribe", "#"],
      ["subscribe", "$share/washa/paygo/v1/+/data"],
      ["eavesdrop", "paygo/v1/LAMP/cmd"],
    ] as const)
      expect(await act(action, topic), topic).toEqual(DENIED);
  });

  test("revoking ends the rights of a connection that still stands", async () => {
    revoked.add("LAMP");
    expect(await act("publish", "paygo/v1/LAMP/data")).toEqual(DENIED);
    expect(await act("subscribe", "paygo/v1/LAMP/cmd")).toEqual(DENIED);
  });
});

describe("RabbitMQ asks the same by its own forms", () => {
  const ask = async (path: string, body: Record<string, string>): Promise<string> =>
    (await request(app).post(`/mqtt/rabbitmq/${SECRET}/${path}`).type("form").send(body)).text;

  test("signing in", async () => {
    const lamp = { username: "LAMP", password: "LAMP-password", client_id: "LAMP", vhost: "/" };
    expect(await ask("user", lamp)).toBe("allow");
    expect(await ask("user", { ...lamp, password: "guess" })).toBe("deny");
    expect(await ask("user", { ...lamp, client_id: "RADIO" })).toBe("deny");
    expect(await ask("user", { username: "LAMP", password: "LAMP-password" }), "by AMQP").toBe("deny");
    const stranger = await request(app).post("/mqtt/rabbitmq/another-secret/user").type("form").send(lamp);
    expect(stranger.text).not.toContain("allow");
    expect(stranger.ok).toBe(false);
  });

  test("topics, which it writes with dots, and queues", async () => {
    const topic = { vhost: "/", resource: "topic", name: "amq.topic" };
    const lamp = { ...topic, username: "LAMP" };
    expect(await ask("topic", { ...lamp, permission: "write", routing_key: "paygo.v1.LAMP.data" })).toBe("allow");
    expect(await ask("topic", { ...lamp, permission: "read", routing_key: "paygo.v1.LAMP.cmd" })).toBe("allow");
    expect(await ask("topic", { ...lamp, permission: "read", routing_key: "paygo.v1.LAMP.data" })).toBe("deny");
    expect(await ask("topic", { ...lamp, permission: "read", routing_key: "#" })).toBe("deny");
    // A dot in a serial is a slash over there.
    const dotted = { ...topic, username: "A.1", permission: "write", routing_key: "paygo.v1.A/1.data" };
    expect(await ask("topic", dotted)).toBe("allow");
    expect(
      await ask("topic", { ...topic, username: "washa", permission: "read", routing_key: "paygo.v1.*.data" }),
    ).toBe("allow");
    const resource = { username: "LAMP", vhost: "/", permission: "read" };
    expect(await ask("resource", { ...resource, resource: "queue", name: "mqtt-subscription-LAMPqos1" })).toBe("allow");
    expect(await ask("resource", { ...resource, resource: "queue", name: "mqtt-subscription-LAMP2qos1" })).toBe("deny");
    expect(await ask("resource", { ...resource, resource: "exchange", name: "amq.topic" })).toBe("allow");
    expect(await ask("resource", { ...resource, resource: "exchange", name: "amq.fanout" })).toBe("deny");
    expect(await ask("vhost", { username: "LAMP", vhost: "/", ip: "192.0.2.1" })).toBe("allow");
  });
});
