/** Languages that people are talked to in, by BCP 47, in the order in which they are offered: a number that somebody learned stays theirs. */
export const LANGUAGES = ["en", "sw", "fr", "ha", "pt", "lg"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Languages that have every text, read by people who speak them. In the others what is missing is said in English. */
export const COMPLETE_LANGUAGES = ["en", "sw", "fr"] as const satisfies readonly Language[];
export type CompleteLanguage = (typeof COMPLETE_LANGUAGES)[number];

/** The language itself where it is complete, else English: for texts that are kept in complete languages only. */
export function completeOf(language: Language): CompleteLanguage {
  return COMPLETE_LANGUAGES.find((complete) => complete === language) ?? "en";
}
