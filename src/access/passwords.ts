import { InvalidInput } from "../kernel/refusal.ts";
import { hashSlowly, SALT_BYTES, verifySlowly, type HashCost, type SlowHash } from "../platform/slow-hash.ts";

export { SALT_BYTES };

/** A password as it is stored. */
export type PasswordHash = SlowHash;
export type PasswordCost = HashCost;

/** 32 MiB and three passes: one of the OWASP settings of equal strength, and the one a small server can afford. */
export const PASSWORD_COST: PasswordCost = { cost: 32_768, blockSize: 8, parallelism: 3 };

const PASSWORD_CHARACTERS_MIN = 10;
/** Long enough for any sentence; a longer one only makes the server work. */
const PASSWORD_CHARACTERS_MAX = 200;

/** Refuses a password that is too short to resist guessing or too long to be meant. */
export function parseNewPassword(password: string): string {
  if (password.length < PASSWORD_CHARACTERS_MIN || password.length > PASSWORD_CHARACTERS_MAX) {
    throw new InvalidInput(
      `A password has ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters; a few words do well.`,
      "password",
    );
  }
  return password;
}

/** Derives the stored form, on a thread of the pool. `salt` must be fresh and random. */
export function hashPassword(password: string, salt: Uint8Array, cost: PasswordCost): Promise<PasswordHash> {
  return hashSlowly(password, salt, cost);
}

/** Whether the password gives the stored key. Throws when the stored form is damaged. */
export async function verifyPassword(password: string, stored: PasswordHash): Promise<boolean> {
  // A password beyond the limit cannot be right, but the work is done all the same, so that time tells nothing.
  const isRight = await verifySlowly(password.slice(0, PASSWORD_CHARACTERS_MAX), stored);
  return isRight && password.length <= PASSWORD_CHARACTERS_MAX;
}
