import { InvalidInput } from "../../kernel/refusal.ts";
import type { Tx } from "../../platform/database.ts";
import * as store from "./battery.store.ts";
import { parseBatterySpec } from "./spec.ts";

/** A battery as people type it. */
export interface GivenSpec {
  readonly chemistry: string;
  readonly ratedAh: number;
  readonly cells: number;
}

export interface BatteryCommands {
  /** Says what battery the devices of a model have. Throws InvalidInput naming the field. */
  setModelBattery(tx: Tx, model: string, spec: GivenSpec): Promise<void>;
  /**
   * Says what is particular of one device's battery: its kind where it is not the model's, and its first day, as "2026-11-16".
   * `replaced`: it is another battery than before, so what was learned of the old one is forgotten; needs `newOn`.
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

export function makeBatteryCommands(): BatteryCommands {
  return {
    async setModelBattery(tx, model, spec) {
      if (model.trim() === "") throw new InvalidInput("The name of the model is missing.", "model");
      await store.writeModel(tx, model, parseBatterySpec(spec));
    },
    async setBattery(tx, { deviceNumber, spec, newOn, replaced }) {
      if (newOn !== undefined && !(/^\d{4}-\d{2}-\d{2}$/.test(newOn) && !Number.isNaN(Date.parse(newOn))))
        throw new InvalidInput(`"${newOn}" is not a day. Expected a form such as 2026-11-16.`, "newOn");
      if (replaced && newOn === undefined)
        throw new InvalidInput(
          "A battery that was replaced needs its first day: what is older is the old one's.",
          "newOn",
        );
      await store.writeBattery(tx, {
        device: deviceNumber,
        spec: spec === undefined ? undefined : parseBatterySpec(spec),
        newOn,
      });
      if (replaced) await store.forget(tx, deviceNumber);
    },
  };
}
