import type { Clock } from "../../kernel/time.ts";
import { makeMqttGateway, type GatewayFrame, type GatewayOptions, type MqttGateway } from "../../platform/mqtt.ts";
import type { RawFrame } from "../frames/frame.ts";
import type { Ingest } from "../ingest/ingest.commands.ts";

/** Our own broker with ingest behind it: a device is acknowledged when its frame is committed, or set aside with its reason. */
export function makeGatewayDoor({
  ingest,
  clock,
  ...options
}: {
  ingest: Pick<Ingest, "take" | "setAside">;
  clock: Clock;
} & Pick<
  GatewayOptions,
  "authenticate" | "bridgeOwner" | "onConnected" | "onHere" | "onGone" | "limits"
>): Promise<MqttGateway> {
  const rawOf = ({ serial, topic, payload, sentBytes }: GatewayFrame): RawFrame => ({
    serial,
    topic,
    payload,
    sentBytes,
    contentType: undefined,
    receivedAtMs: clock.now().getTime(),
  });
  return makeMqttGateway({
    ...options,
    clock,
    take: (frame) => ingest.take(rawOf(frame), sourceOf(frame.serial)),
    refuse: (frame, { reason, detail }) =>
      ingest.setAside(rawOf(frame), { reason, detail, serial: frame.serial }, sourceOf(frame.serial)),
  });
}

/** Behind a balancer all connections come from one address; the serial is who it was. */
function sourceOf(serial: string): string {
  return `mqtt ${serial}`;
}
