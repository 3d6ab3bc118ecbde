import { compactSlice, scanElements, scanMembers } from "./json-scan.ts";
import type { Member, Range, Scan } from "./json-scan.ts";

/** An encoding of requests: where things lie in the received bytes, and the text that a signature covers. */
export interface Wire {
  members(range: Range): Scan<Member>;
  elements(range: Range): Scan<Range>;
  text(range: Range): Uint8Array;
}

export function makeJsonWire(bytes: Uint8Array): Wire {
  return {
    members: (range) => scanMembers(bytes, range),
    elements: (range) => scanElements(bytes, range),
    text: (range) => compactSlice(bytes, range),
  };
}
