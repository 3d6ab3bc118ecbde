import { compare, type Found } from "./compare.ts";
import { keyOf, type Told } from "./told.ts";

type Plant = (found: Found, told: Told) => void;

function required<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new Error("The run was too short to plant a fault.");
  return item;
}

/** The place of a reading that some device had acknowledged. */
function acknowledgedAt(readings: Found["readings"], { acknowledged }: Told): number {
  const at = readings.findIndex(({ serial, atMs }) => acknowledged.has(keyOf(serial, atMs)));
  if (at < 0) throw new Error("The run was too short to plant a fault.");
  return at;
}

const HUNDRED_DAYS_MS = 8_640_000_000;

/** Ways in which readings can be wrong. Each is put into a copy of what was found, and a check must notice it. */
const PLANTS: Readonly<Record<string, Plant>> = {
  "an acknowledged reading lost everywhere": (found, told) => {
    const [lost] = found.readings.splice(acknowledgedAt(found.readings, told), 1);
    const same = found.history.findIndex(({ serial, atMs }) => serial === lost?.serial && atMs === lost.atMs);
    found.history.splice(same, 1);
  },
  "an acknowledged reading lost in history": (found, told) =>
    void found.history.splice(acknowledgedAt(found.history, told), 1),
  "an acknowledged reading lost in PostgreSQL": (found, told) =>
    void found.readings.splice(acknowledgedAt(found.readings, told), 1),
  "a reading twice in history": (found) => void found.history.push({ ...required(found.history[3]) }),
  "a reading twice in PostgreSQL": (found) => void found.readings.push({ ...required(found.readings[3]) }),
  "a reading that nobody told": (found) => {
    const one = required(found.readings[2]);
    const invented = { ...one, serial: "NOBODY", atMs: one.atMs };
    found.readings.push(invented);
    found.history.push(invented);
  },
  "a reading at a time of its own": (found, told) => {
    const honest = required(found.readings.find(({ serial }) => !told.movable.has(serial)));
    const moved = { ...honest, atMs: honest.atMs - HUNDRED_DAYS_MS };
    found.readings.push(moved);
    found.history.push(moved);
  },
  "a reading in history only": (found) => {
    const one = required(found.history[4]);
    found.history.push({ ...one, atMs: one.atMs + 1 });
  },
  "another value in history": (found) => {
    const one = required(found.history[5]);
    found.history[5] = { ...one, batteryVoltageV: (one.batteryVoltageV ?? 0) + 0.5 };
  },
  "another transaction in history": (found) => {
    found.history[6] = { ...required(found.history[6]), batch: "1" };
  },
  "an hour that counts a reading twice": (found) => {
    const one = required(found.hours[1]);
    found.hours[1] = { ...one, readings: one.readings + 1 };
  },
  "an hour that sums a voltage twice": (found) => {
    const at = found.hours.findIndex(({ batteryVoltageSum }) => batteryVoltageSum > 0);
    const one = required(found.hours[at]);
    found.hours[at] = { ...one, batteryVoltageSum: one.batteryVoltageSum * (1 + 1 / one.readings) };
  },
  "a lost hour": (found) => void found.hours.splice(0, 1),
  "an hour without readings": (found) =>
    void found.hours.push({
      ...required(found.hours[0]),
      startsAtMs: required(found.hours[0]).startsAtMs - HUNDRED_DAYS_MS,
    }),
  "a day that forgot a reading": (found) => {
    const one = required(found.days[1]);
    found.days[1] = { ...one, readings: one.readings - 1 };
  },
  "a lost day": (found) => void found.days.splice(0, 1),
  "a range left behind": (found) => void (found.behind += 1),
};

/** Proves that the checks bite: names of the planted faults that no check noticed, and how many were planted. */
export function findBlindSpots(found: Found, told: Told): { planted: number; unnoticed: readonly string[] } {
  const unnoticed = Object.entries(PLANTS).filter(([, plant]) => {
    const { readings, history, hours, days, behind } = found;
    const copy = { readings: [...readings], history: [...history], hours: [...hours], days: [...days], behind };
    plant(copy, told);
    return compare(copy, told).every(({ broken }) => broken.length === 0);
  });
  return { planted: Object.keys(PLANTS).length, unnoticed: unnoticed.map(([name]) => name) };
}
