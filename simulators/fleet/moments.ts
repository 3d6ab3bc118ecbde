/** What happens when: a binary heap, since the next moment of a hundred thousand devices is asked for all the time. */
export interface Moments<Item> {
  add(atMs: number, item: Item): void;
  first(): { readonly atMs: number; readonly item: Item } | undefined;
  removeFirst(): void;
}

export function makeMoments<Item>(): Moments<Item> {
  const heap: { readonly atMs: number; readonly item: Item }[] = [];
  const timeAt = (at: number): number => heap[at]?.atMs ?? Number.POSITIVE_INFINITY;
  const swap = (one: number, other: number): void => {
    const [first, second] = [heap[one], heap[other]];
    if (first === undefined || second === undefined) return;
    heap[one] = second;
    heap[other] = first;
  };
  return {
    add(atMs, item) {
      let at = heap.push({ atMs, item }) - 1;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (timeAt(parent) <= timeAt(at)) return;
        swap(parent, at);
        at = parent;
      }
    },
    first: () => heap[0],
    removeFirst() {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
      for (let at = 0; ;) {
        const left = 2 * at + 1;
        const least = timeAt(left + 1) < timeAt(left) ? left + 1 : left;
        if (timeAt(least) >= timeAt(at)) return;
        swap(least, at);
        at = least;
      }
    },
  };
}
