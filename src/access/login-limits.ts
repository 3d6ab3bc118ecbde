import { InvalidInput } from "../kernel/refusal.ts";
import { MINUTE_MS } from "../kernel/time.ts";

export const ATTEMPTS_WINDOW_MS = 15 * MINUTE_MS;
/** Wrong passwords of one account within the window. A person mistypes twice; a program guesses. */
export const ACCOUNT_FAILURES_MAX = 5;
/** Of one source: looser, since a whole office or a mobile network may share an address. */
export const SOURCE_FAILURES_MAX = 30;

/** Whether another guess may be made, from the instants of the failures within the window, newest first. */
export function decideAttempt({
  accountFailures,
  sourceFailures,
}: {
  accountFailures: readonly Date[];
  sourceFailures: readonly Date[];
}): { readonly allowed: true } | { readonly allowed: false; readonly retryAt: Date } {
  const blocking = [accountFailures[ACCOUNT_FAILURES_MAX - 1], sourceFailures[SOURCE_FAILURES_MAX - 1]].filter(
    (at) => at !== undefined,
  );
  if (blocking.length === 0) return { allowed: true };
  const latest = Math.max(...blocking.map((at) => at.getTime()));
  return { allowed: false, retryAt: new Date(latest + ATTEMPTS_WINDOW_MS) };
}

const EMAIL_CHARACTERS_MAX = 254;

/** One spelling per account, so that capitals or spaces do not buy more guesses. */
export function normalizeEmail(email: string): string {
  return email.normalize("NFKC").trim().toLowerCase().slice(0, EMAIL_CHARACTERS_MAX);
}

/** Refuses what cannot be an address; whether it exists only a message could tell. */
export function parseEmail(email: string): string {
  const normal = normalizeEmail(email);
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(normal)) throw new InvalidInput("That is not an e-mail address.", "email");
  return normal;
}

/**
 * What one source is for counting: an IPv4 address, or the first 64 bits of an IPv6 one, since a single subscriber is
 * given all addresses below those.
 */
export function sourceKey(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().split("%", 1)[0]?.split("::") ?? [];
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length);
  const all = [...groups, ...Array.from({ length: zeros }, () => "0"), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
