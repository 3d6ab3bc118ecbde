/** Letters that no phone types and no database keeps: control characters, and halves of surrogate pairs. */
const UNTYPABLE = /[\p{Cc}\p{Cs}]/gu;

export function isTypable(text: string): boolean {
  return text.search(UNTYPABLE) < 0;
}

/** What was typed, with a space for each letter that nobody types. */
export function typable(text: string): string {
  return text.replace(UNTYPABLE, " ");
}
