/** What a slow reader may leave unread; it misses the oldest then, and reads the present from the lists as always. */
const WAITING_MAX = 1_000;

/**
 * Turns a way of listening into what a subscription field gives: events in their order, from the moment it is asked. Leaving
 * it stops the listening at once, also while nothing happens (an async generator would wait for the next event first).
 */
export function eventStream<Event>(
  listen: (hear: (event: Event) => void) => () => void,
  waitingMax = WAITING_MAX,
): AsyncIterableIterator<Event> {
  const waiting: Event[] = [];
  const readers: ((result: IteratorResult<Event>) => void)[] = [];
  let isOver = false;
  const stop = listen((event) => {
    if (isOver) return;
    const reader = readers.shift();
    if (reader !== undefined) reader({ value: event, done: false });
    else {
      waiting.push(event);
      if (waiting.length > waitingMax) waiting.shift();
    }
  });
  const stream: AsyncIterableIterator<Event> = {
    [Symbol.asyncIterator]: () => stream,
    next() {
      if (isOver) return Promise.resolve({ value: undefined, done: true });
      const [event] = waiting.splice(0, 1);
      if (event !== undefined) return Promise.resolve({ value: event, done: false });
      return new Promise((resolve) => readers.push(resolve));
    },
    return() {
      if (!isOver) {
        isOver = true;
        waiting.length = 0;
        stop();
        for (const reader of readers.splice(0)) reader({ value: undefined, done: true });
      }
      return Promise.resolve({ value: undefined, done: true });
    },
  };
  return stream;
}
