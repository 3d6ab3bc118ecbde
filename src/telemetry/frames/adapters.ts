import type { MetricsSettings } from "../metrics/request.ts";
import type { FrameAdapter } from "./frame.ts";
import { makeMetricsAdapter } from "./metrics-adapter.ts";

/** Every way of telling that the house understands. A new vendor is one line here: docs/adding-a-device.md. */
export function makeAdapters(settings: MetricsSettings): readonly FrameAdapter[] {
  return [makeMetricsAdapter(settings)];
}
