import { RequestRefused } from "./request.ts";

/** Lets so many in at once; the others wait in the order they came. */
export interface Turns {
  /** Answers how to leave. Throws RequestRefused (202) when too many wait already. */
  enter(): Promise<() => void>;
}

export function makeTurns({ atOnceMax, waitingMax }: { atOnceMax: number; waitingMax: number }): Turns {
  let inside = 0;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) inside--;
    else next(); // the place goes from hand to hand
  };
  return {
    async enter() {
      if (inside >= atOnceMax) {
        if (waiting.length >= waitingMax)
          throw new RequestRefused(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many statements wait for the engine.");
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else inside++;
      let isOut = false;
      return () => {
        if (isOut) return;
        isOut = true;
        leave();
      };
    },
  };
}
