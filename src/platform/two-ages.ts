/** A bounded memory that gives up what was not asked for the longest, roughly and cheaply. */
export interface TwoAges<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
  clear(): void;
  readonly size: number;
}

/**
 * Two maps, a young and an old one. What is asked for comes to the young; when that is half of the limit, it becomes the old
 * one and the old one is let go. A lookup costs one `get` and moves nothing while an entry is young, unlike a list in order of use.
 */
export function makeTwoAges<Key, Value>(sizeMax: number): TwoAges<Key, Value> {
  let young = new Map<Key, Value>();
  let old = new Map<Key, Value>();
  function set(key: Key, value: Value): void {
    if (young.size >= sizeMax / 2 && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
    old.delete(key);
  }
  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found;
      const aged = old.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    clear() {
      young.clear();
      old.clear();
    },
    get size() {
      return young.size + old.size;
    },
  };
}
