import { connect, type Socket } from "node:net";

/** The number after the length by which PostgreSQL knows protocol 3.0 in the first message of a connection. */
const PROTOCOL_3 = 196_608;
/** Between two looks at whether anything was still written; long enough for every promise and immediate in between. */
const QUIET_MS = 2;
/** Transactions answer an error by one rollback for each level of nesting; a busy pool could go on writing for ever. */
const LOOKS_MAX = 5;
/** A transaction may be busy elsewhere when its connection breaks (the relay hands jobs over for ten seconds at most): a minute. */
const HELD_LOOK_MS = 20;
const HELD_LOOKS_MAX = 3_000;

/**
 * A socket for postgres.js (3.4.9) that takes leave in the order which the driver survives. TCP_NODELAY is set, which the
 * driver leaves out. It is handed over while it still connects, since a promise that rejects loses the connection's place
 * in the pool for ever.
 *
 * When a connection breaks, the driver forgets its socket and only then tells the transaction that ran on it; the
 * transaction's `rollback` is written a moment later, to no socket, which ends the whole process. So `close` is held back
 * here: first the statements under way hear an error, then whatever they wrote in answer does, and when nothing more is
 * written the driver hears `close`. A transaction with no statement under way is waited for until it writes its next.
 * See https://github.com/porsager/postgres/issues/1208. A connection over TLS is beyond this.
 */
export function makeGuardedSocket({ host, port }: { host: string; port: number }): Socket {
  const socket = connect({ host, port, noDelay: true });
  const emit = socket.emit.bind(socket) as (event: string, ...values: unknown[]) => boolean;
  const write = socket.write.bind(socket) as (...values: unknown[]) => boolean;
  let isFirst = true;
  let isGone = false;
  let wrote = false;
  let idleInTransaction = false;

  function takeLeave(hadError: unknown): void {
    isGone = true;
    emit("error", new ConnectionClosed());
    let looks = 0;
    let held = 0;
    wrote = false;
    function look(): void {
      if (idleInTransaction && !wrote && held < HELD_LOOKS_MAX) {
        held += 1;
        setTimeout(look, HELD_LOOK_MS).unref();
        return;
      }
      idleInTransaction = false;
      looks += 1;
      if (!wrote || looks === LOOKS_MAX) {
        emit("close", hadError);
        return;
      }
      wrote = false;
      emit("error", new ConnectionClosed());
      setTimeout(look, QUIET_MS);
    }
    setTimeout(look, QUIET_MS);
  }

  function guardedEmit(event: string, ...values: unknown[]): boolean {
    if (event === "data") idleInTransaction = idleInTransactionAfter(values[0], idleInTransaction);
    if (event !== "close") return emit(event, ...values);
    takeLeave(values[0]);
    return true;
  }

  function guardedWrite(bytes: Buffer, ...rest: unknown[]): boolean {
    wrote = true;
    if (isGone) return true;
    idleInTransaction = false;
    const whole = isFirst ? withoutRemains(bytes) : bytes;
    isFirst = false;
    return write(whole, ...rest);
  }

  Object.defineProperty(socket, "emit", { value: guardedEmit });
  Object.defineProperty(socket, "write", {
    get: () => guardedWrite,
    set() {
      // Node puts a `write` of its own on a socket whose other side has ended; it would hide ours when it matters.
    },
  });
  return socket;
}

/** PostgreSQL's last message of an answer: `Z`, its length 5, and `I` where no transaction is open. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);
const NO_TRANSACTION = 0x49;

/** The server's parting words, and pieces that end within an answer, change nothing. */
function idleInTransactionAfter(bytes: unknown, before: boolean): boolean {
  if (!Buffer.isBuffer(bytes) || bytes.length < 6 || !bytes.subarray(-6, -1).equals(READY)) return before;
  return bytes[bytes.length - 1] !== NO_TRANSACTION;
}

/**
 * The driver may open a new connection with bytes in its buffer that were meant for the one that broke; they stand before the
 * opening message, which says its own length.
 */
function withoutRemains(bytes: Buffer): Buffer {
  for (let from = 1; from + 8 <= bytes.length; from++) {
    if (bytes.readUInt32BE(from) === bytes.length - from && bytes.readUInt32BE(from + 4) === PROTOCOL_3)
      return bytes.subarray(from);
  }
  return bytes;
}

/** The connection to PostgreSQL ended while statements ran on it; whether they were committed is not known. */
class ConnectionClosed extends Error {
  readonly code = "CONNECTION_CLOSED";
  constructor() {
    super("The connection to PostgreSQL was closed.");
    this.name = "ConnectionClosed";
  }
}

/**
 * An opening message below this size waits for a flush that the driver, after a break at the wrong moment, never makes:
 * the connection would then hang for ever. Above it the message leaves at once.
 */
const FLUSHED_AT_ONCE_BYTES = 1_024;

/** Makes the opening message long enough. PostgreSQL keeps the first 63 letters of an application's name. */
export function paddedApplicationName(name: string): string {
  return name.padEnd(FLUSHED_AT_ONCE_BYTES);
}
