import { isSupportedCountry } from "libphonenumber-js/max";
import { z } from "zod";
import { isCurrency } from "../kernel/money.ts";
import { parseZone } from "../kernel/time.ts";
import { FORBIDDEN_IN_DARAJA_URL } from "./rails/daraja/settings.ts";
import { InvalidSettings } from "./rails/rail.ts";
import { ADAPTERS } from "./rails/registry.ts";
import type { ChannelConfig } from "./open-rails.ts";

const name = z.string().regex(/^[a-z][a-z0-9-]{1,30}$/, "2 to 31 lower case letters, digits or dashes");
const CHANNEL = z.strictObject({
  name,
  adapter: z.string(),
  path: name.optional(),
  country: z.string().refine((code) => isSupportedCountry(code), "a country's two capital letters, such as KE"),
  currency: z.string().refine(isCurrency, "a currency that Washa knows, such as KES"),
  zone: z.string().refine(isZone, "a zone such as Africa/Nairobi"),
  secret: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,128}$/, "16 to 128 letters, digits, _ or -, such as from: openssl rand -hex 16"),
  sources: z.array(z.string()).default([]),
  confirmByEnquiry: z.boolean().default(false),
  requestsPerSecond: z.number().positive().max(1_000).optional(),
  settings: z.record(z.string(), z.unknown()),
});
const FILE = z.strictObject({ channels: z.array(z.unknown()) });

/** Agents' cash is booked under this name; no channel may take it. */
const RESERVED = new Set(["cash"]);

/**
 * Reads the rails file: `{ "channels": [ … ] }`. A value may stand in the environment instead: `{ "env": "NAME" }`. Problems are
 * one line each and name the channel; with any of them no channel is returned.
 */
export function parseChannels(
  text: string,
  { env, checkSource }: { env: Readonly<Record<string, string | undefined>>; checkSource: (source: string) => string },
): { readonly channels: readonly ChannelConfig[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return { channels: [], problems: ["it is not JSON."] };
  }
  const file = FILE.safeParse(withEnvironment(given, { env, problems }));
  if (!file.success) return { channels: [], problems: [...problems, ...linesOf(file.error)] };
  const channels = file.data.channels.flatMap((channel, at) => {
    const { parsed, lines } = parseChannel(channel, checkSource);
    problems.push(...lines.map((line) => `channel ${nameIn(channel) ?? `number ${at + 1}`}: ${line}`));
    return parsed === undefined ? [] : [parsed];
  });
  for (const key of ["name", "path"] as const) {
    const twice = channels.map((one) => one[key]).filter((value, at, all) => all.indexOf(value) !== at);
    problems.push(...[...new Set(twice)].map((value) => `two channels have the ${key} "${value}".`));
  }
  return { channels: problems.length === 0 ? channels : [], problems };
}

function parseChannel(
  given: unknown,
  checkSource: (source: string) => string,
): { parsed: ChannelConfig | undefined; lines: readonly string[] } {
  const channel = CHANNEL.safeParse(given);
  if (!channel.success) return { parsed: undefined, lines: linesOf(channel.error) };
  const lines: string[] = [];
  const { path = channel.data.name, currency, ...rest } = channel.data;
  const adapter = ADAPTERS.find((one) => one.name === rest.adapter);
  if (adapter === undefined)
    lines.push(`there is no adapter "${rest.adapter}". Known: ${ADAPTERS.map((one) => one.name).join(", ")}.`);
  else
    try {
      adapter.parseSettings(rest.settings);
    } catch (error) {
      if (!(error instanceof InvalidSettings)) throw error;
      lines.push(...error.problems.map((problem) => `settings: ${problem}`));
    }
  if (RESERVED.has(rest.name)) lines.push(`the name "${rest.name}" is taken by Washa itself.`);
  if (
    rest.adapter === "daraja" &&
    FORBIDDEN_IN_DARAJA_URL.some((word) => `${path}/${rest.secret}`.toLowerCase().includes(word))
  )
    lines.push(
      "Safaricom refuses addresses with mpesa, safaricom, exe, cmd, sql or query in path or secret: give it a `path`.",
    );
  for (const source of rest.sources)
    try {
      checkSource(source);
    } catch (error) {
      lines.push(error instanceof Error ? error.message : String(error));
    }
  return { parsed: isCurrency(currency) ? { ...rest, path, currency } : undefined, lines };
}

/** Puts the environment's values where the file refers to them, so that secrets need not stand in it. */
function withEnvironment(
  value: unknown,
  context: { env: Readonly<Record<string, string | undefined>>; problems: string[] },
): unknown {
  if (Array.isArray(value)) return value.map((one) => withEnvironment(one, context));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0] === "env" && typeof first[1] === "string") {
    const found = context.env[first[1]];
    if (found === undefined || found === "")
      context.problems.push(`the variable ${first[1]} that it refers to is not set.`);
    return found ?? "";
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, withEnvironment(inner, context)]));
}

function isZone(zone: string): boolean {
  try {
    return parseZone(zone) === zone;
  } catch {
    return false;
  }
}

const nameIn = (channel: unknown): string | undefined =>
  typeof channel === "object" && channel !== null && "name" in channel && typeof channel.name === "string"
    ? `"${channel.name.slice(0, 40)}"`
    : undefined;

const linesOf = (error: z.ZodError): string[] =>
  error.issues.map(({ path, message }) => `${path.length === 0 ? "" : `${path.join(".")}: `}${message}.`);
