/** One deliberate mistake in the money code, and the test that must notice it. */
export interface Mutant {
  /** The mistake in a person's words. */
  readonly name: string;
  readonly file: string;
  /** Text that stands once in the file; a mutant whose text is gone, or stands twice, is an error of this list. */
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: { readonly file: string; readonly test: string };
}

/** The file with the mistake in it. Throws when the text does not stand there exactly once. */
export function mutate(source: string, { name, file, find, replace }: Mutant): string {
  const times = source.split(find).length - 1;
  if (times !== 1) throw new StaleMutant(`"${name}": its text stands ${times} times in ${file}, not once: ${find}`);
  return source.replace(find, () => replace);
}

export class StaleMutant extends Error {}
