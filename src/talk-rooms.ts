import { actorOf, type Access } from "./access/access.ts";
import type { Config } from "./config.ts";
import type { Devices } from "./devices/devices.ts";
import type { Clock } from "./kernel/time.ts";
import { ticketMessage, type Messaging } from "./messaging/messaging.ts";
import { makeOutboundHttp, type OutboundSettings } from "./platform/outbound-http.ts";
import type { Tx } from "./platform/database.ts";
import { findDevices } from "./telemetry/states/fleet.store.ts";
import {
  makeSimSwapClient,
  makeSimSwaps,
  type Agent,
  type DeviceReadings,
  type SimSwaps,
  type TellTicket,
} from "./ussd/ussd.ts";
import type { DeviceId } from "./kernel/ids.ts";

/** What the dialogue needs of staff: who has this phone. */
export function agentRoom({ findAgentByPhone }: Pick<Access, "findAgentByPhone">) {
  return async (tx: Tx, phone: string): Promise<Agent | undefined> => {
    const staff = await findAgentByPhone(tx, phone);
    if (staff === undefined) return undefined;
    const { id, name, area, language } = staff;
    return { id, actor: actorOf(staff), name, area: area ?? "", language };
  };
}

/** What a device told last, as it is kept with a fault: what somebody needs who looks into it, and nothing of where it is. */
export function readingsRoom({ devices, clock }: { devices: Pick<Devices, "find">; clock: Clock }) {
  return async (tx: Tx, deviceId: DeviceId): Promise<DeviceReadings | undefined> => {
    const device = await devices.find(tx, deviceId);
    if (device === undefined) return undefined;
    const [state] = await findDevices(tx, { devices: [device.number], now: clock.now() });
    if (state === undefined) return undefined;
    const told = {
      liveness: state.liveness,
      lastSeenAt: state.lastSeenAt?.toISOString(),
      readingAt: state.readingAt?.toISOString(),
      daysLeftByDevice: state.daysLeftByDevice,
      tokenLag: state.tokenLag,
      tampered: state.tampered,
      firmwareVersion: state.firmwareVersion,
      batteryVoltageV: state.batteryVoltageV,
      batteryChargePercent: state.batteryChargePercent,
      batteryTemperatureC: state.batteryTemperatureC,
      panelVoltageV: state.panelVoltageV,
      panelPowerW: state.panelPowerW,
      loadPowerW: state.loadPowerW,
    };
    const known = Object.entries(told).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
    );
    return Object.fromEntries(known);
  };
}

/** SIM cards as a mobile network knows them; without one configured nothing is known. */
export function simSwapRoom({
  config: { simSwap },
  clock,
  outbound,
}: {
  config: Pick<Config, "simSwap">;
  clock: Clock;
  outbound: Partial<OutboundSettings>;
}): SimSwaps {
  if (simSwap === undefined) return makeSimSwaps({ clock });
  const http = makeOutboundHttp({ baseUrl: simSwap.url, clock, retriesMax: 0, ...outbound });
  return makeSimSwaps({ clock, check: makeSimSwapClient({ http, token: simSwap.token }) });
}

/** How people hear what became of their report: whoever asked is written to. */
export function ticketRoom({ append }: Pick<Messaging, "append">): TellTicket {
  return (tx, news) => append(tx, [ticketMessage({ ...news, contractId: undefined })]);
}
