import type { Language } from "../../kernel/language.ts";
import { Temporal } from "temporal-polyfill";
import { localDateOf, type LocalDate } from "../../kernel/time.ts";
import type { Scope } from "./grouping.ts";
import type { Rule } from "./rules.ts";

/** Nobody is woken between these hours of their own zone, unless a rule is urgent. */
export const QUIET_HOURS = { from: 20, to: 7 } as const;
/** More than so many at once are one message with their number. */
export const SINGLES_MAX = 3;

export function isQuiet(now: Date, zone: string): boolean {
  const { hour } = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone);
  return hour >= QUIET_HOURS.from || hour < QUIET_HOURS.to;
}

/** An alert that a reader has not been told of. */
export interface DueAlert {
  readonly id: bigint;
  readonly rule: Rule;
  readonly scope: Scope | "device";
  readonly serial: string | undefined;
  readonly area: string;
  readonly place: string;
  /** How many devices a group holds. */
  readonly devices: number;
  readonly urgent: boolean;
}

export interface Reader {
  readonly actor: string;
  readonly phone: string;
  readonly language: Language;
  readonly zone: string;
  readonly messagesADayMax: number;
}

export interface AlertMessage {
  readonly key: string;
  readonly alertIds: readonly bigint[];
  readonly content:
    | { readonly kind: "device"; readonly rule: Rule; readonly device: string; readonly place: string }
    | { readonly kind: "group"; readonly place: string; readonly devices: number }
    | { readonly kind: "digest"; readonly alerts: number; readonly worst: string };
}

/**
 * What a reader is told now. Up to three alerts are a message each; more are one digest that names a few. The last message
 * of the reader's day is always a digest of all that waits, so that nothing is told twice and nothing is forgotten. At night
 * only what is urgent; the rest waits for the morning. `sentToday`: messages on the reader's own day.
 */
export function decideTelling(
  { reader, due, sentToday }: { reader: Reader; due: readonly DueAlert[]; sentToday: number },
  now: Date,
): readonly AlertMessage[] {
  const tellable = isQuiet(now, reader.zone) ? due.filter(({ urgent }) => urgent) : due;
  const left = reader.messagesADayMax - sentToday;
  if (tellable.length === 0 || left <= 0) return [];
  if (tellable.length <= SINGLES_MAX && tellable.length < left) return tellable.map((one) => single(one, reader));
  if (tellable.length === 1) return tellable.map((one) => single(one, reader));
  const on: LocalDate = localDateOf(now, reader.zone);
  return [
    {
      key: `alerts:${on}:${sentToday + 1}:${reader.actor}`,
      alertIds: tellable.map(({ id }) => id),
      content: { kind: "digest", alerts: tellable.length, worst: namesOf(tellable) },
    },
  ];
}

function single(alert: DueAlert, { actor }: Reader): AlertMessage {
  const where = alert.place === "" ? alert.area : alert.place;
  return {
    key: `alert:${alert.id}:${actor}`,
    alertIds: [alert.id],
    content:
      alert.scope === "device"
        ? { kind: "device", rule: alert.rule, device: alert.serial ?? "", place: where }
        : { kind: "group", place: where, devices: alert.devices },
  };
}

/** Groups first, since a village matters more than a lamp; three names fit an SMS. */
function namesOf(alerts: readonly DueAlert[]): string {
  const ordered = alerts.toSorted((left, right) => weightOf(right) - weightOf(left) || Number(left.id - right.id));
  return ordered
    .slice(0, 3)
    .map(({ scope, serial, area, place }) => (scope === "device" ? (serial ?? "") : place === "" ? area : place))
    .filter((name) => name !== "")
    .join(", ");
}

const weightOf = ({ scope, urgent, devices }: DueAlert): number =>
  (scope === "device" ? 0 : 1_000 + devices) + Number(urgent) * 500;
