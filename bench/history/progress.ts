/** A line on a terminal that is written over; nothing where standard error is a file. */
export function showProgress(what: string, { done, of }: { readonly done: number; readonly of: number }): void {
  if (!process.stderr.isTTY) return;
  const width = 24;
  const full = Math.round((done / Math.max(1, of)) * width);
  const bar = `${"█".repeat(full)}${"░".repeat(width - full)}`;
  process.stderr.write(`\r\x1b[K${bar} ${what} ${String(done)} of ${String(of)}${done >= of ? "\n" : ""}`);
}
