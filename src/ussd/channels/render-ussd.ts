import { toBareGsm7 } from "../../kernel/gsm7.ts";
import type { Language } from "../../kernel/language.ts";
import type { Line } from "../texts/texts.ts";
import { write } from "../texts/texts.ts";
import type { Screen } from "../dialogue/screen.ts";

/** What gateways take in one answer, "CON " included. */
export const USSD_CHARACTERS_MAX = 182;
/** Some phones show no more. */
export const USSD_CHARACTERS_AIMED = 160;
const PREFIX_CHARACTERS = 4;
/** Leads to the rest of a screen that is too long for one answer; never a choice of the dialogue. */
export const MORE_KEY = "9";

/** A screen as a basic phone shows it: a page at a time, each of them within the limit. */
export interface UssdPages {
  readonly pages: readonly string[];
}

/**
 * Writes a screen in the letters that every phone has: accents are dropped, since a single one of them may halve what fits. A
 * screen that fits is one page; otherwise lines and choices go over to further pages, whole where they fit.
 */
export function renderUssd(
  screen: Screen,
  {
    note,
    ways,
    language,
    zone,
  }: {
    note: Line | undefined;
    ways: readonly { readonly key: string; readonly label: Line }[];
    language: Language;
    zone: string;
  },
): UssdPages {
  const say = (line: Line): string => toBareGsm7(write(line, { language, zone }));
  const body = [
    ...(note === undefined ? [] : [say(note)]),
    ...screen.lines.map(say),
    ...screen.choices.map(({ key, label }) => `${key}. ${say(label)}`),
  ];
  const footer = ways.map(({ key, label }) => `${key} ${say(label)}`).join("  ");
  const whole = [...body, ...(footer === "" ? [] : [footer])].join("\n");
  if (whole.length + PREFIX_CHARACTERS <= USSD_CHARACTERS_MAX) return { pages: [whole] };
  const more = `${MORE_KEY} ${say({ id: "way.more", values: {} })}`;
  const foot = footer === "" ? more : `${more}  ${footer}`;
  return { pages: paginate(body, { foot, lastFoot: footer }) };
}

/** Every page but the last ends with the way to the next. */
function paginate(body: readonly string[], { foot, lastFoot }: { foot: string; lastFoot: string }): string[] {
  const room = USSD_CHARACTERS_AIMED - PREFIX_CHARACTERS - foot.length - 1;
  const pages: string[] = [];
  let page = "";
  for (const piece of body.flatMap((line) => cut(line, room))) {
    const longer = page === "" ? piece : `${page}\n${piece}`;
    if (longer.length <= room) {
      page = longer;
      continue;
    }
    pages.push(`${page}\n${foot}`);
    page = piece;
  }
  pages.push(lastFoot === "" ? page : `${page}\n${lastFoot}`);
  return pages;
}

/** A line that is longer than a page, at its words. */
function cut(line: string, room: number): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > room) {
    const at = rest.lastIndexOf(" ", room);
    const end = at > 0 ? at : room;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...pieces, rest];
}
