import { parseArgs, type ParseArgsConfig } from "node:util";

/** A mistake on the command line: its text says what to do. */
export class WrongUse extends Error {}

/** What was asked; an option that there is none of is a wrong use. */
export function readOptions<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  options: Options,
  args: readonly string[] = process.argv.slice(2),
) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    if (error instanceof TypeError) throw new WrongUse(`${error.message} See --help.`, { cause: error });
    throw error;
  }
}

/** The whole number that an option gives. */
export function wholeOption(
  name: string,
  text: string | undefined,
  { fallback, least = 0 }: { fallback: number; least?: number },
): number {
  if (text === undefined) return fallback;
  if (!/^-?\d{1,12}$/.test(text) || Number(text) < least)
    throw new WrongUse(`--${name} takes a whole number from ${String(least)} up. See --help.`);
  return Number(text);
}

/** Runs a program and sets the exit code that it answers. A fault is told with where it happened and ends in 1, a wrong use without and in 2. */
export async function runProgram(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const isWrongUse = error instanceof WrongUse;
    const told = isWrongUse ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${told}\n`);
    process.exitCode = isWrongUse ? 2 : 1;
  }
}
