import { Temporal } from "temporal-polyfill";

const wall = (at: Date, zone: string): Temporal.PlainDateTime =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).toPlainDateTime();

/** "20261120211500": the timestamp that is part of a prompt's password. */
export const fourteenDigits = (at: Date, zone: string): string =>
  wall(at, zone).toString({ smallestUnit: "second" }).replace(/\D/g, "");

/** "2026-11-20 21:15:00": the Pull API's form. */
export const dateAndTime = (at: Date, zone: string): string =>
  wall(at, zone).toString({ smallestUnit: "second" }).replace("T", " ");
