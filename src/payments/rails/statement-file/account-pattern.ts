/** Longer narrations are cut before the pattern looks at them. */
const NARRATION_CHARACTERS_MAX = 200;
export const PATTERN_CHARACTERS_MAX = 100;

/** How many steps a pattern may cost for one start in a narration, at worst: about a millisecond or two. */
const STEPS_MAX = 200_000;

/**
 * Why a pattern is not accepted, or undefined when it is. A person's pattern runs on every line of a file, and an
 * unlucky one takes centuries; so only this is allowed: characters, classes such as `[A-Z]` and `\d`, `.`, `^`, `$`, one
 * group in parentheses for the account itself, and repetitions of single characters or classes, few enough that their
 * combinations stay below a limit. No alternatives, no repeated groups, no look-around, no back references.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === "" || pattern.length > PATTERN_CHARACTERS_MAX)
    return `A pattern has 1 to ${PATTERN_CHARACTERS_MAX} characters.`;
  const atom = /\\[dDwWsSbB.\\/()[\]{}+*?|^$-]|\[\^?(?:\\[dwsDWS.\\\]^-]|[^\]\\])+\]|[^\\()[\]{}*+?|]/y;
  const repeat = /(?:[*+?]|\{(\d{1,3})(,(\d{1,3})?)?\})\??/y;
  let [steps, groups, isOpen] = [1, 0, false];
  for (let at = 0; at < pattern.length;) {
    const next = pattern.charAt(at);
    if (next === "(" && pattern.charAt(at + 1) !== "?" && !isOpen && groups === 0) {
      [groups, isOpen, at] = [1, true, at + 1];
      continue;
    }
    if (next === ")" && isOpen) {
      [isOpen, at] = [false, at + 1];
      if (/[*+?{]/.test(pattern.charAt(at))) return "A group may not be repeated.";
      continue;
    }
    atom.lastIndex = at;
    const found = atom.exec(pattern);
    if (found === null)
      return `"${next}" at place ${at + 1} is not allowed: use characters, classes, repetitions of these, and one group.`;
    at = atom.lastIndex;
    repeat.lastIndex = at;
    const repetition = repeat.exec(pattern);
    if (repetition === null) continue;
    at = repeat.lastIndex;
    steps *= choicesOf(repetition);
    if (steps > STEPS_MAX) return "It has too many repetitions: on an unlucky line it would search for hours.";
  }
  if (isOpen) return "A parenthesis is not closed.";
  try {
    RegExp(pattern, "i");
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

function choicesOf([text, least, more, most]: RegExpExecArray): number {
  if (text.startsWith("?")) return 2;
  if (least === undefined) return NARRATION_CHARACTERS_MAX;
  if (more === undefined) return 1;
  const upTo = most === undefined ? NARRATION_CHARACTERS_MAX : Math.min(Number(most), NARRATION_CHARACTERS_MAX);
  return Math.max(1, upTo - Number(least) + 1);
}

/** Finds the account in a narration: what the group holds, or all that matched; "" when nothing does. Case is ignored. */
export function makeAccountFinder(pattern: string): (narration: string) => string {
  const expression = new RegExp(pattern, "i");
  return (narration) => {
    const match = expression.exec(narration.slice(0, NARRATION_CHARACTERS_MAX));
    return (match?.[1] ?? match?.[0] ?? "").trim();
  };
}
