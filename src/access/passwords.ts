import { scrypt, timingSafeEqual } from "node:crypto";
import { InvalidInput } from "../kernel/refusal.ts";

/** A password as it is stored: "scrypt$cost$blockSize$parallelism$salt$key", the last two in base64url. */
export type PasswordHash = string & { readonly passwordHash: true };

/** How dear one guess is. Memory is 128 × cost × blockSize bytes. */
export interface PasswordCost {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
}

/** 32 MiB and three passes: one of the OWASP settings of equal strength, and the one a small server can afford. */
export const PASSWORD_COST: PasswordCost = { cost: 32_768, blockSize: 8, parallelism: 3 };

const KEY_BYTES = 32;
export const SALT_BYTES = 16;
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
export async function hashPassword(password: string, salt: Uint8Array, cost: PasswordCost): Promise<PasswordHash> {
  const key = await derive(password, salt, cost);
  const parts = [cost.cost, cost.blockSize, cost.parallelism, base64(salt), base64(key)];
  return `scrypt$${parts.join("$")}` as PasswordHash;
}

/** Whether the password gives the stored key, compared in constant time. Throws when the stored form is damaged. */
export async function verifyPassword(password: string, stored: PasswordHash): Promise<boolean> {
  const [scheme, cost, blockSize, parallelism, salt, key] = stored.split("$");
  if (scheme !== "scrypt" || salt === undefined || key === undefined) throw new Error("A stored password is damaged.");
  const expected = Buffer.from(key, "base64url");
  const parameters = { cost: Number(cost), blockSize: Number(blockSize), parallelism: Number(parallelism) };
  // A password beyond the limit cannot be right, but the work is done all the same, so that time tells nothing.
  const actual = await derive(password.slice(0, PASSWORD_CHARACTERS_MAX), Buffer.from(salt, "base64url"), parameters);
  return timingSafeEqual(actual, expected) && password.length <= PASSWORD_CHARACTERS_MAX;
}

function derive(password: string, salt: Uint8Array, { cost, blockSize, parallelism }: PasswordCost): Promise<Buffer> {
  const maxmem = 256 * cost * blockSize;
  return new Promise((resolve, reject) => {
    scrypt(
      password.normalize("NFKC"),
      salt,
      KEY_BYTES,
      { cost, blockSize, parallelization: parallelism, maxmem },
      (error, key) => (error === null ? resolve(key) : reject(error)),
    );
  });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
