import type { Line } from "../texts/texts.ts";
import { line, notThere, type Move } from "./moves.ts";
import type { Place } from "./place.ts";
import { CHOICES_MAX, type Choice } from "./screen.ts";

const KEYS = ["1", "2", "3", "4", "5"] as const;
const NEXT = "5";

/** How many of a list stand on the screen that begins with `from`: the last number leads on where there are more. */
function countOn(items: readonly unknown[], from: number): number {
  const left = items.length - from;
  return left > CHOICES_MAX ? CHOICES_MAX - 1 : left;
}

/** A list of any length as choices of one screen, from the item at `from` on. */
export function choicesOf<Item>(
  items: readonly Item[],
  from: number,
  labelOf: (item: Item) => Line,
): readonly Choice[] {
  const count = countOn(items, from);
  const choices = items
    .slice(from, from + count)
    .map((item, at): Choice => ({ key: KEYS[at] ?? NEXT, label: labelOf(item) }));
  return from + count < items.length ? [...choices, { key: NEXT, label: line("choice.next") }] : choices;
}

/** What a number on that screen leads to: `chosen` for an item, the rest of the list by `next`. */
export function pick<Item>(
  items: readonly Item[],
  said: string,
  { from, next, chosen }: { from: number; next: (from: number) => Place; chosen: (item: Item) => Move },
): Move {
  const count = countOn(items, from);
  if (said === NEXT && from + count < items.length) return { kind: "instead", place: next(from + count) };
  const at = KEYS.findIndex((key) => key === said);
  const item = at < 0 || at >= count ? undefined : items[from + at];
  return item === undefined ? notThere : chosen(item);
}

/** The same of a list that fits one screen. */
export function pickOnly<Item>(items: readonly Item[], said: string, chosen: (item: Item) => Move): Move {
  const item = items[KEYS.findIndex((key) => key === said)];
  return item === undefined ? notThere : chosen(item);
}
