import type { MakeId, MessageId } from "../kernel/ids.ts";
import { localDateOf, type Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { approvedText, isWindowOpen } from "./channel-choice.ts";
import { campaignState } from "./campaigns.store.ts";
import { countParts, times } from "./costs.ts";
import { isLost, type DeliveryReport, type DeliveryState } from "./delivery.ts";
import type { GatewayOutcome, Gateways, Outgoing } from "./gateway.ts";
import { addSpending, reserveSpending, type Spending } from "./limits.store.ts";
import type { MessageSettings } from "./message-settings.ts";
import type { Manners, Message } from "./messaging.ts";
import * as store from "./messaging.store.ts";
import { nextMorning, quietUntil } from "./quiet-hours.ts";
import { isReminder, render } from "./texts.ts";
import { heardAt } from "./ways.store.ts";
import { fallbackRow, writeMessages } from "./writing.store.ts";

/** The gateway did not take the message this time. The job is tried again. */
export class MessageNotTaken extends Error {
  constructor(reason: string) {
    super(`The gateway did not take the message: ${reason}`);
    this.name = "MessageNotTaken";
  }
}

/** Another worker is sending this message, or died while it was. The job is tried again, when that is known. */
export class SendUnderWay extends Error {
  constructor() {
    super("This message is being sent by another worker.");
    this.name = "SendUnderWay";
  }
}

/** `held`: it waits for a decent hour or another day's money, and is handed over again by `releaseDeferred`. */
export type SendOutcome = "sent" | "already_sent" | "held" | "refused" | "unknown_message";

/** Of the cap, in percent: what is left when campaigns stop is for reminders. */
const MARKETING_SHARE = 80;
const REMINDER_SHARE = 100;
/** A chat that does not answer so often is given up, since another channel may reach the person. */
const CHAT_ATTEMPTS_MAX = 3;

/** What one attempt may go on with: the fixed text, and what was counted for it under the cap. */
interface Claim {
  readonly text: string;
  readonly reserved: Spending | undefined;
}

/** Sends one message at a time, and keeps what became of it. */
export function makeSending({
  db,
  clock,
  makeId,
  gateways,
  settings,
  manners,
  claimMs,
}: {
  db: Db;
  clock: Clock;
  makeId: MakeId;
  gateways: Gateways;
  settings: MessageSettings;
  manners: Manners;
  claimMs: number;
}) {
  const today = (): Spending["onDay"] => localDateOf(clock.now(), manners.zone);

  async function attempt(message: Message): Promise<SendOutcome> {
    const claim = await db.transaction((tx) => admit(tx, message));
    if (typeof claim === "string") return claim;
    const outcome = await hand(message, claim.text);
    const end = outcome.accepted ? undefined : { ...outcome, permanent: isOver(message, outcome) };
    await db.transaction((tx) => record(tx, message, { outcome: end ?? outcome, reserved: claim.reserved }));
    if (end === undefined) return "sent";
    if (end.permanent) return "refused";
    throw new MessageNotTaken(end.reason);
  }

  /** Claims a message for an attempt; one that may wait passes only where nothing speaks against it at this moment. */
  async function admit(tx: Tx, message: Message): Promise<Claim | "held" | "refused"> {
    const { id } = message;
    const now = clock.now();
    const claimed = await store.claimMessage(tx, { id, text: message.text ?? render(message), now, claimMs });
    if (claimed === undefined) throw new SendUnderWay();
    const share =
      message.category === "marketing" ? MARKETING_SHARE : isReminder(message.template) ? REMINDER_SHARE : undefined;
    if (share === undefined) return { text: claimed.text, reserved: undefined };
    const reason = await findObjection(tx, message);
    if (reason !== undefined) {
      await store.recordNotAccepted(tx, { id, reason, permanent: true, now });
      return "refused";
    }
    const zone = manners.zoneOf(message.toPhone);
    const notBefore = quietUntil(now, zone, settings.quietHours);
    if (notBefore !== undefined) {
      await store.deferMessage(tx, { id, notBefore, why: "quiet hours" });
      return "held";
    }
    const { costCap: cap, partPrice } = settings;
    if (cap === undefined || partPrice === undefined) return { text: claimed.text, reserved: undefined };
    const expected = times(partPrice, message.channel === "sms" ? countParts(claimed.text) : 0);
    const spending = { onDay: today(), ...expected };
    if (await reserveSpending(tx, { spending, cap, share, now })) return { text: claimed.text, reserved: spending };
    const morning = nextMorning(now, zone, settings.quietHours);
    await store.deferMessage(tx, { id, notBefore: morning, why: "the day's cost cap is reached" });
    return "held";
  }

  /** What makes it wrong to send something that somebody did not wait for, although it was right when it was written. */
  async function findObjection(tx: Tx, { campaignId, customerId, category }: Message): Promise<string | undefined> {
    if (campaignId !== null && (await campaignState(tx, campaignId)) === "stopped") return "the campaign was stopped";
    if (customerId === null) return undefined;
    const wanted = await manners.consents(tx, [customerId]);
    const isWanted = category === "marketing" ? wanted.get(customerId)?.marketing : wanted.get(customerId)?.service;
    return isWanted === true ? undefined : "consent was withdrawn";
  }

  async function hand(message: Message, text: string): Promise<GatewayOutcome> {
    const { channel } = message;
    const gateway = gateways[channel];
    if (gateway === undefined) return { accepted: false, reason: `no gateway for ${channel}`, permanent: true };
    const to = message.address ?? message.toPhone;
    const content: Outgoing = {
      to,
      text,
      ...(message.buttons.length === 0 ? {} : { buttons: message.buttons }),
      ...(message.asksContact ? { asksContact: true } : {}),
    };
    if (channel !== "whatsapp" || isWindowOpen(await heardAt(db, channel, to), clock.now()))
      return gateway.send(content);
    const template = approvedText(message, settings.approvedTexts);
    return template === undefined
      ? { accepted: false, reason: "outside the 24-hour window", permanent: true }
      : gateway.send({ ...content, template });
  }

  async function record(
    tx: Tx,
    message: Message,
    { outcome, reserved }: { outcome: GatewayOutcome; reserved: Spending | undefined },
  ): Promise<void> {
    const { id } = message;
    const now = clock.now();
    if (!outcome.accepted) {
      await store.recordNotAccepted(tx, { id, ...outcome, now });
      if (outcome.permanent) await fallBack(tx, message);
    } else {
      const { state, cost } = await store.recordAccepted(tx, { id, ...outcome, now });
      if (cost !== undefined) await addSpending(tx, { onDay: today(), ...cost });
      if (isLost(state)) await fallBack(tx, message);
      // The price expected stands where the gateway named none.
      if (cost === undefined) return;
    }
    if (reserved !== undefined) await addSpending(tx, { ...reserved, amount: `-${reserved.amount}` });
  }

  /**
   * What did not arrive by a chat goes by SMS, once: its key names what it stands for. An answer in a chat stays there, unless it is
   * a person's to a customer who agrees to messages.
   */
  async function fallBack(tx: Tx, message: Message): Promise<void> {
    const { channel, category, customerId, toPhone } = message;
    if (channel === "sms" || !toPhone.startsWith("+")) return;
    if (category === "reply") {
      if (customerId === null) return;
      const agreed = (await manners.consents(tx, [customerId])).get(customerId);
      if (agreed?.service !== true) return;
    }
    await writeMessages(tx, [fallbackRow(message, makeId())], clock.now());
  }

  return {
    async send(messageId: string): Promise<SendOutcome> {
      const message = await store.findKnown(db, messageId);
      if (message === undefined) return "unknown_message";
      if (message.state === "refused") return "refused";
      if (message.state !== "waiting") return "already_sent";
      const isEarly = message.notBefore !== null && message.notBefore > clock.now();
      return isEarly ? "held" : attempt(message);
    },
    receiveReport: (report: DeliveryReport): Promise<store.ReportOutcome> =>
      db.transaction(async (tx) => {
        const { outcome, moved } = await store.recordReport(tx, report, clock.now());
        if (moved !== undefined && isLost(moved.state)) await fallBack(tx, await requireMessage(tx, moved));
        return outcome;
      }),
  };
}

async function requireMessage(tx: Tx, { id }: { id: MessageId; state: DeliveryState }): Promise<Message> {
  const message = await store.findMessage(tx, id);
  if (message === undefined) throw new Error("Bug: a message moved that is not there.");
  return message;
}

/** A refusal for good, or a chat that was silent for too long. */
function isOver({ channel, attempts }: Message, outcome: { readonly permanent: boolean }): boolean {
  return outcome.permanent || (channel !== "sms" && attempts + 1 >= CHAT_ATTEMPTS_MAX);
}
