import type { ReceivedSms } from "./phone.ts";

const TEXT_WIDTH = 32;

/** The phone's screen in plain letters: who wrote, when, and the text broken at words. */
export function drawSms(number: string, { from, text, at }: ReceivedSms): string {
  const rule = `+${"-".repeat(TEXT_WIDTH + 2)}+`;
  const lines = [`${from}  ${at.slice(11, 16)} UTC`, "", ...wrap(text)];
  return [rule, ...lines.map((line) => `| ${line.padEnd(TEXT_WIDTH)} |`), rule, `  ${number}`].join("\n");
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
