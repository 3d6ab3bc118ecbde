import { InvalidInput, NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import { DAY_MS, HOUR_MS, parseZone, type Clock } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import type { Json } from "../../platform/idempotency.ts";
import type { Alert, AlertState } from "./alert.ts";
import * as store from "./alerts.store.ts";
import { checkSettings, isRule, type RuleSettings } from "./rules.ts";
import * as ruleStore from "./rules.store.ts";
import * as telling from "./telling.store.ts";

/** Appends to the audit in the transaction of the act; filled by the composition root from access. */
export type Audit = (
  tx: Tx,
  entry: { actor: string; action: string; subjectKind: string; subjectId: string; detail: Json },
) => Promise<void>;

interface Decision {
  readonly alertId: bigint;
  readonly reason: string;
  readonly actor: string;
  /** Where the actor may act; undefined: everywhere. */
  readonly area: string | undefined;
}

/** What staff decide. Every act needs a reason where it hides something, and leaves an audit row. */
export interface AlertCommands {
  /** Somebody takes care of it. It stays on the list until its rule clears it, and is told to nobody any more. */
  acknowledge(tx: Tx, decision: Decision): Promise<Alert>;
  /** Off the list and untold until an instant, at most 30 days ahead; an open one comes back then. */
  snooze(tx: Tx, decision: Decision & { until: Date }): Promise<Alert>;
  /** Off the list for good. It is the same trouble until its rule clears it, so it does not come back at the next look. */
  close(tx: Tx, decision: Decision): Promise<Alert>;
  /** Changes a rule for all models ("") or one. Throws `InvalidInput` for thresholds under which it would flap. */
  setRule(tx: Tx, change: { rule: string; model: string; settings: RuleSettings; actor: string }): Promise<void>;
  /** What is expected of a model: how often it reports where it does not say, and its oldest good firmware. */
  setExpectation(tx: Tx, change: ruleStore.Expectation & { actor: string }): Promise<void>;
  /** Whom alerts are told by message. */
  setReader(tx: Tx, change: Omit<telling.AlertReader, "since"> & { changedBy: string }): Promise<void>;
  removeReader(tx: Tx, change: { reader: string; changedBy: string }): Promise<void>;
}

const SNOOZE_MAX_MS = 30 * DAY_MS;
const SNOOZE_MIN_MS = HOUR_MS / 4;
const REASON_CHARACTERS_MAX = 500;
const MODEL_CHARACTERS_MAX = 120;
const FIRMWARE_CHARACTERS_MAX = 60;
const INTERVAL_SECONDS = { least: 60, most: 604_800 } as const;
const MESSAGES_A_DAY_MAX = 100;

export function makeAlertCommands({ clock, audit }: { clock: Clock; audit: Audit }): AlertCommands {
  async function decide(
    tx: Tx,
    decision: Decision,
    act: { name: string; state: (alert: Alert) => AlertState; snoozedUntil?: Date },
  ): Promise<Alert> {
    const reason = parseReason(decision.reason);
    const alert = await store.lockAlert(tx, decision.alertId);
    // An alert of another area reads as one that does not exist, on purpose.
    if (alert === undefined || (decision.area !== undefined && alert.area !== decision.area))
      throw new NotFound("alert", "alertId");
    if (alert.state === "cleared" || alert.state === "rising" || alert.state === "closed")
      throw new NotAllowedNow(`This alert is ${alert.state}: nothing is left to decide.`);
    const decided = {
      state: act.state(alert),
      snoozedUntil: act.snoozedUntil,
      by: decision.actor,
      at: clock.now(),
      reason,
    };
    await store.saveDecision(tx, { id: alert.id, ...decided });
    await audit(tx, {
      actor: decision.actor,
      action: `alert.${act.name}`,
      subjectKind: "alert",
      subjectId: alert.id.toString(),
      detail: {
        rule: alert.rule,
        device: alert.serial ?? null,
        area: alert.area,
        reason,
        until: act.snoozedUntil?.toISOString() ?? null,
      },
    });
    const { rule, area } = alert;
    await store.notifyChanges(tx, [{ id: alert.id, rule, area, state: decided.state }]);
    return {
      ...alert,
      state: decided.state,
      snoozedUntil: decided.snoozedUntil,
      decidedBy: decided.by,
      decidedAt: decided.at,
      reason,
    };
  }

  return {
    acknowledge: (tx, decision) => decide(tx, decision, { name: "acknowledge", state: () => "acknowledged" }),
    snooze(tx, { until, ...decision }) {
      const aheadMs = until.getTime() - clock.now().getTime();
      if (!(aheadMs >= SNOOZE_MIN_MS && aheadMs <= SNOOZE_MAX_MS))
        throw new InvalidInput("An alert is snoozed for a quarter of an hour to 30 days.", "until");
      return decide(tx, decision, { name: "snooze", state: ({ state }) => state, snoozedUntil: until });
    },
    close: (tx, decision) => decide(tx, decision, { name: "close", state: () => "closed" }),
    async setRule(tx, { rule, model, settings, actor }) {
      if (!isRule(rule)) throw new InvalidInput("There is no such rule.", "rule");
      const changed = checkSettings(rule, settings);
      const stored = { rule, model: parseModel(model), settings: changed, changedBy: actor, changedAt: clock.now() };
      await ruleStore.saveSettings(tx, stored);
      const { quantity, ...detail } = changed;
      await audit(tx, {
        actor,
        action: "alert_rule.set",
        subjectKind: "alert_rule",
        subjectId: stored.model === "" ? rule : `${rule}/${stored.model}`,
        detail: { ...detail, quantity: quantity ?? null },
      });
    },
    async setExpectation(tx, { actor, model, intervalSeconds, firmwareMinimum }) {
      const expectation = {
        model: parseModel(model),
        intervalSeconds,
        firmwareMinimum: firmwareMinimum?.trim(),
      };
      if (expectation.model === "") throw new InvalidInput("Name the model.", "model");
      const { least, most } = INTERVAL_SECONDS;
      if (
        intervalSeconds !== undefined &&
        !(Number.isInteger(intervalSeconds) && intervalSeconds >= least && intervalSeconds <= most)
      )
        throw new InvalidInput("An interval is 60 seconds to 7 days.", "intervalSeconds");
      if (
        firmwareMinimum !== undefined &&
        (!/^[^\0\r\n]*\d[^\0\r\n]*$/.test(firmwareMinimum) || firmwareMinimum.length > FIRMWARE_CHARACTERS_MAX)
      )
        throw new InvalidInput("A firmware version has numbers, such as 1.4.2.", "firmwareMinimum");
      await ruleStore.saveExpectation(tx, expectation);
      await audit(tx, {
        actor,
        action: "alert_expectation.set",
        subjectKind: "model",
        subjectId: expectation.model,
        detail: { intervalSeconds: intervalSeconds ?? null, firmwareMinimum: expectation.firmwareMinimum ?? null },
      });
    },
    async setReader(tx, { changedBy, ...reader }) {
      if (!/^\+[1-9]\d{6,14}$/.test(reader.phone))
        throw new InvalidInput("A phone is written with its country, such as +254711000111.", "phone");
      const { messagesADayMax } = reader;
      if (!Number.isInteger(messagesADayMax) || messagesADayMax < 1 || messagesADayMax > MESSAGES_A_DAY_MAX)
        throw new InvalidInput("A reader gets 1 to 100 messages a day.", "messagesADayMax");
      parseZone(reader.zone);
      await telling.saveReader(tx, { reader, changedBy, now: clock.now() });
      await audit(tx, {
        actor: changedBy,
        action: "alert_reader.set",
        subjectKind: "alert_reader",
        subjectId: reader.actor,
        detail: { area: reader.area ?? null, messagesADayMax },
      });
    },
    async removeReader(tx, { reader, changedBy }) {
      if (!(await telling.removeReader(tx, reader))) throw new NotFound("reader of alerts", "reader");
      await audit(tx, {
        actor: changedBy,
        action: "alert_reader.remove",
        subjectKind: "alert_reader",
        subjectId: reader,
        detail: {},
      });
    },
  };
}

function parseReason(text: string): string {
  const reason = text.trim();
  if (reason === "" || reason.length > REASON_CHARACTERS_MAX || /\p{Cc}/u.test(reason))
    throw new InvalidInput(`Give a reason of 1 to ${REASON_CHARACTERS_MAX} characters on one line.`, "reason");
  return reason;
}

function parseModel(text: string): string {
  const model = text.trim();
  if (model.length > MODEL_CHARACTERS_MAX || /\p{Cc}/u.test(model))
    throw new InvalidInput(`A model has at most ${MODEL_CHARACTERS_MAX} characters.`, "model");
  return model;
}
