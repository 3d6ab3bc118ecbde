/** The one door from bytes to frames: finds the adapter of a topic and lets it read. */
import { makeAdapters } from "./adapters.ts";
import type { AdapterSettings } from "./adapters.ts";
import type { FrameAdapter, FrameContext, FrameOutcome, RawFrame } from "./frame.ts";
import { FRAME_BYTES_MAX } from "./frame.ts";
import { show } from "./reading.ts";
import { refuse } from "./refusal.ts";

export interface FrameReaderSettings extends AdapterSettings {
  /** Adapters besides those of the house, asked first. */
  readonly moreAdapters?: readonly FrameAdapter[];
}

export interface FrameReader {
  /** Reads one frame. Never throws: what cannot be read comes back as a refusal that says what would be right. */
  read(raw: RawFrame, context: FrameContext): FrameOutcome;
}

/**
 * Makes the reader of all frames. `context.dataFormat` should give the same object for the same format every time: what
 * is prepared from it is remembered by that object.
 */
export function makeFrameReader(settings: FrameReaderSettings): FrameReader {
  const adapters = [...(settings.moreAdapters ?? []), ...makeAdapters(settings)];

  function read(raw: RawFrame, context: FrameContext): FrameOutcome {
    const { payload, topic, serial } = raw;
    if (payload.length > FRAME_BYTES_MAX) {
      const detail = `The frame has ${payload.length} bytes; at most ${FRAME_BYTES_MAX} are allowed. Send several.`;
      return refuse("too_large", detail, serial);
    }
    const adapter = adapters.find((candidate) => candidate.claims(topic));
    if (adapter === undefined) {
      const detail = `No adapter reads the topic ${show(topic)}. Devices speak on data, status, event and ack.`;
      return refuse("unknown_topic", detail, serial);
    }
    return adapter.read(raw, context);
  }

  return { read };
}
