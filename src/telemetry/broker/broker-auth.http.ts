import express, { Router, type ErrorRequestHandler, type RequestHandler } from "express";
import { z } from "zod";
import { NotFound } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import { isSameSecret } from "../../platform/same-secret.ts";
import { makeSignInLimit } from "./sign-in-limit.ts";
import type { TopicRightsOf } from "./mosquitto-accounts.ts";

/** What the doors ask of the house. */
export interface BrokerAuthSettings {
  /** Shared with the broker: EMQX sends it as the header X-Washa-Secret, RabbitMQ as a part of the path. */
  readonly secret: string;
  readonly clock: Clock;
  authenticate(serial: string, password: string): Promise<boolean>;
  /** Whether the device may still speak: asked with every right, so that revoking ends a connection's rights at once. */
  maySpeak(serial: string): Promise<boolean>;
  readonly rights: TopicRightsOf;
  /** The user of MQTT_URL: our own gateways, who read what all devices tell. */
  readonly gateway: { readonly username: string; readonly password: string } | undefined;
  onFault(error: unknown): void;
}

interface Decision {
  readonly allow: boolean;
  /** EMQX asks nothing further about such a user. */
  readonly isSuperuser?: boolean;
}

const text = z.string().max(1_000);
/** A client may leave each of these out, and the broker then sends an empty text, null or the word "undefined". */
const signIn = z.object({
  username: text.nullish(),
  password: text.nullish(),
  clientid: text.nullish(),
  peerhost: text.nullish(),
});
const act = z.object({ username: text.nullish(), action: z.enum(["publish", "subscribe"]), topic: text });
const rabbitUser = z.object({ username: text, password: text.optional(), client_id: text.optional() });
const rabbitVhost = z.object({ username: text, vhost: text });
const rabbitResource = z.object({ username: text, resource: text, name: text });
const rabbitTopic = z.object({ username: text, permission: z.enum(["write", "read"]), routing_key: text });

const BODY_MAX = "8kb";

/**
 * Where brokers ask who may sign in and who may do what: EMQX by JSON (`/auth`, `/acl`), RabbitMQ by forms
 * (`/rabbitmq/{secret}/user` and its siblings). A device's client id must be its serial, or it could take over another's
 * session. Whatever goes wrong is a denial.
 */
export function makeBrokerAuthDoor(settings: BrokerAuthSettings): Router {
  const router = Router();
  const decisions = makeDecisions(settings);
  const json = express.json({ limit: BODY_MAX });
  const form = express.urlencoded({ limit: BODY_MAX, extended: false, type: () => true });

  const emqx =
    (decide: (body: unknown) => Promise<Decision>): RequestHandler =>
    async (request, response) => {
      const { allow, isSuperuser = false } = isSameSecret(request.get("x-washa-secret") ?? "", settings.secret)
        ? await orDenied(() => decide(request.body), settings.onFault)
        : { allow: false };
      response.json({ result: allow ? "allow" : "deny", is_superuser: allow && isSuperuser });
    };
  // To EMQX any other status means "ask somebody else".
  const deny: ErrorRequestHandler = (error: unknown, _request, response, _next) => {
    settings.onFault(error);
    response.json({ result: "deny", is_superuser: false });
  };
  router.post("/auth", json, emqx(decisions.signIn), deny);
  router.post("/acl", json, emqx(decisions.act), deny);

  const rabbit =
    (decide: (body: unknown) => Promise<Decision>): RequestHandler<{ secret: string }> =>
    async (request, response) => {
      const { allow } = await orDenied(() => decide(request.body), settings.onFault);
      response.type("text/plain").send(allow ? "allow" : "deny");
    };
  // Who does not know the secret finds a page that is not there; RabbitMQ takes that for a denial.
  router.use("/rabbitmq/:secret", (request, _response, next) => {
    if (!isSameSecret(request.params.secret, settings.secret)) throw new NotFound("page");
    next();
  });
  router.post("/rabbitmq/:secret/user", form, rabbit(decisions.rabbitUser));
  router.post("/rabbitmq/:secret/vhost", form, rabbit(decisions.rabbitVhost));
  router.post("/rabbitmq/:secret/resource", form, rabbit(decisions.rabbitResource));
  router.post("/rabbitmq/:secret/topic", form, rabbit(decisions.rabbitTopic));
  return router;
}

function makeDecisions({ clock, authenticate, maySpeak, rights, gateway }: BrokerAuthSettings) {
  const limit = makeSignInLimit({ clock });

  const isGateway = (username: string): boolean => gateway !== undefined && username === gateway.username;

  async function mayEnter(
    username: string,
    { password, clientId, source }: { password: string; clientId: string; source: string },
  ): Promise<Decision> {
    if (gateway !== undefined && isGateway(username))
      return { allow: isSameSecret(password, gateway.password), isSuperuser: true };
    if (clientId !== username || !limit.admits(username, source)) return { allow: false };
    const allow = await authenticate(username, password);
    limit.record(username, source, allow);
    return { allow };
  }

  async function mayAct(username: string, action: "publish" | "subscribe", topic: string): Promise<boolean> {
    if (isGateway(username)) return true;
    return rights(username)[action].includes(topic) && (await maySpeak(username));
  }

  return {
    async signIn(body: unknown) {
      const { username, password, clientid, peerhost } = signIn.parse(body);
      return mayEnter(username ?? "", {
        password: password ?? "",
        clientId: clientid ?? "",
        source: peerhost ?? "",
      });
    },
    async act(body: unknown) {
      const { username, action, topic } = act.parse(body);
      return { allow: await mayAct(username ?? "", action, topic) };
    },
    async rabbitUser(body: unknown) {
      const { username, password, client_id: clientId } = rabbitUser.parse(body);
      return mayEnter(username, { password: password ?? "", clientId: clientId ?? "", source: "" });
    },
    /** Which virtual host MQTT lives in is the broker's own matter. */
    rabbitVhost: (body: unknown) => Promise.resolve({ allow: rabbitVhost.safeParse(body).success }),
    /** The exchange of all MQTT topics, and the device's own queue: whoever comes by AMQP finds nothing else. */
    rabbitResource(body: unknown) {
      const { username, resource, name } = rabbitResource.parse(body);
      const isOwn =
        (resource === "exchange" && name === "amq.topic") ||
        (resource === "queue" && ownQueues(username).includes(name));
      return Promise.resolve({ allow: isGateway(username) || isOwn });
    },
    async rabbitTopic(body: unknown) {
      const { username, permission, routing_key: key } = rabbitTopic.parse(body);
      if (isGateway(username)) return { allow: true };
      // RabbitMQ has dots where MQTT has slashes, and the other way round.
      const topic = key.replace(/[./]/g, (mark) => (mark === "." ? "/" : "."));
      return { allow: await mayAct(username, permission === "write" ? "publish" : "subscribe", topic) };
    },
  };
}

async function orDenied(decide: () => Promise<Decision>, onFault: (error: unknown) => void): Promise<Decision> {
  try {
    return await decide();
  } catch (error) {
    onFault(error);
    return { allow: false };
  }
}

/** RabbitMQ's names for the queues of an MQTT client, whose id is its serial. */
function ownQueues(serial: string): readonly string[] {
  return [`mqtt-subscription-${serial}qos0`, `mqtt-subscription-${serial}qos1`, `mqtt-will-${serial}`];
}
