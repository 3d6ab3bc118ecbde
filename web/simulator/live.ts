import { useCallback, useEffect, useRef, useState } from "react";

export interface Live<Value> {
  readonly value: Value | undefined;
  /** Why the last look failed, in words for a person. */
  readonly trouble: string | undefined;
  /** Shows a value that an act has just answered. */
  readonly show: (value: Value) => void;
  /** Looks at once. */
  readonly refresh: () => void;
}

/** Lets work go on by itself; when it fails, its words are for a person to read. */
export function follow(work: Promise<unknown>, onTrouble: (words: string) => void): void {
  work.catch((error: unknown) => onTrouble(error instanceof Error ? error.message : String(error)));
}

/** Looks again and again, `everyMs` after the last answer, while the page is seen. `look` keeps its identity while its subject stays. */
export function useLive<Value>(look: () => Promise<Value>, everyMs: number): Live<Value> {
  const [value, setValue] = useState<Value>();
  const [trouble, setTrouble] = useState<string>();
  const wake = useRef<() => void>(() => undefined);
  // An answer that was asked for before a person acted would show the world as it was before that.
  const acts = useRef(0);

  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const once = async (): Promise<void> => {
      const actsBefore = acts.current;
      const seen = document.hidden ? undefined : await look();
      if (isOver) return;
      if (seen !== undefined && actsBefore === acts.current) setValue(seen);
      setTrouble(undefined);
    };
    const again = (): void => {
      clearTimeout(timer);
      const looked = once().finally(() => {
        clearTimeout(timer);
        if (!isOver) timer = setTimeout(again, everyMs);
      });
      follow(looked, (words) => {
        if (!isOver) setTrouble(words);
      });
    };
    wake.current = again;
    again();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [look, everyMs]);

  const show = useCallback((next: Value) => {
    acts.current += 1;
    setValue(next);
  }, []);
  const refresh = useCallback(() => wake.current(), []);
  return { value, trouble, show, refresh };
}
