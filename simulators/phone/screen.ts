import type { ChatMessageView } from "../stage/views.ts";
import type { ReceivedSms } from "./phone.ts";

const TEXT_WIDTH = 32;

/** A message on the phone's screen in plain letters: who wrote, when, and the text broken at words. */
export function drawSms(number: string, { from, text, at }: ReceivedSms): string {
  return `${drawScreen(`${from}  ${at.slice(11, 16)} UTC\n\n${text}`)}\n  ${number}`;
}

/** A chat's message in plain letters, with what can be pressed below it. */
export function drawChat(number: string, { text, at, buttons }: ChatMessageView): string {
  const listed = buttons.map(({ label }, index) => `[${String(index + 1)}] ${label}`);
  const below = listed.length === 0 ? "" : "; tap 1 presses the first";
  return `${drawScreen([`WhatsApp  ${at.slice(11, 16)} UTC`, "", text, ...listed].join("\n"))}\n  ${number}${below}`;
}

/** The phone's screen in plain letters, lines broken at words. */
export function drawScreen(text: string): string {
  const rule = `+${"-".repeat(TEXT_WIDTH + 2)}+`;
  const lines = text.split("\n").flatMap(wrap);
  return [rule, ...lines.map((line) => `| ${line.padEnd(TEXT_WIDTH)} |`), rule].join("\n");
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + word.length + 1 > TEXT_WIDTH) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
