import { createHash } from "node:crypto";
import { parse } from "csv-parse/sync";
import { InvalidInput } from "../kernel/refusal.ts";
import { isSerial, SERIAL_RULE } from "../kernel/serial.ts";
import { canonicalJson } from "../platform/idempotency.ts";
import type { CommandRequest } from "./commands.commands.ts";
import { refuseNew } from "./credentials.ts";
import type { CredentialRow } from "./credentials.store.ts";
import type { Device, DeviceFilter, Whereabouts } from "./devices.ts";
import { decideMove, maySpeak, type DeviceState } from "./life-cycle.ts";
import { whereaboutsProblem } from "./whereabouts.ts";

/** Which devices: a CSV with the column Serial Number (and Area, Place, Latitude, Longitude), or a filter. */
export type Selection = { readonly csv: string } | { readonly filter: DeviceFilter };

export type BulkAct =
  | { readonly kind: "move"; readonly to: DeviceState }
  /** To where each line of the file says. */
  | { readonly kind: "place" }
  | { readonly kind: "command"; readonly request: CommandRequest }
  | { readonly kind: "issue_codes" }
  | { readonly kind: "revoke" };

/** What happens, or would happen, to one line. */
export interface BulkLine {
  /** Of the file, the header being 1; of a filter, counted from 1 in the order of serials. */
  readonly line: number;
  readonly serial: string;
  readonly outcome: "do" | "refused";
  readonly text: string;
}

export interface BulkReport {
  readonly lines: readonly BulkLine[];
  readonly willDo: number;
  readonly refused: number;
  /** Of the act and all lines: an act that names it happens only as it was looked at, while the dry run is still true. */
  readonly digest: string;
}

/** A transaction of some seconds, and a report that a person can still read. */
export const BULK_LINES_MAX = 10_000;
/** Each of these makes a token under the device's lock. */
export const BULK_LIGHT_MAX = 1_000;

export interface BulkTarget {
  readonly line: number;
  readonly serial: string;
  readonly whereabouts: Whereabouts | undefined;
}

const COLUMNS = ["serial number", "area", "place", "latitude", "longitude"] as const;

/** Reads the file. Throws InvalidInput when it is no such file; bad lines are refused one by one. */
export function parseTargets(csv: string): {
  readonly targets: readonly BulkTarget[];
  readonly bad: readonly BulkLine[];
} {
  const [header, ...records] = readRecords(csv);
  if (header === undefined || records.length === 0) throw new InvalidInput("The file has no devices.", "csv");
  if (records.length > BULK_LINES_MAX)
    throw new InvalidInput(`At most ${BULK_LINES_MAX} devices at once: split the file.`, "csv");
  const names = header.map((name) => name.toLowerCase().replace(/[\s_-]+/g, " "));
  if (!names.includes("serial number")) throw new InvalidInput('The column "Serial Number" is missing.', "csv");
  const unknown = names.filter((name) => !(COLUMNS as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new InvalidInput(`The column "${unknown[0] ?? ""}" is unknown. Known: ${COLUMNS.join(", ")}.`, "csv");
  const targets: BulkTarget[] = [];
  const bad: BulkLine[] = [];
  const seen = new Set<string>();
  records.forEach((fields, at) => {
    const line = at + 2;
    const target = parseTarget(line, (name) => (fields[names.indexOf(name)] ?? "").trim());
    const problem =
      typeof target === "string" ? target : seen.has(target.serial) ? "It stands in the file twice." : undefined;
    if (typeof target === "string" || problem !== undefined) {
      const serial = (fields[names.indexOf("serial number")] ?? "").slice(0, 64);
      bad.push({ line, serial, outcome: "refused", text: problem ?? "" });
    } else {
      seen.add(target.serial);
      targets.push(target);
    }
  });
  return { targets, bad };
}

function readRecords(csv: string): readonly (readonly string[])[] {
  try {
    return parse(csv, {
      bom: true,
      delimiter: [",", ";", "\t"],
      skip_empty_lines: true,
      relax_column_count: true,
      to: BULK_LINES_MAX + 2,
    });
  } catch (cause) {
    throw new InvalidInput(`This is not a CSV file: ${cause instanceof Error ? cause.message : String(cause)}`, "csv");
  }
}

function parseTarget(line: number, field: (name: (typeof COLUMNS)[number]) => string): BulkTarget | string {
  const serial = field("serial number");
  if (!isSerial(serial)) return SERIAL_RULE;
  const text = (name: "area" | "place"): string | null => (field(name) === "" ? null : field(name));
  const degrees = (name: "latitude" | "longitude"): number | null =>
    field(name) === "" ? null : /^-?\d{1,3}(\.\d+)?$/.test(field(name)) ? Number(field(name)) : Number.NaN;
  const whereabouts = {
    area: text("area"),
    place: text("place"),
    latitude: degrees("latitude"),
    longitude: degrees("longitude"),
  };
  if (Object.values(whereabouts).every((value) => value === null)) return { line, serial, whereabouts: undefined };
  return whereaboutsProblem(whereabouts) ?? { line, serial, whereabouts };
}

/** What is known of a line's device when it is decided. */
export interface BulkSubject {
  readonly device: Device | undefined;
  readonly credential: CredentialRow | undefined;
  readonly hasContract: boolean;
  /** An open command that is in the way. */
  readonly openCommand: string | undefined;
}

/** Decides one line; the same decision for the dry run and for the act. */
export function decideLine(
  act: BulkAct,
  { line, serial, whereabouts }: BulkTarget,
  { device, credential, hasContract, openCommand }: BulkSubject,
): BulkLine {
  const refused = (text: string): BulkLine => ({ line, serial, outcome: "refused", text });
  const done = (text: string): BulkLine => ({ line, serial, outcome: "do", text });
  if (device === undefined) return refused("There is no such device.");
  switch (act.kind) {
    case "move": {
      const decision = decideMove({ from: device.state, to: act.to, hasContract });
      return decision.ok
        ? done(`From ${device.state} to ${act.to}${placeText(whereabouts)}.`)
        : refused(decision.reason);
    }
    case "place":
      if (whereabouts === undefined) return refused("The line names no area, place or position.");
      if (device.state === "retired") return refused("It is retired.");
      return done(`Placed${placeText(whereabouts)}.`);
    case "command":
      if (!maySpeak(device.state))
        return refused(`It is ${device.state}: only installed devices and those in stock take commands.`);
      if (openCommand !== undefined) return refused(`A command ${openCommand} is still open.`);
      return done(`Is told: ${act.request.kind}.`);
    case "issue_codes": {
      const reason = credential === undefined ? "There is no such device." : refuseNew(credential);
      return reason === undefined ? done("Gets a claim code.") : refused(reason);
    }
    case "revoke":
      return credential?.state === undefined || credential.state === "revoked"
        ? refused("Nobody may speak for it as it is.")
        : done(credential.state === "claimed" ? "Is cut off." : "Its claim code becomes void.");
  }
}

function placeText(whereabouts: Whereabouts | undefined): string {
  if (whereabouts === undefined) return "";
  const { area, place, latitude, longitude } = whereabouts;
  const position = latitude === null || longitude === null ? null : `${latitude}, ${longitude}`;
  return ` at ${[area, place, position].filter((part) => part !== null).join(", ")}`;
}

/** Its digest stands for the act with all its settings, and for every line: who looked at 5 days has not seen 30. */
export function reportOf(act: BulkAct, lines: readonly BulkLine[]): BulkReport {
  const ordered = lines.toSorted((left, right) => left.line - right.line);
  const willDo = ordered.filter(({ outcome }) => outcome === "do").length;
  const digest = createHash("sha256")
    .update(canonicalJson({ act, lines: ordered }))
    .digest("hex")
    .slice(0, 32);
  return { lines: ordered, willDo, refused: ordered.length - willDo, digest };
}
