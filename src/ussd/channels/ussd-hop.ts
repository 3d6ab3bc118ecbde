/**
 * What is kept of a session's hops, to tell a new one from one that comes again. Of what the caller typed only its length and a
 * keyed mark: a PIN may be in it.
 */
export interface HopMemory {
  /** Of the last hop's text. */
  readonly characters: number;
  readonly mark: string;
  /** How often the last hop came again. */
  readonly repeats: number;
  /** Whether the gateway joins all answers with "*", or sends the last alone; unknown until one hop shows it. */
  readonly habit: "unknown" | "joins" | "last_only";
}

/** Of a chat: each of its messages has a name of its own, so nothing has to be guessed. */
export const NO_HOPS: HopMemory = { characters: 0, mark: "", repeats: 0, habit: "unknown" };

export type HopReading =
  | { readonly kind: "said"; readonly inputs: readonly string[]; readonly memory: HopMemory }
  /** Told before, or overtaken: the last answer once more, byte for byte. */
  | { readonly kind: "repeated"; readonly memory: HopMemory };

/** A person needs longer than this between an answer and the next one; a gateway that asks again may not. */
const TURN_MIN_MS = 1_500;

/**
 * Reads the `text` of one hop. Gateways differ: most join all answers, some send the last alone; any may send a hop twice, late, or
 * begin a session twice. `mark` is a keyed hash; `sinceAnswerMs` the time since our last answer.
 */
export function readHop(
  memory: HopMemory | undefined,
  text: string,
  { mark, sinceAnswerMs }: { mark: (text: string) => string; sinceAnswerMs: number },
): HopReading {
  const seen = { characters: text.length, mark: mark(text), repeats: 0 };
  // A service code with a tail (*384*1*2#) arrives as a text at once: it was dialled, not typed.
  if (memory === undefined)
    return { kind: "said", inputs: text === "" ? [] : text.split("*"), memory: { ...seen, habit: "unknown" } };
  const again: HopReading = { kind: "repeated", memory: { ...memory, repeats: memory.repeats + 1 } };
  // Networks begin a session twice; whoever is in the middle of one is not sent back to its start.
  if (text === "") return again;
  if (seen.mark === memory.mark) {
    const isTyped =
      // Nobody types an asterisk: what was dialled with one is only ever repeated.
      (memory.habit === "last_only" || (memory.habit === "unknown" && memory.repeats > 0 && !text.includes("*"))) &&
      sinceAnswerMs > TURN_MIN_MS;
    return isTyped ? said(text, { ...seen, habit: "last_only" }) : again;
  }
  if (memory.characters === 0) {
    // The first hop was lost, and this one tells it too.
    const inputs = text.split("*");
    return { kind: "said", inputs, memory: { ...seen, habit: inputs.length > 1 ? "joins" : memory.habit } };
  }
  const isJoined = text[memory.characters] === "*" && mark(text.slice(0, memory.characters)) === memory.mark;
  if (isJoined) {
    const inputs = text.slice(memory.characters + 1).split("*");
    return { kind: "said", inputs, memory: { ...seen, habit: "joins" } };
  }
  // Where answers are joined, what does not go on from the last text is one that was overtaken on its way.
  if (memory.habit === "joins") return again;
  return said(text, { ...seen, habit: "last_only" });
}

function said(text: string, memory: HopMemory): HopReading {
  return { kind: "said", inputs: [text], memory };
}
