import type { MetricsSettings } from "../metrics/request.ts";
import type { FrameAdapter } from "./frame.ts";
import { makeMetricsAdapter } from "./metrics-adapter.ts";
import { plainAdapter } from "./plain-adapter.ts";
import { makeSparkplugAdapter } from "./sparkplug-adapter.ts";
import type { SparkplugSettings } from "./sparkplug-adapter.ts";
import { makeVictronAdapter } from "./victron-adapter.ts";
import type { VictronSettings } from "./victron-adapter.ts";

/** Settings by adapter. A bridge that is not named is not there, and its topics are unknown. */
export interface AdapterSettings extends MetricsSettings {
  readonly victron?: VictronSettings | undefined;
  readonly sparkplug?: SparkplugSettings | undefined;
}

/** Every way of telling that the house understands, asked in this order. A new vendor is one line: docs/adding-a-device.md. */
export function makeAdapters(settings: AdapterSettings): readonly FrameAdapter[] {
  return [
    makeMetricsAdapter(settings),
    plainAdapter,
    ...(settings.victron === undefined ? [] : [makeVictronAdapter(settings.victron)]),
    ...(settings.sparkplug === undefined ? [] : [makeSparkplugAdapter(settings.sparkplug)]),
  ];
}
