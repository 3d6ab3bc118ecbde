import { MINUTE_MS, SECOND_MS } from "../../../kernel/time.ts";
import type { Adapter, Cannot, Delivery, Door, Parsed, Rail, RailTools } from "../rail.ts";
import { answerDaraja } from "./answers.ts";
import { parseC2b } from "./c2b.ts";
import { makeDarajaClient, type DarajaClient } from "./daraja.client.ts";
import { makeEnquiry } from "./enquiries.client.ts";
import type { DarajaTerms } from "./fields.ts";
import { makeListing } from "./listing.client.ts";
import { makePrompt, makeRefund } from "./orders.client.ts";
import { parseResult, parseTimeout } from "./result.ts";
import { parseDarajaSettings, type DarajaSettings } from "./settings.ts";
import { parseStkCallback } from "./stk.ts";

const DOORS: readonly Door[] = [
  { name: "confirmation", kind: "notice", methods: ["POST"], parameter: "none" },
  { name: "validation", kind: "question", methods: ["POST"], parameter: "none" },
  { name: "stk", kind: "notice", methods: ["POST"] },
  { name: "result", kind: "notice", methods: ["POST"] },
  { name: "timeout", kind: "notice", methods: ["POST"] },
];

/** A prompt stands on the phone for about a minute, and its end is known some minutes later at the latest. */
const ENQUIRY_SCHEDULE = { firstAfterMs: 30 * SECOND_MS, expiresAfterMs: 10 * MINUTE_MS };

/** M-Pesa in Kenya: paybills and tills, prompts, pay-outs, reversals, enquiries and the pulled list. */
export const daraja: Adapter<DarajaSettings> = {
  name: "daraja",
  title: "M-Pesa (Safaricom Daraja): paybill, till, prompts, pay-outs, reversals and the pulled list.",
  parseSettings: parseDarajaSettings,
  open: openDaraja,
};

function openDaraja(settings: DarajaSettings, tools: RailTools): Rail {
  const { channel } = tools;
  const { stk, initiator, pull } = settings;
  const shortcodes = new Set(settings.shortcodes);
  const ownShortcode = settings.shortcodes[0] ?? "";
  const prompt = {
    creditParty: stk?.partyB ?? stk?.shortcode ?? ownShortcode,
    type: stk?.transactionType === "CustomerBuyGoodsOnline" ? "merchantpay" : "billpay",
  } as const;
  const client = clientOf(settings, tools);

  function parse(delivery: Delivery): Parsed {
    const terms: DarajaTerms = {
      shortcodes,
      currency: channel.currency,
      zone: channel.zone,
      now: delivery.receivedAt,
    };
    const { door, parameter, raw } = delivery;
    const ownParty = isAboutPayOut(parameter) ? (initiator?.b2cShortcode ?? ownShortcode) : ownShortcode;
    switch (door) {
      case "confirmation":
      case "validation":
        return parseC2b(raw, terms);
      case "stk":
        return parseStkCallback(raw, { ...terms, ...prompt, correlation: parameter });
      case "result":
        return parseResult(raw, { ...terms, parameter, ownParty });
      case "timeout":
        return parseTimeout({ ...terms, parameter, ownParty });
    }
    throw new Error(`M-Pesa has no door ${door}.`);
  }

  return {
    channel,
    doors: DOORS,
    payTo: ownShortcode,
    callbackIs: "evidence",
    isRequestRepeatable: false,
    isRefundRepeatable: true,
    enquiryNamesPayment: false,
    enquirySchedule: ENQUIRY_SCHEDULE,
    // M-Pesa signs nothing: the secret address and the list of allowed callers are all there is, and the door checks both.
    verify: async () => Promise.resolve({ trust: "unsigned" }),
    parse,
    answer: ({ door }, outcome) => answerDaraja(door, outcome),
    requestPayment:
      client === undefined || stk === undefined
        ? cannot("ask a phone to pay", { client, settings: { stk } })
        : makePrompt(client, stk, tools),
    enquire:
      client === undefined || (stk === undefined && initiator === undefined)
        ? cannot("ask what became of a payment", { client, settings: { "stk or initiator": stk ?? initiator } })
        : makeEnquiry(client, { stk, initiator, ownShortcode, prompt }, tools),
    refund:
      client === undefined || initiator === undefined
        ? cannot("give money back", { client, settings: { initiator } })
        : makeRefund(client, { initiator, ownShortcode }, tools),
    list:
      client === undefined || pull === undefined
        ? cannot("list what was paid", { client, settings: { pull } })
        : makeListing(client, { settings, pull }, tools),
  };
}

const isAboutPayOut = (parameter: string | undefined): boolean => parameter?.startsWith("b2c-") === true;

function clientOf(settings: DarajaSettings, { http, clock }: RailTools): DarajaClient | undefined {
  const { baseUrl, consumerKey, consumerSecret } = settings;
  if (consumerKey === undefined || consumerSecret === undefined) return undefined;
  return makeDarajaClient({ http, clock, baseUrl, consumerKey, consumerSecret });
}

function cannot(
  what: string,
  { client, settings }: { client: DarajaClient | undefined; settings: Readonly<Record<string, unknown>> },
): Cannot {
  const missing = [
    ...(client === undefined ? ["consumerKey and consumerSecret"] : []),
    ...Object.keys(settings).filter((name) => settings[name] === undefined),
  ];
  return { cannot: `M-Pesa cannot ${what} without the setting ${missing.join(", and ")}.` };
}
