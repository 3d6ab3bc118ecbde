import { COMPLETE_LANGUAGES, completeOf, type CompleteLanguage, type Language } from "../../kernel/language.ts";
import english from "../keywords/en.json" with { type: "json" };
import french from "../keywords/fr.json" with { type: "json" };
import swahili from "../keywords/sw.json" with { type: "json" };

/** What a word stands for, on every screen or on none in particular. */
export type Meaning = keyof typeof english;

/** Words of one language, without accents and capitals. A complete language that lacks a meaning does not compile. */
export type Keywords = Readonly<Record<Meaning, readonly string[]>>;
export const KEYWORDS: Readonly<Record<CompleteLanguage, Keywords>> = { en: english, fr: french, sw: swahili };

export type WordOf<Wanted extends Meaning> = readonly [word: string, meaning: Wanted];

const MEANINGS = Object.keys(english) as Meaning[];

/** All words of a language for these meanings. */
export function wordsOf<Wanted extends Meaning>(
  language: CompleteLanguage,
  wanted: readonly Wanted[],
): readonly WordOf<Wanted>[] {
  return wanted.flatMap((meaning) => KEYWORDS[language][meaning].map((word) => [word, meaning] as const));
}

/** The person's own language first: the same word may mean something else in another. */
export function languagesFrom(own: Language): readonly CompleteLanguage[] {
  const first = completeOf(own);
  return [first, ...COMPLETE_LANGUAGES.filter((language) => language !== first)];
}

/** Understood on every screen; "help" is a service besides. */
const EVERYWHERE = ["stop", "start", "menu", "back"] as const satisfies readonly Meaning[];
/** What leads to a service. */
export type Service = Exclude<Meaning, (typeof EVERYWHERE)[number]>;
export const SERVICES = MEANINGS.filter((meaning): meaning is Service => !EVERYWHERE.some((one) => one === meaning));
