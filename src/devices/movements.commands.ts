import type { ContractId } from "../kernel/ids.ts";
import type { Clock } from "../kernel/time.ts";
import type { Tx } from "../platform/database.ts";
import { stepOf } from "./command-life.ts";
import * as commandStore from "./commands.store.ts";
import { revokeOf } from "./credentials.ts";
import * as credentialStore from "./credentials.store.ts";
import type { Device, Whereabouts } from "./devices.ts";
import { maySpeak, type DeviceState } from "./life-cycle.ts";
import * as store from "./movements.store.ts";

export interface Move {
  /** Locked by the caller. */
  readonly device: Device;
  readonly to: DeviceState;
  readonly reason: string;
  readonly actor: string;
  readonly contractId?: ContractId | undefined;
  readonly bulkId?: string | undefined;
  readonly whereabouts?: Whereabouts | undefined;
}

export interface Mover {
  /** Moves locked devices that may go there, with everything that hangs on it: history, credentials, open commands. */
  apply(tx: Tx, moves: readonly Move[]): Promise<readonly Device[]>;
}

/** The one place that changes where a device is; whether it may go there is decided before. */
export function makeMover({ clock }: { clock: Clock }): Mover {
  async function shut(tx: Tx, moves: readonly Move[]): Promise<void> {
    if (moves.length === 0) return;
    const now = clock.now();
    const byId = new Map(moves.map((move) => [move.device.id, move]));
    const rows = await credentialStore.lockBySerials(
      tx,
      moves.map(({ device }) => device.serial),
    );
    const revoked = rows.flatMap((row) => {
      const move = byId.get(row.deviceId);
      const write = revokeOf(row, { now, actor: move?.actor ?? "", detail: `moved to ${move?.to ?? ""}` });
      return write === undefined ? [] : [write];
    });
    await credentialStore.write(tx, revoked, now);
    const open = await commandStore.lockOpenOfDevices(tx, [...byId.keys()]);
    const steps = open.flatMap((command) => {
      const step = stepOf(command, { kind: "withdrawn", at: now });
      return step === undefined ? [] : [{ id: command.id, step, actor: byId.get(command.deviceId)?.actor ?? "" }];
    });
    await commandStore.writeSteps(tx, steps, now);
  }

  return {
    async apply(tx, moves) {
      const at = clock.now();
      await store.move(
        tx,
        moves.map(({ device, to, reason, actor, contractId, bulkId, ...move }) => ({
          deviceId: device.id,
          from: device.state,
          to,
          ...whereaboutsAfter(device, { to, whereabouts: move.whereabouts }),
          reason,
          actor,
          contractId: contractId ?? null,
          bulkId: bulkId ?? null,
          at,
        })),
      );
      await shut(
        tx,
        moves.filter(({ device, to }) => losesVoice(device.state, to)),
      );
      return moves.map(({ device, to, whereabouts }) => ({
        ...device,
        state: to,
        ...whereaboutsAfter(device, { to, whereabouts }),
        installedAt: to === "installed" && device.state === "stock" ? at : device.installedAt,
      }));
    },
  };
}

/** What leaves a home, or may not speak where it goes: its next home begins with a claim. */
function losesVoice(from: DeviceState, to: DeviceState): boolean {
  return from !== to && (from === "installed" || !maySpeak(to));
}

/** Out of a home the family's place is no longer its own; the area stays until somebody says another. */
function whereaboutsAfter(device: Device, { to, whereabouts }: Pick<Move, "to" | "whereabouts">): Whereabouts {
  if (whereabouts !== undefined) {
    const { area, place, latitude, longitude } = whereabouts;
    return { area, place, latitude, longitude };
  }
  const { area, place, latitude, longitude } = device;
  return device.state === "installed" && to !== "installed"
    ? { area, place: null, latitude: null, longitude: null }
    : { area, place, latitude, longitude };
}
