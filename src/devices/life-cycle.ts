/**
 * Where a device may go. stock: ours, ready to be sold. installed: in a home. swapped: taken out of a home and not looked at
 * yet. repair: in the workshop. retired: gone for good.
 */
export const DEVICE_STATES = ["stock", "installed", "swapped", "repair", "retired"] as const;

export type DeviceState = (typeof DEVICE_STATES)[number];

const PATHS: Readonly<Record<DeviceState, readonly DeviceState[]>> = {
  stock: ["installed", "repair", "retired"],
  installed: ["swapped", "repair", "stock", "retired"],
  swapped: ["repair", "stock", "retired"],
  repair: ["stock", "installed", "retired"],
  retired: [],
};

export function pathsFrom(state: DeviceState): readonly DeviceState[] {
  return PATHS[state];
}

/** Whether a device may be claimed and speak: in a home, or in the shop where it is tried before it is sold. */
export function maySpeak(state: DeviceState): boolean {
  return state === "installed" || state === "stock";
}

/** A person's move is about a device that a contract may hold; what a sale or a swap moves is credit's own business. */
export interface MoveRequest {
  readonly from: DeviceState;
  readonly to: DeviceState;
  /** Whether an active contract runs on it. */
  readonly hasContract: boolean;
}

export type MoveDecision = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const no = (reason: string): MoveDecision => ({ ok: false, reason });

/**
 * Decides a move that a person asks for. A device with an active contract leaves its home for the workshop only, and comes
 * back to it: everything else would leave a family paying for a lamp that is not theirs.
 */
export function decideMove({ from, to, hasContract }: MoveRequest): MoveDecision {
  if (from === to) return no(`It is ${from} already.`);
  if (!PATHS[from].includes(to)) {
    const open = PATHS[from].join(", ");
    return no(
      open === "" ? "It is retired; a retired device stays where it is." : `From ${from} it can only go to: ${open}.`,
    );
  }
  if (to === "installed" && !hasContract)
    return no("No active contract runs on it. Sell it, or swap it into a contract, and it is installed by that.");
  if (hasContract && to !== "installed" && !(from === "installed" && to === "repair"))
    return no("An active contract runs on it. Swap the contract to another device first, or write it off.");
  return { ok: true };
}
