import type { Clock } from "../kernel/time.ts";
import type { Database } from "../platform/database.ts";
import { makeGroupCommit } from "../platform/group-commit.ts";
import { LEASE_MS } from "./command-life.ts";
import { writeCommandMessage } from "./command-payload.ts";
import type { DeviceCommands, SendResult } from "./commands.commands.ts";
import { COMMANDS_CHANNEL, type Command, type CommandId } from "./commands.store.ts";
import { touch } from "./credentials.store.ts";

export interface CommandLoop {
  /** Listens, and looks after what waits. Resolves when listening, or at once when the database is away. */
  start(): Promise<void>;
  /** A device connected here, or showed that it still is: what waits for it is sent. */
  connected(serial: string): void;
  /** A device went away. */
  disconnected(serial: string): void;
  /** Sends what is due for the devices that were named since, and waits until all of it is answered for. For tests and `stop`. */
  settle(): Promise<void>;
  /** Wakes devices whose next sending is due and ends what is past its time; runs every second once started. */
  tick(): Promise<void>;
  /** Takes nothing new and waits for the sendings under way, a lease at most. */
  stop(): Promise<void>;
}

/** Of one claim: small enough that a gateway which dies holds little back. */
const CLAIM_MAX = 200;
const SERIALS_MAX = 500;
const SENDINGS_MAX = 5_000;
const TICK_MS = 1_000;
const END_MAX = 500;
/** Ends are looked for by every gateway, so none of them in a hurry. */
const END_EVERY_TICKS = 10;
/** Devices that stay connected are noted as seen so often. */
const TOUCH_EVERY_TICKS = 600;

/**
 * Sends commands to the devices that are connected to this gateway: woken by NOTIFY and by connects. A command is leased when
 * it is claimed; a gateway that dies leaves it to whichever holds the device when the lease has ended, with the same id, so
 * that the device does it once. A device has one sending under way at a time, in the order in which it was asked.
 */
export function makeCommandLoop({
  database,
  clock,
  commands,
  isHere,
  send,
  onFault = () => undefined,
  sendTimeoutMs = LEASE_MS,
}: {
  database: Database;
  clock: Clock;
  commands: Pick<DeviceCommands, "claim" | "noteSent" | "endDue">;
  /** Whether this gateway holds the device's connection. */
  isHere(serial: string): boolean;
  /** Resolves at the device's PUBACK; rejects when it cannot be reached. */
  send(serial: string, channel: "cmd", payload: Uint8Array): Promise<void>;
  onFault?: (error: unknown) => void;
  sendTimeoutMs?: number;
}): CommandLoop {
  const here = new Set<string>();
  const wanted = new Set<string>();
  const unseen = new Set<string>();
  const busy = new Map<string, Promise<void>>();
  const dueAt = new Map<string, number>();
  let stopped = false;
  let ticks = 0;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let unlisten: (() => Promise<void>) | undefined;
  let listening: Promise<void> | undefined;

  const notes = makeGroupCommit<SendResult, Date | undefined>({
    commit: (results) =>
      database.db.transaction(async (tx) => {
        const next = await commands.noteSent(tx, results);
        return results.map(({ id }) => next.get(id));
      }),
    groupMax: CLAIM_MAX,
    waitingMax: SENDINGS_MAX,
  });

  function want(serial: string): void {
    if (stopped || !isHere(serial)) return;
    wanted.add(serial);
    wake();
  }

  function wantAt(serial: string, at: Date): void {
    dueAt.set(serial, Math.min(at.getTime(), dueAt.get(serial) ?? Number.POSITIVE_INFINITY));
  }

  function wake(): void {
    running ??= Promise.resolve()
      .then(run)
      .catch(onFault)
      .finally(() => {
        running = undefined;
        // One that came between the last look and this line has nobody else to wake the loop for it.
        if (!stopped && [...wanted].some((serial) => !busy.has(serial))) wake();
      });
  }

  async function run(): Promise<void> {
    for (;;) {
      // One that is being sent to is asked for again when that is over.
      const serials = [...wanted].filter((serial) => !busy.has(serial)).slice(0, SERIALS_MAX);
      if (serials.length === 0 || stopped) return;
      const seen = serials.filter((serial) => unseen.delete(serial));
      for (const serial of serials) wanted.delete(serial);
      try {
        const { claimed, nextAt } = await database.db.transaction(async (tx) => {
          await touch(tx, seen, clock.now());
          return await commands.claim(tx, { serials, limit: CLAIM_MAX });
        });
        // What pauses, or is leased to a gateway that died, has nobody else to remember it: the next tick finds it.
        for (const [serial, at] of nextAt) wantAt(serial, at);
        const bySerial = Map.groupBy(claimed, ({ serial }) => serial);
        // A full claim may have left some of these serials out.
        if (claimed.length === CLAIM_MAX) for (const serial of serials) if (!bySerial.has(serial)) wanted.add(serial);
        for (const [serial, mine] of bySerial) begin(serial, mine);
      } catch (error) {
        onFault(error);
        const at = clock.now().getTime() + TICK_MS;
        for (const serial of serials) dueAt.set(serial, at);
        for (const serial of seen) unseen.add(serial);
        return;
      }
    }
  }

  function begin(serial: string, mine: readonly Command[]): void {
    const sending = sendAll(serial, mine)
      .catch(onFault)
      .finally(() => {
        busy.delete(serial);
        want(serial);
      });
    busy.set(serial, sending);
  }

  /** In order: when one cannot be sent, those behind it wait as well. */
  async function sendAll(serial: string, mine: readonly Command[]): Promise<void> {
    let failure: string | undefined;
    const noted: Promise<void>[] = [];
    for (const command of mine) {
      failure ??= await sendOne(command);
      noted.push(note(serial, { id: command.id, attempt: command.attempts, failure }));
    }
    await Promise.all(noted);
  }

  async function sendOne(command: Command): Promise<string | undefined> {
    const { serial, id, createdAt: issuedAt, expiresAt, body } = command;
    // The claim may have waited behind another sending of this device.
    if (clock.now() >= expiresAt) return "Its time passed before it was sent.";
    let late: NodeJS.Timeout | undefined;
    const timeout = new Promise<string>((resolve) => {
      late = setTimeout(() => resolve("The device did not acknowledge in time."), sendTimeoutMs);
    });
    try {
      const sent = send(serial, "cmd", writeCommandMessage({ id, issuedAt, expiresAt, body })).then(() => undefined);
      return await Promise.race([sent, timeout]);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      clearTimeout(late);
    }
  }

  async function note(serial: string, result: { id: CommandId } & SendResult): Promise<void> {
    try {
      const next = await notes.add(result);
      if (next !== undefined) wantAt(serial, next);
    } catch (error) {
      // Unwritten, the command is sent again when its lease ends: the device knows its id.
      onFault(error);
      dueAt.set(serial, clock.now().getTime() + LEASE_MS);
    }
  }

  async function endAll(): Promise<void> {
    while ((await database.db.transaction((tx) => commands.endDue(tx, END_MAX))) === END_MAX && !stopped);
  }

  async function tick(): Promise<void> {
    const now = clock.now().getTime();
    for (const [serial, at] of dueAt) {
      if (at > now) continue;
      dueAt.delete(serial);
      want(serial);
    }
    listening ??= listen();
    ticks += 1;
    if (ticks % TOUCH_EVERY_TICKS === 0) for (const serial of here) markSeen(serial);
    if (ticks % END_EVERY_TICKS === 1) await endAll();
  }

  function markSeen(serial: string): void {
    unseen.add(serial);
    want(serial);
  }

  /** An empty payload follows every reconnect, when a notification may have been missed. */
  function hear(payload: string): void {
    if (payload !== "") want(payload);
    else for (const serial of here) want(serial);
  }

  async function listen(): Promise<void> {
    try {
      unlisten = await database.listen(COMMANDS_CHANNEL, hear);
    } catch (error) {
      onFault(error);
      listening = undefined;
    }
  }

  async function settle(): Promise<void> {
    while (running !== undefined || busy.size > 0) {
      await running;
      await Promise.all(busy.values());
    }
    await notes.idle();
  }

  return {
    async start() {
      timer ??= setInterval(() => void tick().catch(onFault), TICK_MS);
      listening ??= listen();
      await listening;
    },
    connected(serial) {
      here.add(serial);
      markSeen(serial);
    },
    disconnected(serial) {
      // The next connection of the same device may have come before the end of the last.
      if (!isHere(serial)) {
        here.delete(serial);
        dueAt.delete(serial);
      }
    },
    settle,
    tick,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await listening;
      await unlisten?.().catch(onFault);
      await settle();
    },
  };
}
