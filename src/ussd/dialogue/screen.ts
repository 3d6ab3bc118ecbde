import type { Line } from "../texts/texts.ts";
import type { Place } from "./place.ts";

/** One thing that a person can choose. Its number is for ever: people remember `*384*1*2#` and dial it in the dark. */
export interface Choice {
  readonly key: "1" | "2" | "3" | "4" | "5";
  readonly label: Line;
}

/** What a person sees, in no channel's form yet. */
export interface Screen {
  readonly at: Place["at"] | "end";
  /** What it says, a line each. */
  readonly lines: readonly Line[];
  readonly choices: readonly Choice[];
  /** `secret`: what is typed is neither kept nor shown again. */
  readonly takes: "choice" | "text" | "secret" | "nothing";
  /** Whether answering it moves money or binds somebody. A dialled string never goes past such a screen. */
  readonly isBinding: boolean;
}

export const CHOICES_MAX = 5;

/** A screen that only lists choices. */
export function menu(at: Place["at"], lines: readonly Line[], choices: readonly Choice[]): Screen {
  return { at, lines, choices, takes: "choice", isBinding: false };
}

/** A screen that asks for something to be typed. */
export function question(at: Place["at"], lines: readonly Line[], takes: "text" | "secret" = "text"): Screen {
  return { at, lines, choices: [], takes, isBinding: takes === "secret" };
}

/** A screen whose first choice binds. */
export function confirmation(at: Place["at"], lines: readonly Line[], choices: readonly Choice[]): Screen {
  return { at, lines, choices, takes: "choice", isBinding: true };
}
