import type { FrameOutcome, FrameRefusal } from "./frame.ts";

export type RefusedFrame = Extract<FrameOutcome, { ok: false }>;

/** Long enough for what an engineer needs, short enough for a column and a log line. */
const DETAIL_CHARACTERS_MAX = 400;

/** A refusal as an outcome. `serial` only where the frame names one that may be a device's. */
export function refuse(reason: FrameRefusal["reason"], detail: string, serial?: string): RefusedFrame {
  return { ok: false, refusal: { reason, detail: oneLine(detail), serial } };
}

/** Details quote what hostile frames hold: they are cut, kept on one line, and free of what a database cannot store. */
function oneLine(text: string): string {
  return text
    .slice(0, DETAIL_CHARACTERS_MAX)
    .replace(/[\p{Cc}\u2028\u2029]/gu, " ")
    .toWellFormed();
}
