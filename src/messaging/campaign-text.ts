import { toGsm7 } from "../kernel/gsm7.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { completeOf, LANGUAGES, type CompleteLanguage, type Language } from "../kernel/language.ts";

/** What a campaign says, by language. Who speaks one that is not there hears nothing, or English where that is usual for theirs. */
export type CampaignTexts = { readonly [Name in Language]?: string };

/** What may stand in braces. */
export interface CampaignValues {
  readonly name: string;
  readonly days: string | undefined;
  readonly account: string | undefined;
}

const TEXT_LETTERS_MAX = 600;
const VARIABLE = /\{([^{}]*)\}/g;
const VARIABLES: readonly string[] = ["name", "days", "account"] satisfies (keyof CampaignValues)[];

const STOP_HINTS: Readonly<Record<CompleteLanguage, string>> = {
  en: "Reply STOP to end these messages.",
  fr: "Répondez STOP pour ne plus les recevoir.",
  sw: "Jibu STOP kuacha ujumbe huu.",
};

/** Checks what a person wrote. Throws `InvalidInput` that names the language and what is wrong. */
export function parseCampaignTexts(given: { readonly [Name in Language]?: string | null | undefined }): CampaignTexts {
  const texts: { [Name in Language]?: string } = {};
  for (const language of LANGUAGES) {
    const text = given[language]?.trim();
    if (text === undefined || text === "") continue;
    texts[language] = checkText(text, language);
  }
  if (Object.keys(texts).length === 0) throw new InvalidInput("A text in one language at least is needed.", "texts");
  return texts;
}

function checkText(text: string, language: Language): string {
  const refuse = (why: string): never => {
    throw new InvalidInput(`The text in ${language} ${why}`, "texts");
  };
  if (text.length > TEXT_LETTERS_MAX) refuse(`has more than ${String(TEXT_LETTERS_MAX)} letters.`);
  if (/\p{Cc}/u.test(text.replaceAll("\n", ""))) refuse("holds control characters.");
  for (const [whole, name = ""] of text.matchAll(VARIABLE))
    if (!VARIABLES.includes(name))
      refuse(`holds ${whole}; known are ${VARIABLES.map((one) => `{${one}}`).join(", ")}.`);
  if (/[{}]/.test(text.replace(VARIABLE, ""))) refuse("holds a brace without its other half.");
  if (toGsm7(text).replace(/[^?]/g, "").length > text.replace(/[^?]/g, "").length)
    refuse("holds letters that an SMS cannot carry, such as emoji.");
  return text;
}

/**
 * The text for one person, in letters of GSM-7, with the hint how to stop where it has none. Undefined where it speaks of an account
 * or days that the person does not have.
 */
export function writeCampaignText(text: string, language: Language, values: CampaignValues): string | undefined {
  const hinted = /\bSTOP\b/i.test(text) ? text : `${text} ${STOP_HINTS[completeOf(language)]}`;
  let isWhole = true;
  const written = hinted.replace(VARIABLE, (_whole, name: keyof CampaignValues) => {
    const value = values[name];
    if (value === undefined) isWhole = false;
    return value ?? "";
  });
  return isWhole ? toGsm7(written) : undefined;
}
