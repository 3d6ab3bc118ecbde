import { Counter, Gauge, type Registry } from "prom-client";
import type { MqttGateway } from "../../platform/mqtt.ts";
import type { SignIns } from "./sign-ins.jobs.ts";

/** What an operator sees of our own gateway. */
export function makeGatewayCounters({
  registry,
  gateway,
  signIns,
}: {
  registry: Registry;
  gateway: () => MqttGateway["state"];
  signIns: () => SignIns["state"];
}): void {
  const registers = [registry];
  new Gauge({
    name: "washa_mqtt_connections",
    help: "Devices that are connected to this gateway.",
    registers,
    collect() {
      this.set(gateway().connections);
    },
  });
  new Gauge({
    name: "washa_mqtt_sign_ins_waiting",
    help: "Devices that wait for their password to be looked at.",
    registers,
    collect() {
      this.set(signIns().waiting);
    },
  });
  let told = 0;
  new Counter({
    name: "washa_mqtt_sign_ins_turned_away_total",
    help: "Devices that were told to try again later, because too many signed in at once.",
    registers,
    collect() {
      const { turnedAway } = signIns();
      this.inc(turnedAway - told);
      told = turnedAway;
    },
  });
}
