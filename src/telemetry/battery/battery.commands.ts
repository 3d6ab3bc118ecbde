import { InvalidInput } from "../../kernel/refusal.ts";
import { DAY_MS, type Clock } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import * as store from "./battery.store.ts";
import { parseBatterySpec, refusalOfSpec } from "./spec.ts";

/** A battery as people type it. */
export interface GivenSpec {
  readonly chemistry: string;
  readonly ratedAh: number;
  readonly cells: number;
}

export interface BatteryCommands {
  /** Why there can be no such battery; undefined where there can. */
  refusalOf(spec: GivenSpec): string | undefined;
  /** Says what battery the devices of a model have. Throws InvalidInput naming the field. */
  setModelBattery(tx: Tx, model: string, spec: GivenSpec): Promise<void>;
  /**
   * What an import tells of batteries: the most usual one of a model becomes the model's, a device with another one keeps its own.
   * What was said of a model or a device before stays. Specifications as `parseBatterySpec` takes them.
   */
  noteImported(
    tx: Tx,
    batteries: readonly { readonly deviceNumber: number; readonly model: string; readonly spec: GivenSpec }[],
  ): Promise<void>;
  /**
   * A device came into the first home of its life: its battery's first day is this one (UTC), unless a day was said before. What was
   * learned of it in the shop as a battery of unknown age is forgotten.
   */
  noteInstalled(tx: Tx, installed: { readonly deviceNumber: number; readonly at: Date }): Promise<void>;
  /**
   * Says what is particular of one device's battery: its kind where it is not the model's, and its first day, as "2026-11-16".
   * What is left out stays as it was said before. `replaced`: it is another battery than before, so what was said and learned of
   * the old one is forgotten; needs `newOn`, and without `spec` the new one is of the model's kind.
   */
  setBattery(
    tx: Tx,
    battery: {
      readonly deviceNumber: number;
      readonly spec?: GivenSpec | undefined;
      readonly newOn?: string | undefined;
      readonly replaced: boolean;
    },
  ): Promise<void>;
}

const MODEL_CHARACTERS_MAX = 120;
/** East of Greenwich a day begins before it does in UTC. */
const AHEAD_MS = DAY_MS;

export function makeBatteryCommands({ clock }: { clock: Clock }): BatteryCommands {
  return {
    refusalOf: refusalOfSpec,
    async setModelBattery(tx, model, spec) {
      const name = model.trim();
      if (name === "" || name.length > MODEL_CHARACTERS_MAX || /[\0\r\n]/.test(name))
        throw new InvalidInput(`The name of a model has 1 to ${MODEL_CHARACTERS_MAX} characters in one line.`, "model");
      await store.writeModel(tx, name, parseBatterySpec(spec));
    },
    async noteImported(tx, batteries) {
      await store.writeImported(
        tx,
        batteries.map(({ deviceNumber, model, spec }) => ({
          device: deviceNumber,
          model,
          spec: parseBatterySpec(spec),
        })),
      );
    },
    async noteInstalled(tx, { deviceNumber, at }) {
      const newOn = at.toISOString().slice(0, 10);
      if (await store.writeFirstDay(tx, { device: deviceNumber, newOn }))
        await store.forget(tx, { device: deviceNumber, from: newOn });
    },
    async setBattery(tx, { deviceNumber, spec, newOn, replaced }) {
      if (newOn !== undefined && !isDay(newOn))
        throw new InvalidInput(`"${newOn}" is not a day. Expected a form such as 2026-11-16.`, "newOn");
      if (newOn !== undefined && Date.parse(newOn) > clock.now().getTime() + AHEAD_MS)
        throw new InvalidInput("A battery cannot be new on a day that is still to come.", "newOn");
      if (replaced && newOn === undefined)
        throw new InvalidInput(
          "A battery that was replaced needs its first day: what is older is the old one's.",
          "newOn",
        );
      await store.writeBattery(tx, {
        device: deviceNumber,
        spec: spec === undefined ? undefined : parseBatterySpec(spec),
        newOn,
        replaced,
      });
      if (replaced && newOn !== undefined) await store.forget(tx, { device: deviceNumber, from: newOn });
    },
  };
}

/** Whether it is a day of the calendar: JavaScript reads the 31st of June as the first of July. */
function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}
