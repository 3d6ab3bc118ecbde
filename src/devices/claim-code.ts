import { createHmac, timingSafeEqual } from "node:crypto";

/**
 * What lets a device speak follows from our key, its serial and the generation of its credentials: nothing secret is stored,
 * and raising the generation ends what was given out before.
 */
export function brokerPassword(sealingKey: Uint8Array, { serial, generation }: Voice): string {
  return derive(sealingKey, `mqtt:${generation}:${serial}`).toString("base64url");
}

/** Whose credentials, and which of them in time. */
export interface Voice {
  readonly serial: string;
  readonly generation: number;
}

/** Letters and digits that nobody confuses on a printed label: without 0, 1, I, L, O, U. Thirty of them. */
const LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LETTERS = 12;

/** A claim code such as "7KQM-4XAC-92TZ": 58 bits, which ten attempts do not guess. */
export function claimCode(sealingKey: Uint8Array, { serial, generation }: Voice): string {
  const bytes = derive(sealingKey, `claim:${generation}:${serial}`);
  let rest = BigInt(`0x${bytes.toString("hex")}`);
  let code = "";
  for (let at = 0; at < CODE_LETTERS; at++) {
    code += LETTERS[Number(rest % 30n)] ?? "";
    rest /= 30n;
  }
  return code.replace(/(.{4})(?=.)/g, "$1-");
}

/** As a person types it: any case, with or without dashes and spaces. */
export function cleanCode(typed: string): string {
  return typed
    .toUpperCase()
    .replace(/[\s-]+/g, "")
    .replace(/(.{4})(?=.)/g, "$1-");
}

/** Compares secrets in a time that tells nothing of how much of them agrees. */
export function sameSecret(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function derive(sealingKey: Uint8Array, text: string): Buffer {
  return createHmac("sha256", sealingKey).update(text).digest();
}
