/** The face of telemetry: what devices tell, and what is known from it. */
export type { DeviceFrame, FrameAdapter, FrameOutcome, FrameRefusal, Quantity, Reading } from "./frames/frame.ts";
export { QUANTITIES } from "./frames/frame.ts";
