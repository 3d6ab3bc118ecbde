import { COMPLETE_LANGUAGES, LANGUAGES, type Language } from "../../kernel/language.ts";
import english from "../keywords/en.json" with { type: "json" };
import french from "../keywords/fr.json" with { type: "json" };
import hausa from "../keywords/ha.json" with { type: "json" };
import luganda from "../keywords/lg.json" with { type: "json" };
import portuguese from "../keywords/pt.json" with { type: "json" };
import swahili from "../keywords/sw.json" with { type: "json" };

/** What a word stands for, on every screen or on none in particular. */
export type Meaning = keyof typeof english;

/** Words of one language, without accents and capitals. A language that lacks a meaning does not compile. */
export type Keywords = Readonly<Record<Meaning, readonly string[]>>;
export const KEYWORDS: Readonly<Record<Language, Keywords>> = {
  en: english,
  fr: french,
  sw: swahili,
  ha: hausa,
  pt: portuguese,
  lg: luganda,
};

export type WordOf<Wanted extends Meaning> = readonly [word: string, meaning: Wanted];

export const MEANINGS = Object.keys(english) as Meaning[];

/** All words of a language for these meanings. */
export function wordsOf<Wanted extends Meaning>(
  language: Language,
  wanted: readonly Wanted[],
): readonly WordOf<Wanted>[] {
  return wanted.flatMap((meaning) => KEYWORDS[language][meaning].map((word) => [word, meaning] as const));
}

/**
 * The person's own language first, since the same word may mean something else in another, then those that many read beside it.
 * Not all: "baya" is "back" in Hausa and "bad" in Swahili.
 */
export function languagesFrom(own: Language): readonly Language[] {
  return [own, ...COMPLETE_LANGUAGES.filter((language) => language !== own)];
}

/** Understood on every screen; "help" is a service besides. */
const EVERYWHERE = ["stop", "start", "menu", "back"] as const satisfies readonly Meaning[];
/** Words that end messages, of every language: whoever wants no more is heard, whatever language we know them by. */
export const STOP_WORDS: ReadonlySet<string> = new Set(LANGUAGES.flatMap((language) => KEYWORDS[language].stop));
/** What leads to a service. */
export type Service = Exclude<Meaning, (typeof EVERYWHERE)[number]>;
export const SERVICES = MEANINGS.filter((meaning): meaning is Service => !EVERYWHERE.some((one) => one === meaning));
