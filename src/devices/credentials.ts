import { createHash } from "node:crypto";
import { Refusal } from "../kernel/refusal.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../kernel/time.ts";
import { claimCode, cleanCode, sameSecret } from "./claim-code.ts";
import type { CredentialRow, CredentialWrite } from "./credentials.store.ts";
import { maySpeak } from "./life-cycle.ts";

/** The same words whatever was wrong: a guesser learns nothing, and an agent knows what to do. */
export class ClaimRefused extends Refusal {
  readonly code = "CLAIM_REFUSED";
  constructor() {
    super("This serial and code claim nothing. Check both; if they are right, ask the office for a new code.");
  }
}

/** A label is printed in the factory and used within the year. */
export const CODE_LIFE_MS = 365 * DAY_MS;
/** A guesser has ten of 10^17; a person who types badly asks for a new one after that. */
export const ATTEMPTS_MAX = 10;
/** How long the answer to a claim may be asked for again, by who asked first. */
export const ANSWER_AGAIN_MS = HOUR_MS;
/** Clocks of devices and ours may differ so much in a signed claim. */
export const SIGNED_SKEW_MS = 10 * MINUTE_MS;

export interface CodeClaim {
  readonly kind: "code";
  readonly code: string;
  /** A random word of the claimer's own: the same claim may be asked again when its answer was lost. */
  readonly request: string | undefined;
}

/** A claim signed with the device's own key; the signature was found right or wrong before. */
export interface SignedClaim {
  readonly kind: "signed";
  readonly isGenuine: boolean;
  readonly signedAt: Date;
}

export type Claim = CodeClaim | SignedClaim;

export type ClaimDecision =
  /** Nothing is written when the claim had been answered before. */
  | { readonly ok: true; readonly generation: number; readonly write: CredentialWrite | undefined }
  | { readonly ok: false; readonly why: string; readonly write: CredentialWrite | undefined };

/** Decides a claim, with what is to be written: a wrong code counts against the code, a right one is used up. */
export function decideClaim(
  row: CredentialRow,
  claim: Claim,
  { sealingKey, now, actor }: { sealingKey: Uint8Array; now: Date; actor: string },
): ClaimDecision {
  const { serial, generation, state } = row;
  if (generation === undefined || state === undefined) return refused("no code was issued");
  if (!maySpeak(row.deviceState)) return refused(`the device is ${row.deviceState}`);
  if (state === "revoked") return refused("its credentials are revoked");
  if (row.expiresAt === null || now >= row.expiresAt) return refused("the code is too old");
  if (row.attempts >= ATTEMPTS_MAX) return refused("too many wrong codes");
  const wrong = wrongnessOf(row, claim, { code: claimCode(sealingKey, { serial, generation }), now });
  if (state === "claimed") {
    return wrong === undefined && isSameRequest(row, claim, now)
      ? { ok: true, generation, write: undefined }
      : refused("the code was used already");
  }
  if (wrong !== undefined) {
    const attempts = row.attempts + 1;
    const event = { kind: "claim_refused", actor, detail: wrong } as const;
    return { ok: false, why: wrong, write: { ...writeOf(row, now), attempts, event } };
  }
  return {
    ok: true,
    generation,
    write: {
      ...writeOf(row, now),
      state: "claimed",
      attempts: 0,
      requestDigest: claim.kind === "code" && claim.request !== undefined ? digestOf(claim.request) : null,
      signedAt: claim.kind === "signed" ? claim.signedAt : row.signedAt,
      claimedAt: now,
      seenAt: now,
      event: { kind: "claimed", actor, detail: claim.kind === "code" ? "by its code" : "by its own key" },
    },
  };
}

const refused = (why: string): ClaimDecision => ({ ok: false, why, write: undefined });

function wrongnessOf(row: CredentialRow, claim: Claim, { code, now }: { code: string; now: Date }): string | undefined {
  if (claim.kind === "code") return sameSecret(cleanCode(claim.code), code) ? undefined : "wrong code";
  if (!claim.isGenuine) return "wrong signature";
  if (Math.abs(claim.signedAt.getTime() - now.getTime()) > SIGNED_SKEW_MS) return "signed at another time";
  if (row.signedAt !== null && claim.signedAt <= row.signedAt) return "signed before";
  return undefined;
}

function isSameRequest(row: CredentialRow, claim: Claim, now: Date): boolean {
  if (claim.kind !== "code" || claim.request === undefined || row.requestDigest === null || row.claimedAt === null)
    return false;
  return (
    now.getTime() - row.claimedAt.getTime() <= ANSWER_AGAIN_MS &&
    Buffer.from(row.requestDigest).equals(digestOf(claim.request))
  );
}

function digestOf(request: string): Buffer {
  return createHash("sha256").update(request).digest();
}

/** The row as it stands, for a change of some of it. */
export function writeOf(row: CredentialRow, now: Date): Omit<CredentialWrite, "event"> {
  return {
    deviceId: row.deviceId,
    serial: row.serial,
    generation: row.generation ?? 0,
    state: row.state ?? "revoked",
    attempts: row.attempts,
    requestDigest: row.requestDigest,
    signedAt: row.signedAt,
    issuedAt: row.issuedAt ?? now,
    expiresAt: row.expiresAt ?? now,
    claimedAt: row.claimedAt,
    revokedAt: row.revokedAt,
    seenAt: row.seenAt,
  };
}

/** A new generation with a code that may be used once. What the old generation opened is shut by it. */
export function issueOf(
  row: CredentialRow,
  { now, actor, detail }: { now: Date; actor: string; detail: string },
): CredentialWrite {
  return {
    ...writeOf(row, now),
    generation: (row.generation ?? 0) + 1,
    state: "open",
    attempts: 0,
    requestDigest: null,
    issuedAt: now,
    expiresAt: new Date(now.getTime() + CODE_LIFE_MS),
    claimedAt: null,
    revokedAt: null,
    event: { kind: row.state === "claimed" ? "rotated" : "issued", actor, detail },
  };
}

/** Shuts what was open or claimed; undefined where nothing is. */
export function revokeOf(
  row: CredentialRow,
  { now, actor, detail }: { now: Date; actor: string; detail: string },
): CredentialWrite | undefined {
  if (row.generation === undefined || row.state === "revoked") return undefined;
  return {
    ...writeOf(row, now),
    generation: row.generation + 1,
    state: "revoked",
    requestDigest: null,
    claimedAt: null,
    revokedAt: now,
    event: { kind: "revoked", actor, detail },
  };
}

/** Why a device gets no new code; undefined where it may have one. */
export function refuseNew({ state, deviceState }: Pick<CredentialRow, "state" | "deviceState">): string | undefined {
  if (!maySpeak(deviceState)) return `It is ${deviceState}: only installed devices and those in stock may speak.`;
  return state === "claimed" ? "It is claimed already. Rotate its credentials to cut off who has them." : undefined;
}

/**
 * What a device signs with its own key to claim without a code: its serial, the time in Unix seconds, and the data of an
 * OpenPAYGO Metrics request that asks for nothing else. No other request of the device has this text, so none can be replayed here.
 */
export function signedText(serial: string, timestampSeconds: number): string {
  return `${serial}${timestampSeconds}{"claim":"mqtt"}`;
}
