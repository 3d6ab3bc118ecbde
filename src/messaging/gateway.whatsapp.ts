import { z } from "zod";
import type { OutboundHttp } from "../platform/outbound.ts";
import { parseAnswer, sendJson } from "./gateway-http.ts";
import type { Button, Gateway, GatewayOutcome, Outgoing } from "./gateway.ts";

/** WhatsApp's own bounds; what passes one of them is refused whole. */
const REPLY_BUTTONS_MAX = 3;
const BUTTON_TITLE_MAX = 20;
const LIST_ROWS_MAX = 10;
const ROW_TITLE_MAX = 24;
const ROW_DESCRIPTION_MAX = 72;
/** Of a text that has something to tap below it. */
const INTERACTIVE_TEXT_MAX = 1_024;
/** On the button that opens a list. The word is the same in the languages that we speak, and the port knows none. */
const LIST_BUTTON = "Menu";

/** The day after the customer's last message is over: only a template may be sent. */
const OUTSIDE_WINDOW = 131_047;
/**
 * The same message to the same number can never go: not reachable by WhatsApp, our own number, a type that is not supported, a
 * parameter that is wrong or lacks. What is about us (token, limits, payment, their faults) can be mended.
 */
const PERMANENT_CODES = new Set([OUTSIDE_WINDOW, 100, 131_008, 131_009, 131_021, 131_026, 131_051, 132_000, 132_001]);

const TAKEN = z.object({ messages: z.array(z.object({ id: z.string().min(1) })).min(1) });
const REFUSED = z.object({ error: z.object({ code: z.number() }) });

/**
 * WhatsApp's Cloud API: `POST /<phone number id>/messages`. Up to three choices are buttons, more are a list. A template is sent
 * instead of the text where one is given: whoever gives it knows that the window is shut. `http` brings address and time limits.
 */
export function makeWhatsappGateway({
  http,
  phoneId,
  token,
}: {
  http: OutboundHttp;
  phoneId: string;
  token: string;
}): Gateway {
  return {
    async send(message) {
      const body = {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: message.to.replace(/^\+/, ""),
        ...contentOf(message),
      };
      const headers = { authorization: `Bearer ${token}` };
      return await sendJson(http, { url: `/${phoneId}/messages`, headers, body }, readAnswer);
    },
  };
}

function readAnswer(status: number, text: string): GatewayOutcome {
  const answer = parseAnswer(text);
  const taken = TAKEN.safeParse(answer);
  const [first] = taken.success ? taken.data.messages : [];
  if (status === 200 && first !== undefined) return { accepted: true, providerId: first.id };
  const refused = REFUSED.safeParse(answer);
  if (!refused.success) return { accepted: false, reason: `HTTP ${String(status)}`, permanent: false };
  const { code } = refused.data.error;
  const reason = code === OUTSIDE_WINDOW ? "outside the 24-hour window" : `error ${String(code)}`;
  return { accepted: false, reason, permanent: PERMANENT_CODES.has(code) };
}

function contentOf({ text, buttons = [], template }: Outgoing): Readonly<Record<string, unknown>> {
  if (template !== undefined) {
    const { name, language, values } = template;
    const parameters = values.map((value) => ({ type: "text", text: value }));
    const components = parameters.length === 0 ? [] : [{ type: "body", parameters }];
    return { type: "template", template: { name, language: { code: language }, components } };
  }
  // A token that is cut is worth nothing: better no buttons than half a text. Their numbers and words work unsaid.
  const isPlain = buttons.length === 0 || buttons.length > LIST_ROWS_MAX || text.length > INTERACTIVE_TEXT_MAX;
  if (isPlain) return { type: "text", text: { body: text, preview_url: false } };
  return { type: "interactive", interactive: { body: { text }, ...shapeButtons(buttons) } };
}

/** Buttons where all labels fit on them; otherwise a list, which shows the whole label below a title that was cut. */
export function shapeButtons(buttons: readonly Button[]): Readonly<Record<string, unknown>> {
  const isShort = buttons.every(({ label }) => label.length <= BUTTON_TITLE_MAX);
  if (buttons.length <= REPLY_BUTTONS_MAX && isShort)
    return {
      type: "button",
      action: { buttons: buttons.map(({ id, label }) => ({ type: "reply", reply: { id, title: label } })) },
    };
  const rows = buttons.map(({ id, label }) => {
    const title = cut(label, ROW_TITLE_MAX);
    return title === label ? { id, title } : { id, title, description: cut(label, ROW_DESCRIPTION_MAX) };
  });
  return { type: "list", action: { button: LIST_BUTTON, sections: [{ rows }] } };
}

/** At a word where there is one in the second half. */
function cut(label: string, lengthMax: number): string {
  if (label.length <= lengthMax) return label;
  const short = label.slice(0, lengthMax - 1).toWellFormed();
  const space = short.lastIndexOf(" ");
  return `${(space > lengthMax / 2 ? short.slice(0, space) : short).trimEnd()}…`;
}
