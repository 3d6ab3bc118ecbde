/** Who wants in, as long as it may still be there. */
export interface Caller {
  readonly closed: boolean;
}

export interface SignIns {
  /**
   * Whether the password is right, when its turn has come. Rejects with SignInBusy when too many wait already, when its turn does not come in
   * time, or when the caller has gone meanwhile.
   */
  authenticate(serial: string, password: string, caller?: Caller): Promise<boolean>;
  readonly state: { readonly running: number; readonly waiting: number; readonly turnedAway: number };
}

/** Not now: too many come at once, or the database does not answer. The device is told so and tries again. */
export class SignInBusy extends Error {
  constructor() {
    super("Too many devices sign in at once; try again later.");
    this.name = "SignInBusy";
  }
}

/** Four seconds of a wave in which five hundred devices a second come back. */
const WAITING_MAX = 2_000;
/** Devices give up after ten to thirty seconds; what is answered later is answered to nobody. */
const WAIT_MS = 8_000;

interface Entry {
  readonly serial: string;
  readonly password: string;
  readonly caller: Caller | undefined;
  resolve(isRight: boolean): void;
  reject(error: unknown): void;
}

/**
 * Lets a few sign in at once and the others wait in a line of bounded length and time. When PostgreSQL comes back, every device does
 * too; without the line their questions would hold every connection of the pool while it is slow, wait in memory without end
 * while it is away, and be asked for devices that have long gone.
 */
export function makeSignIns({
  authenticate,
  atOnce,
  waitingMax = WAITING_MAX,
  waitMs = WAIT_MS,
}: {
  authenticate(serial: string, password: string): Promise<boolean>;
  /** Questions to the database at the same time: fewer than the pool has connections. */
  atOnce: number;
  waitingMax?: number;
  waitMs?: number;
}): SignIns {
  const waiting = new Set<Entry>();
  let running = 0;
  let turnedAway = 0;

  function refuse(entry: Entry): void {
    turnedAway += 1;
    entry.reject(new SignInBusy());
  }

  function begin(entry: Entry): void {
    running += 1;
    authenticate(entry.serial, entry.password)
      .then(entry.resolve, entry.reject)
      .finally(() => {
        running -= 1;
        next();
      });
  }

  function next(): void {
    for (const entry of waiting) {
      if (running >= atOnce) return;
      waiting.delete(entry);
      if (entry.caller?.closed === true) refuse(entry);
      else begin(entry);
    }
  }

  return {
    authenticate(serial, password, caller) {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const entry: Entry = { serial, password, caller, resolve, reject };
      if (running < atOnce) begin(entry);
      else if (waiting.size >= waitingMax) refuse(entry);
      else {
        waiting.add(entry);
        const timer = setTimeout(() => {
          if (waiting.delete(entry)) refuse(entry);
        }, waitMs);
        const settled = (): void => clearTimeout(timer);
        promise.then(settled, settled);
      }
      return promise;
    },
    get state() {
      return { running, waiting: waiting.size, turnedAway };
    },
  };
}
