/** The basic alphabet of GSM 03.38: one septet each. A single letter outside it and the extension turns the whole SMS to 70-letter parts. */
const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
/** Letters of the extension table: an escape and a letter, so two septets each. */
const EXTENSION = new Set("^{}\\[~]|€");

/** Letters that do not fall apart into a base letter and an accent. */
const REPLACEMENTS: Readonly<Record<string, string>> = {
  "’": "'",
  "‘": "'",
  "“": '"',
  "”": '"',
  "«": '"',
  "»": '"',
  "–": "-",
  "—": "-",
  "…": "...",
  œ: "oe",
  Œ: "OE",
  "\u00a0": " ",
  "\u202f": " ",
  "\t": " ",
};

/** How many septets an SMS of this text takes; undefined where a letter is not of the alphabet. */
export function countSeptets(text: string): number | undefined {
  let septets = 0;
  for (const letter of text) {
    if (BASIC.has(letter)) septets += 1;
    else if (EXTENSION.has(letter)) septets += 2;
    else return undefined;
  }
  return septets;
}

/** Writes any text in the alphabet: what is in it stays, other accents fall, and what has no likeness becomes "?". */
export function toGsm7(text: string): string {
  let written = "";
  for (const letter of text.normalize("NFC")) {
    if (BASIC.has(letter) || EXTENSION.has(letter)) written += letter;
    else written += REPLACEMENTS[letter] ?? withoutAccent(letter);
  }
  return written;
}

/** Letters that a bare one stands for, where an accent or a ligature does not simply fall apart. */
const BARE: Readonly<Record<string, string>> = { ß: "ss", ø: "o", Ø: "O", æ: "ae", Æ: "AE" };

/**
 * Writes any text in the letters that every phone shows and every gateway passes on: the basic alphabet without its accents and
 * signs, so ASCII without what the alphabet has in its extension or not at all. What has no likeness becomes "?".
 */
export function toBareGsm7(text: string): string {
  let written = "";
  for (const letter of toGsm7(text.normalize("NFKD").replace(/\p{M}/gu, "")))
    written += BARE[letter] ?? (BASIC.has(letter) && letter <= "~" && letter !== "\r" ? letter : "?");
  return written;
}

function withoutAccent(letter: string): string {
  const base = letter.normalize("NFD").replace(/\p{M}/gu, "");
  return base !== "" && countSeptets(base) !== undefined ? base : "?";
}
