import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { IntlMessageFormat } from "intl-messageformat";
import { toBareGsm7 } from "../../src/kernel/gsm7.ts";
import type { Language } from "./village.ts";

/** Something that is said: a text's name and what stands in it. */
export type Said = readonly [id: string, values?: Readonly<Record<string, string | number>>];

/** What a phone must show. Where nobody can know a number before, any will do. */
export interface Expected {
  readonly isEnd: boolean;
  /** Without its last line, where there are ways back. */
  readonly body: string;
  readonly foot: string;
}

const folder = new URL("../../src/ussd/texts/", import.meta.url);
const texts = Object.fromEntries(
  (["en", "fr", "sw", "ha", "pt", "lg"] as const).map((language) => [
    language,
    JSON.parse(readFileSync(fileURLToPath(new URL(`${language}.json`, folder)), "utf8")) as Record<string, string>,
  ]),
) as Readonly<Record<Language, Readonly<Record<string, string>>>>;

const formats = new Map<string, IntlMessageFormat>();

export function write([id, values = {}]: Said, language: Language): string {
  const key = `${language} ${id}`;
  let format = formats.get(key);
  if (format === undefined) {
    // What a language lacks is said in English.
    const spoken = texts[language][id] === undefined ? "en" : language;
    const text = texts[spoken][id];
    if (text === undefined) throw new Error(`Bug of the model: no text is called ${id}.`);
    formats.set(key, (format = new IntlMessageFormat(text, spoken, undefined, { ignoreTag: true })));
  }
  return toBareGsm7(String(format.format({ ...values })));
}

/** What no model can know beforehand, as it stands in a text that is expected. */
export const UNKNOWN = { tokens: "ZZTOKENSZZ", report: "ZZREPORTZZ" } as const;

const ESCAPED = /[.*+?^${}()|[\]\\]/g;

/** A text with unknown parts, as a pattern that remembers them. */
export function patternOf(text: string): RegExp {
  const pattern = text
    .replace(ESCAPED, String.raw`\$&`)
    .replaceAll(UNKNOWN.tokens, String.raw`([\d ]+(?:, [\d ]+)*)`)
    .replaceAll(UNKNOWN.report, String.raw`(R-\d+)`);
  return new RegExp(`^${pattern}$`);
}

export const money = (minor: number): string =>
  `KES ${Math.floor(minor / 100).toLocaleString("en")}${minor % 100 === 0 ? "" : `.${String(minor % 100).padStart(2, "0")}`}`;

export const dayOf = (atMs: number, language: Language): string =>
  new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "Africa/Nairobi" }).format(atMs);
