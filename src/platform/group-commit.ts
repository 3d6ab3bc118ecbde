/** What waits for the next commit, with the promise that its caller holds. */
interface Waiting<Item, Outcome> {
  readonly item: Item;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/**
 * Collects items that arrive while a commit is under way and writes them all in the next one: under load one durable
 * commit serves many callers, and an idle door waits for nobody. Each caller's promise settles only after the commit
 * that holds its item. When a group fails, its items are tried one by one, so that one bad item harms only itself.
 * At most `waitingMax` items wait; the next is refused at once with an error, and the caller should answer "try later".
 */
export function makeGroupCommit<Item, Outcome>({
  commit,
  groupMax,
  waitingMax,
}: {
  commit(items: readonly Item[]): Promise<readonly Outcome[]>;
  groupMax: number;
  waitingMax: number;
}): { add(item: Item): Promise<Outcome>; idle(): Promise<void> } {
  let waiting: Waiting<Item, Outcome>[] = [];
  let running: Promise<void> | undefined;

  async function commitGroup(group: readonly Waiting<Item, Outcome>[]): Promise<void> {
    try {
      const outcomes = await commit(group.map(({ item }) => item));
      group.forEach((entry, at) => entry.resolve(outcomes[at] as Outcome));
    } catch (error) {
      if (group.length === 1) group[0]?.reject(error);
      else for (const entry of group) await commitGroup([entry]);
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, groupMax);
      waiting = waiting.slice(groupMax);
      await commitGroup(group);
    }
    running = undefined;
  }

  return {
    add(item) {
      if (waiting.length >= waitingMax) return Promise.reject(new GroupFull(waitingMax));
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        running ??= Promise.resolve().then(run);
      });
    },
    idle: () => running ?? Promise.resolve(),
  };
}

/** The database cannot keep up and the waiting room is full; the sender keeps what it has and tries again. */
export class GroupFull extends Error {
  constructor(waitingMax: number) {
    super(`More than ${waitingMax} requests wait for the database.`);
    this.name = "GroupFull";
  }
}
