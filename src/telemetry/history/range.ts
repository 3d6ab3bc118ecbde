/** Transactions (from, to] of one cluster, by number. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

export interface RangeBounds {
  /** Rows of a range at most, unless one transaction alone wrote more. */
  readonly rowsMax: number;
  readonly widthMax: bigint;
}

/** The next range to look at: from the bookmark, so wide, but never beyond the last transaction that is over. */
export function rangeFrom(done: bigint, { width, final }: { width: bigint; final: bigint }): Range | undefined {
  if (final <= done) return undefined;
  const to = done + width;
  return { from: done, to: to < final ? to : final };
}

/**
 * How wide to look after a range was found to hold so many rows. Transaction numbers are spent by everybody in the cluster, so
 * rows per number vary a thousandfold: the width doubles while ranges are thin, and shrinks in proportion where they are
 * too full.
 */
export function nextWidth(range: Range, rows: number, { rowsMax, widthMax }: RangeBounds): bigint {
  const width = range.to - range.from;
  if (rows > rowsMax) {
    const share = (width * BigInt(rowsMax)) / BigInt(rows);
    const shrunk = share < width ? share : width - 1n;
    return shrunk < 1n ? 1n : shrunk;
  }
  if (rows * 2 > rowsMax) return width;
  return width * 2n < widthMax ? width * 2n : widthMax;
}

/** Whether a range is taken as it is: not too full, or no part of it can be taken alone. */
export function isTaken(range: Range, rows: number, { rowsMax }: RangeBounds): boolean {
  return rows <= rowsMax || range.to - range.from === 1n;
}
