import { sql } from "drizzle-orm";
import type { ContractId, DeviceId } from "../kernel/ids.ts";
import type { Customers } from "../customers/customers.ts";
import type { Devices } from "../devices/devices.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import { formatAccountNumber } from "./account-number.ts";
import * as store from "./contracts.store.ts";
import type { Announce, News } from "./credit.ts";

/** What devices and telemetry ask of contracts, by the device. */
export interface DeviceLight {
  /** The active contract that runs on each device; a device without one is missing. */
  contractsOn(db: Db | Tx, deviceIds: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, ContractId>>;
  /** Until when each device gives light by its contract's tokens; "forever" once it is paid off. Without a payment yet: missing. */
  activeUntil(db: Db | Tx, deviceIds: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, Date | "forever">>;
  /** Writes customers the tokens of these causes, which were to come to their devices by air and did not. */
  tellUndelivered(tx: Tx, causes: readonly string[]): Promise<void>;
}

export function makeDeviceLight({
  customers,
  devices,
  announce,
}: {
  customers: Customers;
  devices: Devices;
  announce: Announce;
}): DeviceLight {
  return {
    async contractsOn(db, deviceIds) {
      const rows = await db.execute<{ id: ContractId; device_id: DeviceId }>(sql`
        select id, device_id from credit.contracts where state = 'active' and device_id = any(${column(deviceIds, "uuid")})`);
      return new Map(rows.map((row) => [row.device_id, row.id]));
    },
    async activeUntil(db, deviceIds) {
      const rows = await db.execute<{ device_id: DeviceId; state: string; until: string | null }>(sql`
        select distinct on (device_id) device_id, state, coalesce(lamp_until_at, paid_until_at) as until
        from credit.contracts
        where device_id = any(${column(deviceIds, "uuid")}) and state <> 'written_off'
        order by device_id, (state = 'active') desc, sold_at desc`);
      return new Map(
        rows.flatMap(({ device_id: id, state, until }): [DeviceId, Date | "forever"][] => {
          if (state === "paid_off") return [[id, "forever"]];
          return until === null ? [] : [[id, new Date(until)]];
        }),
      );
    },
    async tellUndelivered(tx, causes) {
      const allocations = await store.findAllocationsByCauses(tx, causes);
      const contracts = await store.findMany(
        tx,
        allocations.map(({ contractId }) => contractId),
      );
      const people = [...new Set([...contracts.values()].map(({ customerId }) => customerId))];
      const contacts = await customers.contacts(tx, people);
      const tokens = Map.groupBy(await devices.tokensByCause(tx, causes), ({ cause }) => cause);
      const lamps = await devices.findMany(tx, [
        ...new Set([...tokens.values()].flat().map(({ deviceId }) => deviceId)),
      ]);
      const news = allocations.flatMap(({ contractId, cause, units, receivedMinor }): News[] => {
        const contract = contracts.get(contractId);
        const contact = contract === undefined ? undefined : contacts.get(contract.customerId);
        if (contract === undefined || contact === undefined) return [];
        // A device that came by a swap meanwhile got its light by another token.
        const own = (tokens.get(cause) ?? []).filter(({ deviceId }) => deviceId === contract.deviceId);
        const device = lamps.get(contract.deviceId);
        if (own.length === 0 || device === undefined) return [];
        return [
          {
            key: `not_by_air:${cause}`,
            contact,
            contractId,
            receiptId: undefined,
            amount: { minor: receivedMinor, currency: contract.currency },
            account: formatAccountNumber(contract.accountNumber),
            event: {
              kind: "tokens_after_all",
              tokens: own,
              units,
              timeDivider: device.timeDivider,
            },
          },
        ];
      });
      await announce(
        tx,
        news.filter(({ contact }) => contact.phone !== undefined),
      );
    },
  };
}
