/** The names of OpenPAYGO Metrics v1: each outer name has a long and one or more short spellings. */

/** Outer members of a device request. `dct` is the specification's short form, `dtc` that of its reference program. */
const REQUEST_NAMES = {
  serial_number: ["sn"],
  timestamp: ["ts"],
  request_count: ["rc"],
  data_collection_timestamp: ["dct", "dtc"],
  data: ["d"],
  historical_data: ["hd"],
  data_format_id: ["df"],
  data_format: ["dfo"],
  accessories: ["acc"],
  auth: ["a"],
} as const;

export type RequestName = keyof typeof REQUEST_NAMES;

const LONG_OF: ReadonlyMap<string, RequestName> = new Map(
  (Object.entries(REQUEST_NAMES) as [RequestName, readonly string[]][]).flatMap(([long, shorts]) =>
    [long, ...shorts].map((name): [string, RequestName] => [name, long]),
  ),
);

/** Every way in which an outer member may be written. */
export const REQUEST_SPELLINGS: readonly string[] = [...LONG_OF.keys()];

/** The long name of an outer member, whichever way it is written; undefined for what is none of a request's. */
export function findRequestName(written: string): RequestName | undefined {
  return LONG_OF.get(written);
}

const VARIABLES: ReadonlyMap<string, string> = new Map([
  ["tc", "token_count"],
  ["autsr", "active_until_timestamp_requested"],
  ["aslr", "active_seconds_left_requested"],
]);

/** The long name of a variable of `data`; most have only one. */
export function longVariableName(written: string): string {
  return VARIABLES.get(written) ?? written;
}

/** Names of answers, long to short, in the order in which they are written. */
export const ANSWER_NAMES = {
  serial_number: "sn",
  active_until_timestamp: "auts",
  active_seconds_left: "asl",
  token_list: "tkl",
  settings: "st",
  extra_data: "ed",
  auth: "a",
} as const;
