import { scrypt, timingSafeEqual } from "node:crypto";

/** A secret as it is stored: "scrypt$cost$blockSize$parallelism$salt$key", the last two in base64url. */
export type SlowHash = string & { readonly slowHash: true };

/** How dear one guess is. Memory is 128 × cost × blockSize bytes. */
export interface HashCost {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
}

const KEY_BYTES = 32;
export const SALT_BYTES = 16;

/** Derives the stored form, on a thread of the pool. `salt` must be fresh and random. */
export async function hashSlowly(secret: string, salt: Uint8Array, cost: HashCost): Promise<SlowHash> {
  const key = await derive(secret, salt, cost);
  const parts = [cost.cost, cost.blockSize, cost.parallelism, base64(salt), base64(key)];
  return `scrypt$${parts.join("$")}` as SlowHash;
}

/** Whether the secret gives the stored key, compared in constant time. Throws when the stored form is damaged. */
export async function verifySlowly(secret: string, stored: SlowHash): Promise<boolean> {
  const [scheme, cost, blockSize, parallelism, salt, key] = stored.split("$");
  if (scheme !== "scrypt" || salt === undefined || key === undefined) throw new Error("A stored secret is damaged.");
  const expected = Buffer.from(key, "base64url");
  const parameters = { cost: Number(cost), blockSize: Number(blockSize), parallelism: Number(parallelism) };
  const actual = await derive(secret, Buffer.from(salt, "base64url"), parameters);
  return timingSafeEqual(actual, expected);
}

function derive(secret: string, salt: Uint8Array, { cost, blockSize, parallelism }: HashCost): Promise<Buffer> {
  const maxmem = 256 * cost * blockSize;
  return new Promise((resolve, reject) => {
    scrypt(
      secret.normalize("NFKC"),
      salt,
      KEY_BYTES,
      { cost, blockSize, parallelization: parallelism, maxmem },
      (error, key) => (error === null ? resolve(key) : reject(error)),
    );
  });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
