import { IntlMessageFormat } from "intl-messageformat";
import type { CompleteLanguage, Language } from "../../kernel/language.ts";
import { formatMoney, parseCurrency } from "../../kernel/money.ts";
import english from "./en.json" with { type: "json" };
import hausa from "./ha.json" with { type: "json" };
import luganda from "./lg.json" with { type: "json" };
import portuguese from "./pt.json" with { type: "json" };
import french from "./fr.json" with { type: "json" };
import swahili from "./sw.json" with { type: "json" };

/** Each as its own speakers write it. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  sw: "Kiswahili",
  fr: "Français",
  ha: "Hausa",
  pt: "Português",
  lg: "Luganda",
};

export type TextId = keyof typeof english;
/** An instant is told as a day in the zone of whoever reads it. */
export type Value = string | number | { readonly atMs: number };
export type Values = Readonly<Record<string, Value>>;

/** Something to say, in no language yet. */
export interface Line {
  readonly id: TextId;
  readonly values: Values;
}

/** Texts of one language in ICU's message format. A complete language that lacks one does not compile. */
export type Texts = Readonly<Record<TextId, string>>;
export const TEXTS: Readonly<Record<CompleteLanguage, Texts>> & Readonly<Record<Language, Partial<Texts>>> = {
  en: english,
  sw: swahili,
  fr: french,
  ha: hausa,
  pt: portuguese,
  lg: luganda,
};

/** What somebody typed or a name that is put into our text: no line of ours may be forged with it. */
const VALUE_CHARACTERS_MAX = 120;

const compiled = new Map<string, IntlMessageFormat>();

/** Writes a line in a language. Throws where a value is missing: a mistake of the caller, never of a customer. */
export function write({ id, values }: Line, { language, zone }: { language: Language; zone: string }): string {
  const key = `${language} ${id}`;
  let format = compiled.get(key);
  const own = TEXTS[language][id];
  // A text stands for itself where it has no plural: parsing of tags would make "<" in a name an error.
  if (format === undefined)
    compiled.set(
      key,
      (format = new IntlMessageFormat(own ?? TEXTS.en[id], own === undefined ? "en" : language, undefined, {
        ignoreTag: true,
      })),
    );
  const written: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(values))
    written[name] =
      typeof value === "object"
        ? writeDay(value.atMs, { language, zone })
        : typeof value === "number"
          ? value
          : clean(value);
  return String(format.format(written));
}

/** An amount in minor units as a person reads it: "KES 1,250". */
export function moneyOf(minor: string, currency: string): string {
  return formatMoney({ minor: BigInt(minor), currency: parseCurrency(currency) });
}

function writeDay(atMs: number, { language, zone }: { language: Language; zone: string }): string {
  return new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: zone }).format(atMs);
}

function clean(value: string): string {
  return value
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, VALUE_CHARACTERS_MAX)
    .toWellFormed();
}
