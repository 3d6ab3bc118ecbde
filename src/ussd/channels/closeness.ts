/** Words as they are compared: no accents, no capitals, nothing but letters and digits with single spaces between them. */
export function plainWords(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** How many slips of a thumb are forgiven in a word of this length. */
export function slipsMax(word: string): number {
  if (word.length >= 7) return 2;
  return word.length >= 3 ? 1 : 0;
}

/** Words longer than this are no word of ours; comparing them would only cost time. */
const LETTERS_MAX = 40;

/**
 * Slips between two words: a letter too many, too few or wrong, or two neighbours exchanged (Damerau and Levenshtein, in the
 * form that touches no letter twice). Infinite for what is too long to be a word.
 */
export function slipsBetween(left: string, right: string): number {
  if (left === right) return 0;
  if (left.length > LETTERS_MAX || right.length > LETTERS_MAX) return Infinity;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let row = 1; row <= left.length; row++) {
    const next = [row];
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1];
      const isSwapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      next[column] = Math.min(
        (last[column] ?? Infinity) + 1,
        (next[column - 1] ?? Infinity) + 1,
        (last[column - 1] ?? Infinity) + (isSame ? 0 : 1),
        isSwapped ? (beforeLast[column - 2] ?? Infinity) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = next;
  }
  return last[right.length] ?? Infinity;
}

/** The one meaning that a word is nearest to, forgiving a few slips; undefined where none or several are. */
export function nearest<Meaning>(
  typed: string,
  words: Iterable<readonly [word: string, meaning: Meaning]>,
): Meaning | undefined {
  const allowed = slipsMax(typed);
  let best = allowed + 1;
  let found = new Set<Meaning>();
  for (const [word, meaning] of words) {
    if (Math.abs(word.length - typed.length) > allowed) continue;
    const slips = slipsBetween(typed, word);
    // A short word of ours forgives no more than a short word of theirs.
    if (slips > Math.min(allowed, slipsMax(word)) || slips > best) continue;
    if (slips < best) found = new Set();
    best = slips;
    found.add(meaning);
  }
  const [only, ...others] = found;
  return others.length === 0 ? only : undefined;
}
