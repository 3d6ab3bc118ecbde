import type { ContractId, DeviceId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import * as commandStore from "./commands.store.ts";
import type { Command } from "./commands.store.ts";
import type { Credentials, CredentialStatus } from "./credentials.commands.ts";
import type { Audit, Device, Whereabouts } from "./devices.ts";
import * as deviceStore from "./devices.store.ts";
import { decideMove, type DeviceState } from "./life-cycle.ts";
import { makeMover } from "./movements.commands.ts";
import * as store from "./movements.store.ts";
import type { Movement } from "./movements.store.ts";
import { checkReason, checkWhereabouts } from "./whereabouts.ts";

/** Active contracts by device; told by who knows contracts. */
export type ContractsOn = (tx: Db | Tx, deviceIds: readonly DeviceId[]) => Promise<ReadonlyMap<DeviceId, ContractId>>;

export interface DevicePage {
  readonly device: Device;
  readonly credentials: CredentialStatus;
  readonly openCommands: readonly Command[];
  readonly lastMovement: Movement | undefined;
}

export interface DeviceLife {
  /**
   * Moves a device as a person decides, and audits it. Refuses what the life cycle does not know, and what would leave a
   * contract without its device. Sales and swaps move devices themselves.
   */
  move(
    tx: Tx,
    order: {
      deviceId: DeviceId;
      to: DeviceState;
      reason: string;
      actor: string;
      whereabouts?: Whereabouts | undefined;
    },
  ): Promise<Device>;
  /** Says where a device is, without moving it in its life; audited. */
  place(
    tx: Tx,
    order: { deviceId: DeviceId; whereabouts: Whereabouts; reason: string; actor: string },
  ): Promise<Device>;
  /** Newest first. */
  movements: typeof store.list;
  page(db: Db | Tx, deviceId: DeviceId): Promise<DevicePage | undefined>;
}

const COMMANDS_SHOWN_MAX = 50;

export function makeDeviceLife({
  clock,
  credentials,
  contractsOn,
  audit,
}: {
  clock: Clock;
  credentials: Pick<Credentials, "statusOf">;
  contractsOn: ContractsOn;
  audit: Audit;
}): DeviceLife {
  const mover = makeMover({ clock });

  async function lock(tx: Tx, id: DeviceId): Promise<Device> {
    const device = await deviceStore.lock(tx, id);
    if (device === undefined) throw new NotFound("device", "deviceId");
    return device;
  }

  return {
    async move(tx, { deviceId, to, reason, actor, whereabouts }) {
      checkReason(reason);
      if (whereabouts !== undefined) checkWhereabouts(whereabouts);
      const device = await lock(tx, deviceId);
      const contractId = (await contractsOn(tx, [deviceId])).get(deviceId);
      const decision = decideMove({ from: device.state, to, hasContract: contractId !== undefined });
      if (!decision.ok) throw new NotAllowedNow(`Device ${device.serial}: ${decision.reason}`);
      const [moved] = await mover.apply(tx, [{ device, to, reason, actor, contractId, whereabouts }]);
      const detail = { from: device.state, to, reason };
      await audit(tx, { actor, action: "device.move", subjectKind: "device", subjectId: deviceId, detail });
      return moved ?? device;
    },
    async place(tx, { deviceId, whereabouts, reason, actor }) {
      checkReason(reason);
      checkWhereabouts(whereabouts);
      const device = await lock(tx, deviceId);
      if (device.state === "retired") throw new NotAllowedNow(`Device ${device.serial} is retired.`);
      const { area, place, latitude, longitude } = device;
      const before = { area, place, latitude, longitude };
      if (Object.entries(before).every(([name, value]) => whereabouts[name as keyof Whereabouts] === value))
        throw new InvalidInput("The device is there already.", "whereabouts");
      const [placed] = await mover.apply(tx, [{ device, to: device.state, reason, actor, whereabouts }]);
      const detail = { area: whereabouts.area, place: whereabouts.place, reason };
      await audit(tx, { actor, action: "device.place", subjectKind: "device", subjectId: deviceId, detail });
      return placed ?? device;
    },
    movements: store.list,
    async page(db, deviceId) {
      const device = (await deviceStore.findMany(db, [deviceId])).get(deviceId);
      if (device === undefined) return undefined;
      const [last] = await store.list(db, { deviceId, first: 1 });
      return {
        device,
        credentials: await credentials.statusOf(db, deviceId),
        openCommands: await commandStore.list(db, { deviceId, open: true }, { first: COMMANDS_SHOWN_MAX }),
        lastMovement: last,
      };
    },
  };
}
