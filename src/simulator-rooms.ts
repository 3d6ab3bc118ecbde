import { join } from "node:path";
import express, { Router, type ErrorRequestHandler } from "express";
import { z } from "zod";
import { NotOnStage } from "../simulators/stage/outcome.ts";
import type { Stage } from "../simulators/stage/stage.ts";
import type { App } from "./app.ts";
import { ConfigRefused } from "./config.ts";
import { InvalidInput, NotFound } from "./kernel/refusal.ts";
import { makeStaticPages } from "./platform/static-pages.http.ts";

/** The longest thing a person sends is a message. */
const BODY_BYTES_MAX = 16_384;
/** As far as a lamp's clock is moved at once. */
const HOURS_MAX = 24 * 366;

const PAGE_FOLDER = join(import.meta.dirname, "../web/dist/simulator");
const PAGE_REMEDY =
  "The simulator's page is not built. Build it with `npm run build:web`, then start again. The rest of the program runs.\n";

const CALL = z.union([
  z.strictObject({ dial: z.string().min(1).max(200) }),
  z.strictObject({ answer: z.string().max(200) }),
  z.strictObject({ hangUp: z.literal(true) }),
]);
const SMS = z.strictObject({ text: z.string().min(1).max(1_000) });
const CHAT = z.union([
  z.strictObject({ text: z.string().min(1).max(4_096) }),
  z.strictObject({ messageId: z.string().min(1).max(200), buttonId: z.string().min(1).max(200) }),
]);
const PAYMENT = z.strictObject({
  account: z.string().min(1).max(40),
  amount: z.string().regex(/^\d{1,7}(\.\d{1,2})?$/, "an amount is a number such as 150 or 150.50"),
});
const DECISION = z.union([
  z.strictObject({ pin: z.string().regex(/^\d{4}$/, "a PIN has four digits") }),
  z.strictObject({ refuses: z.literal(true) }),
]);
const KEYS = z.strictObject({ keys: z.string().regex(/^[0-9*#]{1,64}$/, "a keypad has 0 to 9, * and #") });
const CLOCK = z.strictObject({ hours: z.number().positive().max(HOURS_MAX) });
const SIGNAL = z.strictObject({ isCovered: z.boolean() });

/**
 * Hangs the simulated phone into a running program: its page at `/simulator`, and the JSON below `/simulator/api` that the page and
 * the terminal's phone speak. What people do there goes by the stage through the program's real doors; nothing here knows a shortcut.
 * Throws ConfigRefused in production, where nobody may act as a customer.
 */
export function openSimulator(
  { config, doors }: Pick<App, "config" | "doors">,
  { stage, pageFolder = PAGE_FOLDER }: { stage: Stage; pageFolder?: string },
): void {
  if (config.isProduction)
    throw new ConfigRefused(["NODE_ENV: the simulated phone speaks for customers and never runs in production."]);
  const api = Router();
  api.use(express.json({ limit: BODY_BYTES_MAX, strict: true }));
  api.get("/stage", (_request, response) => {
    response.json(stage.view());
  });
  addPhones(api, stage);
  addLamps(api, stage);
  const refuse: ErrorRequestHandler = (error: unknown, _request, _response, next) => {
    next(error instanceof NotOnStage ? new NotFound(error.what) : error);
  };
  api.use(refuse);
  doors.use("/simulator/api", api);
  doors.use("/simulator", makeStaticPages({ folder: pageFolder, remedy: PAGE_REMEDY }));
}

function addPhones(api: Router, stage: Stage): void {
  api.get("/phones/:phone", ({ params: { phone } }, response) => {
    response.json(stage.phone(phone));
  });
  api.post("/phones/:phone/call", async ({ params: { phone }, body }, response) => {
    const asked = parse(CALL, body);
    if ("hangUp" in asked) {
      stage.hangUp(phone);
      response.json({ text: "", isOpen: false });
    } else if ("dial" in asked) response.json(await stage.dial(phone, asked.dial));
    else response.json(await stage.answer(phone, asked.answer));
  });
  api.post("/phones/:phone/sms", async ({ params: { phone }, body }, response) => {
    response.json(await stage.sendSms(phone, parse(SMS, body).text));
  });
  api.post("/phones/:phone/chat", async ({ params: { phone }, body }, response) => {
    response.json(await stage.chat(phone, parse(CHAT, body)));
  });
  api.post("/phones/:phone/chat/read", ({ params: { phone } }, response) => {
    stage.readChat(phone);
    response.json(stage.phone(phone));
  });
  api.post("/phones/:phone/payment", async ({ params: { phone }, body }, response) => {
    response.json(await stage.pay(phone, parse(PAYMENT, body)));
  });
  api.post("/phones/:phone/prompts/:id", ({ params: { phone, id }, body }, response) => {
    response.json(stage.decide(phone, { id, isApproved: "pin" in parse(DECISION, body) }));
  });
  api.get("/phones/:phone/hood", async ({ params: { phone }, query }, response) => {
    const { receipt } = query;
    response.json(await stage.underHood(phone, typeof receipt === "string" ? receipt : undefined));
  });
}

function addLamps(api: Router, stage: Stage): void {
  api.get("/lamps/:serial", ({ params: { serial } }, response) => {
    response.json(stage.lamp(serial));
  });
  api.post("/lamps/:serial/keys", ({ params: { serial }, body }, response) => {
    response.json(stage.press(serial, parse(KEYS, body).keys));
  });
  api.post("/lamps/:serial/clock", ({ params: { serial }, body }, response) => {
    response.json(stage.advance(serial, parse(CLOCK, body).hours));
  });
  api.post("/lamps/:serial/signal", ({ params: { serial }, body }, response) => {
    response.json(stage.cover(serial, parse(SIGNAL, body).isCovered));
  });
}

function parse<Value>(schema: z.ZodType<Value>, body: unknown): Value {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InvalidInput(issue?.message ?? "The body cannot be used.", issue?.path.join("."));
}
