/** One promise, how many things it was checked on, and each that broke it. */
export interface Check {
  readonly promise: string;
  readonly checked: number;
  readonly broken: readonly string[];
}

export const over = <Item>(
  promise: string,
  items: readonly Item[],
  fault: (item: Item) => string | undefined,
): Check => ({
  promise,
  checked: items.length,
  broken: items.map(fault).filter((text) => text !== undefined),
});

export const groupBy = <Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<string, readonly Item[]> => Map.groupBy(items, keyOf);

export const sum = <Item>(items: readonly Item[], amountOf: (item: Item) => bigint): bigint =>
  items.reduce((total, item) => total + amountOf(item), 0n);
