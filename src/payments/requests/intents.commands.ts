import { createHash } from "node:crypto";
import type { IntentId, MakeId } from "../../kernel/ids.ts";
import { AMOUNT_MINOR_MAX, type Money } from "../../kernel/money.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Db, Tx } from "../../platform/database.ts";
import * as store from "./intents.store.ts";
import type { OpenRail, OpenRails } from "../open-rails.ts";
import type { Intent } from "../payments.ts";
import { isAble } from "../rails/rail.ts";

export interface Intents {
  /**
   * Asks a phone to pay an amount for an account: written down here, sent by the request loop after the commit. While such a
   * request of the same amount is open, it is answered instead of making another: nobody is prompted twice for one wish.
   * Refuses amounts out of range, and a phone that no rail can ask.
   */
  request(tx: Tx, order: IntentOrder): Promise<{ readonly intent: Intent; readonly isNew: boolean }>;
  find(db: Db | Tx, ids: readonly IntentId[]): Promise<ReadonlyMap<IntentId, Intent>>;
  /** Of one account, newest first; the open ones alone with `openOnly`. */
  list(db: Db | Tx, query: { reference: string; openOnly?: boolean; limit: number }): Promise<readonly Intent[]>;
  /** Rails that can ask a phone of this country to pay in this currency, in the order of the configuration. */
  railsFor(payer: { country: string; currency: string }): readonly OpenRail[];
}

export interface IntentOrder {
  /** The channel to ask through; without it the first that can. */
  readonly rail?: string | undefined;
  /** The account to credit, in the form in which customers know it. */
  readonly reference: string;
  /** E.164, and the country it belongs to. */
  readonly phone: string;
  readonly country: string;
  readonly amount: Money;
  readonly actor: string;
  readonly through: Intent["askedThrough"];
}

/** Payment intents: what we ask phones to pay. */
export function makeIntents({
  clock,
  makeId,
  makeCorrelation,
  rails,
}: {
  clock: Clock;
  makeId: MakeId;
  /** A random UUID of version 4: nobody can guess the address that it becomes part of. */
  makeCorrelation: () => string;
  rails: OpenRails;
}): Intents {
  function railsFor({ country, currency }: { country: string; currency: string }): readonly OpenRail[] {
    return [...rails.values()].filter(
      ({ rail, config }) => isAble(rail.requestPayment) && config.country === country && config.currency === currency,
    );
  }

  function requireRail({ rail: name, country, amount }: IntentOrder): OpenRail {
    if (name === undefined) {
      const [first] = railsFor({ country, currency: amount.currency });
      if (first === undefined)
        throw new NotAllowedNow(`No rail can ask a phone of ${country} to pay in ${amount.currency}.`);
      return first;
    }
    const open = rails.get(name);
    if (open === undefined) throw new NotFound("rail", "rail");
    const { requestPayment } = open.rail;
    if (!isAble(requestPayment)) throw new NotAllowedNow(`${name} cannot ask for payments: ${requestPayment.cannot}`);
    if (open.config.currency !== amount.currency)
      throw new NotAllowedNow(`${name} takes ${open.config.currency}, the account is in ${amount.currency}.`);
    return open;
  }

  async function request(tx: Tx, order: IntentOrder): Promise<{ intent: Intent; isNew: boolean }> {
    const { reference, phone, amount } = order;
    if (amount.minor <= 0n || amount.minor > AMOUNT_MINOR_MAX)
      throw new InvalidInput("An amount above zero is needed, and below what any rail carries.", "amountMinor");
    const { rail } = requireRail(order);
    await store.lockPayer(tx, { reference, phone });
    const open = await store.listIntents(tx, { reference, openOnly: true, limit: 20 });
    const same = open.find(
      (one) => one.phone === phone && one.rail === rail.channel.name && one.amount.minor === amount.minor,
    );
    if (same !== undefined) return { intent: same, isNew: false };
    const now = clock.now();
    const intent: Intent = {
      id: makeId(),
      rail: rail.channel.name,
      correlation: makeCorrelation(),
      providerCorrelation: undefined,
      memory: {},
      payAt: null,
      reference,
      phone,
      amount,
      requestedBy: order.actor,
      askedThrough: order.through,
      state: "created",
      reason: null,
      providerId: null,
      wasAccepted: false,
      attempts: 0,
      enquiries: 0,
      createdAt: now,
      expiresAt: new Date(now.getTime() + rail.enquirySchedule.expiresAfterMs),
      finishedAt: null,
    };
    await store.insertIntent(tx, intent, createHash("sha256").update(phone.slice(1)).digest());
    return { intent, isNew: true };
  }

  return { request, find: store.findIntents, list: store.listIntents, railsFor };
}
