import type { ContractId } from "../../kernel/ids.ts";
import type { Tx } from "../../platform/database.ts";
import type { ActiveUntil } from "./days-left.ts";
import type { Liveness } from "./liveness.ts";

export type Connection = "online" | "offline" | "unknown";

/** What the rest of the house knows of a device. Undefined area: nobody has it. */
export interface PlaceFacts {
  /** `devices.devices.number`. */
  readonly device: number;
  readonly serial: string;
  readonly model: string;
  /** Its state in its life: stock, installed, … */
  readonly life: string;
  /** With a customer: only then is silence news. */
  readonly inService: boolean;
  readonly area: string | undefined;
  readonly place: string | undefined;
  readonly latitude: number | undefined;
  readonly longitude: number | undefined;
  readonly contractId: ContractId | undefined;
  /** What the tokens gave. */
  readonly activeUntil: ActiveUntil | undefined;
  /** The count of the last token issued. */
  readonly tokensIssued: number;
}

/** Where the facts come from; filled by the composition root from devices, contracts and customers. Reads in the sync's transaction. */
export interface PlaceSource {
  /** Facts of the devices with the next numbers above `after`, in their order, at most `limit`. */
  page(tx: Tx, query: { after: number; limit: number }): Promise<readonly PlaceFacts[]>;
  /** The same of those devices only about which something was written since. */
  changed(tx: Tx, query: { since: Date; after: number; limit: number }): Promise<readonly PlaceFacts[]>;
}

/** One row of the fleet screen. Undefined: the device does not tell. */
export interface FleetDevice extends Omit<PlaceFacts, "tokensIssued"> {
  readonly liveness: Liveness;
  readonly connection: Connection;
  readonly firstSeenAt: Date | undefined;
  /** By our clock. */
  readonly lastSeenAt: Date | undefined;
  /** Of the newest reading, by the device's clock. */
  readonly readingAt: Date | undefined;
  readonly intervalSeconds: number;
  readonly daysLeftByDevice: number | undefined;
  readonly daysLeftByContract: number | undefined;
  /** Device minus contract. */
  readonly daysAhead: number | undefined;
  readonly tokenCount: number | undefined;
  readonly tokensIssued: number;
  /** How far the device's count is behind the issued one; 0 where it is level or ahead. */
  readonly tokenLag: number | undefined;
  readonly firmwareVersion: string | undefined;
  readonly signalDbm: number | undefined;
  readonly tampered: boolean | undefined;
  readonly clockShiftSeconds: number;
  readonly batteryVoltageV: number | undefined;
  readonly batteryCurrentA: number | undefined;
  readonly batteryChargePercent: number | undefined;
  readonly batteryTemperatureC: number | undefined;
  readonly panelVoltageV: number | undefined;
  readonly panelPowerW: number | undefined;
  readonly loadPowerW: number | undefined;
}

export type BatteryLevel = "unknown" | "empty" | "low" | "good";
export const BATTERY_LEVELS: readonly BatteryLevel[] = ["unknown", "empty", "low", "good"];
/** Percent of charge below which a battery is called empty, and low. */
export const BATTERY_EMPTY_PERCENT = 10;
export const BATTERY_LOW_PERCENT = 30;

export interface FleetFilter {
  /** The start of a serial. */
  readonly search?: string | undefined;
  readonly area?: string | undefined;
  readonly place?: string | undefined;
  readonly model?: string | undefined;
  /** With a customer, or not. */
  readonly inService?: boolean | undefined;
  readonly liveness?: Liveness | undefined;
  readonly firmwareVersion?: string | undefined;
  readonly tampered?: boolean | undefined;
  readonly battery?: BatteryLevel | undefined;
  /** The device has not taken the last token yet. */
  readonly tokenBehind?: boolean | undefined;
}

export interface FleetSummary {
  readonly devices: number;
  readonly inService: number;
  readonly online: number;
  /** Of those in service. */
  readonly byLiveness: Readonly<Record<Liveness, number>>;
  readonly byBattery: Readonly<Record<BatteryLevel, number>>;
  readonly tampered: number;
  readonly tokenBehind: number;
  readonly byArea: readonly {
    readonly area: string;
    readonly devices: number;
    readonly alive: number;
    readonly troubled: number;
  }[];
  readonly byFirmware: readonly {
    readonly model: string;
    readonly firmwareVersion: string;
    readonly devices: number;
  }[];
  /** The oldest count among those that were added; undefined before the first. */
  readonly countedAt: Date | undefined;
}

/** A square of the map, about 64 screen points wide, with the devices in it. */
export interface MapSquare {
  readonly latitude: number;
  readonly longitude: number;
  readonly devices: number;
  /** Silent or lost. */
  readonly troubled: number;
  readonly tampered: number;
  /** The device, where it is one and the map is looked at closely. */
  readonly device: number | undefined;
}
