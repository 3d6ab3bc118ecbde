import type { Scope } from "./grouping.ts";
import type { Rule } from "./rules.ts";

/**
 * Rising: seen, but not for long enough to be told. Closed: a person does not want to see it again until its rule has
 * cleared it once. Acknowledged and closed alerts stay the same alert until their rule clears them.
 */
export type AlertState = "rising" | "open" | "acknowledged" | "closed" | "cleared";

/** `rule`: the value came back. `left`: the device is with no customer any more. `split` and `absorbed`: a group's end. */
export type ClearedBy = "rule" | "left" | "split" | "absorbed" | "disabled";

export interface Alert {
  readonly id: bigint;
  readonly rule: Rule;
  readonly scope: Scope | "device";
  /** The device's number and serial, where it is about one. */
  readonly device: number | undefined;
  readonly serial: string | undefined;
  /** '' for the fleet and for a device that nobody has. */
  readonly area: string;
  readonly place: string;
  readonly state: AlertState;
  /** First seen beyond the threshold. */
  readonly since: Date;
  readonly raisedAt: Date | undefined;
  readonly clearedAt: Date | undefined;
  readonly clearedBy: ClearedBy | undefined;
  /** In the rule's unit, as of the last change; of a group: how many devices are silent. */
  readonly value: number;
  readonly members: number;
  readonly groupedInto: bigint | undefined;
  readonly snoozedUntil: Date | undefined;
  readonly decidedBy: string | undefined;
  readonly decidedAt: Date | undefined;
  readonly reason: string | undefined;
}

export interface AlertFilter {
  readonly area?: string | undefined;
  readonly rule?: Rule | undefined;
  readonly device?: number | undefined;
  /** Those that wait for a person, the default; or everything that ever was. */
  readonly includes?: "shown" | "all" | undefined;
}

/** What a subscriber hears: what changed, or that it may have missed something and should read the list again. */
export type AlertNews =
  { readonly kind: "changed"; readonly alerts: readonly AlertChange[] } | { readonly kind: "missed" };

export interface AlertChange {
  readonly id: bigint;
  readonly rule: Rule;
  readonly area: string;
  readonly state: AlertState;
}
