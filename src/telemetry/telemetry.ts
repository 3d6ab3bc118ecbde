/** The face of telemetry: what devices tell, and what is known from it. */
export type { DeviceFrame, FrameAdapter, FrameOutcome, FrameRefusal, Quantity, Reading } from "./frames/frame.ts";
export { QUANTITIES } from "./frames/frame.ts";
export { makeFrameReader } from "./frames/frame-reader.ts";
export type { FrameReader, FrameReaderSettings } from "./frames/frame-reader.ts";
export { replayFault } from "./metrics/freshness.ts";
export { parseDataFormat } from "./metrics/data-format.ts";
export type { DataFormatAnswer } from "./metrics/data-format.ts";
