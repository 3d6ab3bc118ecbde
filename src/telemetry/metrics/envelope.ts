/** The outer members of a device request, whichever way they are spelled and encoded, with the bytes that may be signed. */
import { isSerial, SERIAL_RULE } from "../../kernel/serial.ts";
import { show, UNIX_SECONDS_MAX } from "../frames/reading.ts";
import type { Range } from "./json-scan.ts";
import { findRequestName } from "./names.ts";
import type { RequestName } from "./names.ts";
import type { Wire } from "./wire.ts";

export interface Envelope {
  readonly serial: string;
  readonly form: "simple" | "condensed";
  /** Unix seconds; undefined when absent, null or 0, which the reference program takes for absent too. */
  readonly timestamp: number | undefined;
  readonly requestCount: number | undefined;
  /** When an intermediary took the data from the device, in Unix seconds. Nobody signs it. */
  readonly collectedAt: number | undefined;
  readonly auth: string | undefined;
  readonly data: VariableList | undefined;
  readonly rows: readonly unknown[];
  readonly formatId: number | undefined;
  readonly format: unknown;
  readonly accessories: readonly Accessory[];
  readonly wire: Wire;
  /** Where the members lie that signatures cover; undefined for those that were not sent. */
  readonly ranges: Ranges;
}

/** Values by name, or by position. */
export type VariableList = Readonly<Record<string, unknown>> | readonly unknown[];

export interface Accessory {
  readonly value: unknown;
  readonly range: Range;
}

export interface Ranges {
  readonly timestamp: Range | undefined;
  readonly requestCount: Range | undefined;
  readonly data: Range | undefined;
  readonly history: Range | undefined;
}

export type EnvelopeAnswer =
  | { readonly ok: true; readonly envelope: Envelope }
  | { readonly ok: false; readonly detail: string; readonly serial: string | undefined };

/** More accessories than any lamp has sockets for. */
const ACCESSORIES_MAX = 64;

/** Ten digits, up to the year 2286; and nine, a request a second for 31 years. See auth.ts for why they must not overlap. */
const TIMESTAMP_MAX = 9_999_999_999;
const REQUEST_COUNT_MAX = 999_999_999;

type Members = Partial<Record<RequestName, { readonly value: unknown; readonly range: Range }>>;

/** Reads the request that lies in `range` of the wire and was decoded to `value`. */
export function readEnvelope({ wire, range, value }: { wire: Wire; range: Range; value: unknown }): EnvelopeAnswer {
  const scan = wire.members(range);
  if (!scan.ok) return { ok: false, detail: scan.detail, serial: undefined };
  const decoded = value as Readonly<Record<string, unknown>>;
  const members: Members = {};
  let form: Envelope["form"] = "simple";
  for (const { name, start, end } of scan.found) {
    const long = findRequestName(name);
    if (long === undefined) continue;
    if (members[long] !== undefined) {
      return { ok: false, detail: `${long} comes twice, in two spellings; only one can be meant.`, serial: undefined };
    }
    members[long] = { value: decoded[name], range: { start, end } };
    if (name === "sn") form = "condensed";
  }
  return judge(members, { wire, form });
}

function judge(members: Members, { wire, form }: { wire: Wire; form: Envelope["form"] }): EnvelopeAnswer {
  const serial = members.serial_number?.value;
  if (!isSerial(serial)) {
    const said = members.serial_number === undefined ? "is missing" : `is ${show(serial)}`;
    return {
      ok: false,
      detail: `serial_number (sn) ${said}; it must be a text. ${SERIAL_RULE}.`,
      serial: undefined,
    };
  }
  const wrong = fault(members);
  if (wrong !== undefined) return { ok: false, detail: wrong, serial };
  const { data, historical_data: history, timestamp, request_count: count, accessories } = members;
  const elements = accessoriesOf(accessories, wire);
  if (typeof elements === "string") return { ok: false, detail: elements, serial };
  return {
    ok: true,
    envelope: {
      serial,
      form,
      timestamp: numberOf(timestamp?.value),
      requestCount: numberOf(count?.value),
      collectedAt: numberOf(members.data_collection_timestamp?.value),
      auth: (members.auth?.value ?? undefined) as string | undefined,
      data: (data?.value ?? undefined) as VariableList | undefined,
      rows: (history?.value ?? []) as readonly unknown[],
      formatId: formatIdOf(members.data_format_id?.value),
      format: members.data_format?.value ?? undefined,
      accessories: elements,
      wire,
      ranges: {
        timestamp: timestamp?.range,
        requestCount: count?.range,
        data: data?.range,
        history: history?.range,
      },
    },
  };
}

function formatIdOf(value: unknown): number | undefined {
  return value === undefined || value === null ? undefined : Number(value);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && value !== 0 ? value : undefined;
}

/** What is wrong with the outer members besides the serial, or nothing. */
function fault(members: Members): string | undefined {
  const value = (name: RequestName): unknown => members[name]?.value ?? undefined;
  const timestamp = value("timestamp");
  if (timestamp !== undefined && !isWhole(timestamp, TIMESTAMP_MAX)) {
    return `timestamp (ts) is ${show(timestamp)}; it must be whole Unix seconds, not milliseconds.`;
  }
  const count = value("request_count");
  if (count !== undefined && !isWhole(count, REQUEST_COUNT_MAX)) {
    return `request_count (rc) is ${show(count)}; it must be a whole number of at most nine digits.`;
  }
  const collectedAt = value("data_collection_timestamp");
  if (collectedAt !== undefined && !isWhole(collectedAt, UNIX_SECONDS_MAX)) {
    return `data_collection_timestamp (dct) is ${show(collectedAt)}; it must be whole Unix seconds.`;
  }
  const auth = value("auth");
  if (auth !== undefined && typeof auth !== "string") return `auth (a) is ${show(auth)}; it must be a text.`;
  const data = value("data");
  if (data !== undefined && typeof data !== "object")
    return `data (d) is ${show(data)}; it must be an object or a list.`;
  const history = value("historical_data");
  if (history !== undefined && !Array.isArray(history))
    return `historical_data (hd) is ${show(history)}; it must be a list.`;
  if (data === undefined && history === undefined) {
    return "The request has neither data (d) nor historical_data (hd); at least one is needed.";
  }
  const formatId = value("data_format_id");
  if (formatId !== undefined && !isFormatId(formatId)) {
    return `data_format_id (df) is ${show(formatId)}; it must be the number that registering the format gave.`;
  }
  if (formatId !== undefined && value("data_format") !== undefined) {
    return "The request has both data_format_id (df) and data_format (dfo); only one may be there.";
  }
  return undefined;
}

function isWhole(value: unknown, most: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
}

function isFormatId(value: unknown): boolean {
  return isWhole(value, 2_147_483_647) || (typeof value === "string" && /^[0-9]{1,9}$/.test(value));
}

function accessoriesOf(member: Members["accessories"], wire: Wire): readonly Accessory[] | string {
  if (member === undefined || member.value === null) return [];
  if (!Array.isArray(member.value)) return `accessories (acc) is ${show(member.value)}; it must be a list of requests.`;
  const values = member.value as readonly unknown[];
  if (values.length > ACCESSORIES_MAX)
    return `accessories (acc) has ${values.length} requests; at most ${ACCESSORIES_MAX} are read.`;
  const scan = wire.elements(member.range);
  if (!scan.ok) return scan.detail;
  return scan.found.map((range, at) => ({ value: values[at], range }));
}
