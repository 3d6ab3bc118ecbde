/**
 * How much one frame may hold, looked at before it is decoded: megabytes of tiny values cost a decoder seconds, and a door
 * that reads for seconds reads for nobody else.
 */
import { READINGS_MAX } from "../frames/frame.ts";
import { DEPTH_MAX } from "./json-scan.ts";

/** Members of one object: a data format describes at most 512 variables. */
export const OBJECT_MEMBERS_MAX = 600;
/** Elements of one list: the rows of a request. */
export const LIST_ELEMENTS_MAX = READINGS_MAX;
/** Values of a frame in all: every row that one may have, with all columns. */
export const VALUES_MAX = 500_000;

export interface BoundsFault {
  readonly reason: "too_many_rows" | "wrong_schema" | "not_readable";
  readonly detail: string;
}

export const tooManyElements: BoundsFault = {
  reason: "too_many_rows",
  detail: `A list has more than ${LIST_ELEMENTS_MAX} elements, which is the most rows one request may have. Send several.`,
};
export const tooManyMembers: BoundsFault = {
  reason: "wrong_schema",
  detail: `An object has more than ${OBJECT_MEMBERS_MAX} members; no device has as many variables.`,
};
export const tooManyValues: BoundsFault = {
  reason: "wrong_schema",
  detail: `The frame holds more than ${VALUES_MAX} values. Send several.`,
};
const tooDeep: BoundsFault = {
  reason: "not_readable",
  detail: `The frame nests deeper than ${DEPTH_MAX} levels.`,
};

/** A frame below this cannot hold enough to be worth the look. */
const SMALL_BYTES = 65_536;

/** What of a JSON text is too much, or nothing. Whether it is JSON at all is not looked at. */
export function jsonBoundsFault(bytes: Uint8Array): BoundsFault | undefined {
  if (bytes.length < SMALL_BYTES) return undefined;
  const isList: boolean[] = [];
  const counts: number[] = [];
  let depth = 0;
  let values = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    switch (byte) {
      case 0x22: // a text, to its end
        while (++at < bytes.length && bytes[at] !== 0x22) if (bytes[at] === 0x5c) at++;
        break;
      case 0x7b: // { and [
      case 0x5b:
        if (depth === DEPTH_MAX + 1) return tooDeep;
        isList[depth] = byte === 0x5b;
        counts[depth++] = 1;
        break;
      case 0x7d: // } and ]
      case 0x5d:
        if (depth > 0) depth--;
        break;
      case 0x2c: {
        const count = (counts[depth - 1] ?? 0) + 1;
        counts[depth - 1] = count;
        if (++values > VALUES_MAX) return tooManyValues;
        if (isList[depth - 1] === true ? count > LIST_ELEMENTS_MAX : count > OBJECT_MEMBERS_MAX) {
          return isList[depth - 1] === true ? tooManyElements : tooManyMembers;
        }
      }
    }
  }
  return undefined;
}
