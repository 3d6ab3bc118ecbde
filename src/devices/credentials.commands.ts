import type { DeviceId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Database, Db, Tx } from "../platform/database.ts";
import { makeTwoAges } from "../platform/two-ages.ts";
import { brokerPassword, claimCode, sameSecret } from "./claim-code.ts";
import {
  ATTEMPTS_MAX,
  ClaimRefused,
  decideClaim,
  issueOf,
  refuseNew,
  revokeOf,
  signedText,
  writeOf,
  type Claim,
} from "./credentials.ts";
import * as store from "./credentials.store.ts";
import type { CredentialRow, CredentialState } from "./credentials.store.ts";
import type { Audit } from "./devices.ts";
import type { KeySeal } from "./key-seal.ts";
import { maySpeak } from "./life-cycle.ts";
import { findSpeakers, SPEAKERS_CHANNEL } from "./speakers.store.ts";
import { prepareSipKey, sipHash24 } from "./tokens/siphash.ts";
import { topicRights, type TopicRights } from "./topic-rights.ts";

export interface IssuedCode {
  readonly serial: string;
  readonly code: string;
  readonly expiresAt: Date;
}

/** What a device needs to speak; given once. */
export interface ClaimAnswer {
  readonly broker: string;
  readonly username: string;
  readonly password: string;
  readonly topics: TopicRights;
}

export type ClaimProof =
  | { readonly kind: "code"; readonly code: string; readonly request: string | undefined }
  /** `auth` as OpenPAYGO Metrics writes it: "da" and the hexadecimal hash of `signedText`. */
  | { readonly kind: "signed"; readonly timestampSeconds: number; readonly auth: string };

export interface CredentialStatus {
  readonly deviceId: DeviceId;
  /** none: no code was issued yet. */
  readonly state: CredentialState | "none";
  readonly generation: number;
  readonly codeExpiresAt: Date | null;
  readonly attemptsLeft: number;
  readonly claimedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly seenAt: Date | null;
}

interface Act {
  readonly serials: readonly string[];
  readonly actor: string;
  readonly reason: string;
}

export interface Credentials {
  /** Codes for devices that nobody speaks for; those that are claimed, or may not speak, are named with the reason. Audited. */
  issueCodes(
    tx: Tx,
    act: Act,
  ): Promise<{ readonly issued: readonly IssuedCode[]; readonly refused: ReadonlyMap<string, string> }>;
  /** A new code for one device, whatever it had: its connection is cut at once. Audited. */
  rotate(tx: Tx, act: { serial: string; actor: string; reason: string }): Promise<IssuedCode>;
  /** Shuts them at once; answers how many had something to shut. Audited. */
  revoke(tx: Tx, act: Act): Promise<number>;
  /** For a maker who writes passwords in the factory: claimed without a code. Refuses devices that are claimed. Audited. */
  provision(tx: Tx, act: Act): Promise<readonly (ClaimAnswer & { readonly serial: string })[]>;
  /** The open codes of some devices, to be printed again. They are secrets: whoever asks is audited by the caller. */
  openCodes(db: Db | Tx, serials: readonly string[]): Promise<readonly IssuedCode[]>;
  /** Uses up a claim. Throws `ClaimRefused`, having counted a wrong code. `source` is who asks, for the history. */
  claim(request: { serial: string; proof: ClaimProof; source: string }): Promise<ClaimAnswer>;
  /** Whether this serial may speak with this password now. Remembered only while `listen` hears of changes. */
  authenticate(db: Db, serial: string, password: string): Promise<boolean>;
  /**
   * Hears of changes from now on: forgets what was remembered, then tells. Empty: anything may have changed. A gateway cuts the
   * connection of the serial, which signs in again if it may.
   */
  listen(onChanged?: (serial: string) => void): Promise<() => Promise<void>>;
  statusOf(db: Db | Tx, deviceId: DeviceId): Promise<CredentialStatus>;
  eventsOf: typeof store.eventsOf;
}

/** 100,000 devices remembered are about 15 MB. */
const REMEMBERED_MAX = 100_000;
/** A change that was not heard of, because the listening connection was broken, is late by this at most. */
const REMEMBERED_MS = 30_000;
const SERIALS_MAX = 10_000;

export function makeCredentials({
  database,
  clock,
  sealingKey,
  keySeal,
  brokerUrl,
  audit,
}: {
  database: Database;
  clock: Clock;
  sealingKey: Uint8Array;
  keySeal: KeySeal;
  /** Where devices reach the broker, such as mqtts://mqtt.example.org:8883. */
  brokerUrl: () => string;
  audit: Audit;
}): Credentials {
  const remembered = makeTwoAges<string, { readonly generation: number | undefined; readonly at: number }>(
    REMEMBERED_MAX,
  );
  let listeners = 0;
  /** Counts what was forgotten, so that a query which began before does not bring it back. */
  let forgets = 0;

  const codeOf = ({ serial, generation, expiresAt }: { serial: string; generation: number; expiresAt: Date }) => ({
    serial,
    code: claimCode(sealingKey, { serial, generation }),
    expiresAt,
  });

  const answerOf = (serial: string, generation: number): ClaimAnswer => ({
    broker: brokerUrl(),
    username: serial,
    password: brokerPassword(sealingKey, { serial, generation }),
    topics: topicRights(serial),
  });

  async function lock(tx: Tx, serials: readonly string[]): Promise<ReadonlyMap<string, CredentialRow>> {
    if (serials.length > SERIALS_MAX) throw new InvalidInput(`At most ${SERIALS_MAX} devices at once.`, "serials");
    return new Map((await store.lockBySerials(tx, [...new Set(serials)])).map((row) => [row.serial, row]));
  }

  async function auditAct(
    tx: Tx,
    action: string,
    { actor, reason, devices }: { actor: string; reason: string; devices: readonly { deviceId: DeviceId }[] },
  ): Promise<void> {
    const [first] = devices;
    if (first === undefined) return;
    await audit(tx, {
      actor,
      action: `device.credentials.${action}`,
      ...(devices.length === 1
        ? { subjectKind: "device", subjectId: first.deviceId }
        : { subjectKind: "devices", subjectId: "credentials" }),
      detail: { reason, devices: devices.length },
    });
  }

  /** Who may be given something new; the others by serial, with why not. */
  function sort(rows: ReadonlyMap<string, CredentialRow>, serials: readonly string[]) {
    const refused = new Map<string, string>();
    const able = [...new Set(serials)].flatMap((serial) => {
      const row = rows.get(serial);
      const reason = row === undefined ? "There is no such device." : refuseNew(row);
      if (reason !== undefined) refused.set(serial, reason);
      return row === undefined || reason !== undefined ? [] : [row];
    });
    return { able, refused };
  }

  async function generationOf(db: Db, serial: string): Promise<number | undefined> {
    const now = clock.now().getTime();
    const known = listeners > 0 ? remembered.get(serial) : undefined;
    if (known !== undefined && now - known.at < REMEMBERED_MS) return known.generation;
    for (;;) {
      const before = forgets;
      const row = await store.findSpeaker(db, serial);
      if (before !== forgets) continue;
      const generation = row?.state === "claimed" && maySpeak(row.deviceState) ? row.generation : undefined;
      remembered.set(serial, { generation, at: now });
      return generation;
    }
  }

  function isGenuine(row: { readonly keySealed: Uint8Array }, serial: string, proof: ClaimProof): boolean {
    if (proof.kind !== "signed") return false;
    const key = prepareSipKey(keySeal.open(serial, row.keySealed));
    const { high, low } = sipHash24(key, Buffer.from(signedText(serial, proof.timestampSeconds)));
    const hash = (BigInt(high) << 32n) | BigInt(low);
    // Devices of the reference write no leading zeros, others sixteen digits.
    const given = /^da0*([0-9a-f]{1,16})$/i.exec(proof.auth)?.[1] ?? "";
    return sameSecret(given.toLowerCase(), hash.toString(16));
  }

  async function claimOf(tx: Tx, serial: string, proof: ClaimProof): Promise<Claim> {
    if (proof.kind === "code") return proof;
    const [row] = await findSpeakers(tx, [serial]);
    return {
      kind: "signed",
      isGenuine: row !== undefined && isGenuine(row, serial, proof),
      signedAt: new Date(proof.timestampSeconds * 1_000),
    };
  }

  return {
    async issueCodes(tx, act) {
      const now = clock.now();
      const { able, refused } = sort(await lock(tx, act.serials), act.serials);
      const writes = able.map((row) => issueOf(row, { now, actor: act.actor, detail: act.reason }));
      await store.write(tx, writes, now);
      await auditAct(tx, "issue", { ...act, devices: writes });
      return { issued: writes.map(codeOf), refused };
    },
    async rotate(tx, { serial, actor, reason }) {
      const now = clock.now();
      const row = (await lock(tx, [serial])).get(serial);
      if (row === undefined) throw new NotFound("device", "serial");
      if (!maySpeak(row.deviceState))
        throw new NotAllowedNow(`Device ${serial} is ${row.deviceState}: it may not speak.`);
      const write = issueOf(row, { now, actor, detail: reason });
      await store.write(tx, [write], now);
      await auditAct(tx, "rotate", { actor, reason, devices: [write] });
      return codeOf(write);
    },
    async revoke(tx, act) {
      const now = clock.now();
      const writes = [...(await lock(tx, act.serials)).values()].flatMap((row) => {
        const write = revokeOf(row, { now, actor: act.actor, detail: act.reason });
        return write === undefined ? [] : [write];
      });
      await store.write(tx, writes, now);
      await auditAct(tx, "revoke", { ...act, devices: writes });
      return writes.length;
    },
    async provision(tx, act) {
      const now = clock.now();
      const { able, refused } = sort(await lock(tx, act.serials), act.serials);
      const [problem] = refused;
      if (problem !== undefined) throw new NotAllowedNow(`${problem[0]}: ${problem[1]}`);
      const writes = able.map((row): store.CredentialWrite => ({
        ...writeOf(row, now),
        generation: (row.generation ?? 0) + 1,
        state: "claimed",
        attempts: 0,
        requestDigest: null,
        issuedAt: now,
        expiresAt: now,
        claimedAt: now,
        revokedAt: null,
        event: { kind: "provisioned", actor: act.actor, detail: act.reason },
      }));
      await store.write(tx, writes, now);
      await auditAct(tx, "provision", { ...act, devices: writes });
      return writes.map(({ serial, generation }) => ({ serial, ...answerOf(serial, generation) }));
    },
    async openCodes(db, serials) {
      const rows = await store.findBySerials(db, serials.slice(0, SERIALS_MAX));
      return rows.flatMap(({ serial, state, generation, expiresAt }) =>
        state === "open" && generation !== undefined && expiresAt !== null && expiresAt > clock.now()
          ? [codeOf({ serial, generation, expiresAt })]
          : [],
      );
    },
    async claim({ serial, proof, source }) {
      // A wrong code is counted, so the refusal is thrown behind the commit.
      const decision = await database.db.transaction(async (tx) => {
        const now = clock.now();
        const row = (await lock(tx, [serial])).get(serial);
        if (row === undefined) return undefined;
        const actor = `claim:${source}`;
        const decided = decideClaim(row, await claimOf(tx, serial, proof), { sealingKey, now, actor });
        if (decided.write !== undefined) await store.write(tx, [decided.write], now);
        if (decided.ok && decided.write !== undefined)
          await auditAct(tx, "claim", { actor, reason: decided.write.event.detail, devices: [decided.write] });
        return decided;
      });
      if (decision === undefined || !decision.ok) throw new ClaimRefused();
      return answerOf(serial, decision.generation);
    },
    async authenticate(db, serial, password) {
      const generation = topicRights(serial).publish.length === 0 ? undefined : await generationOf(db, serial);
      // A password is computed for unknown serials too: the time of an answer tells nothing of who is ours.
      const expected = brokerPassword(sealingKey, { serial, generation: generation ?? 0 });
      return sameSecret(password, expected) && generation !== undefined;
    },
    async listen(onChanged = () => undefined) {
      const end = await database.listen(SPEAKERS_CHANNEL, (serial) => {
        forgets += 1;
        if (serial === "") remembered.clear();
        else remembered.delete(serial);
        onChanged(serial);
      });
      listeners += 1;
      return async () => {
        listeners -= 1;
        await end();
      };
    },
    async statusOf(db, deviceId) {
      const row = await store.find(db, deviceId);
      if (row === undefined) throw new NotFound("device", "deviceId");
      return {
        deviceId,
        state: row.state ?? "none",
        generation: row.generation ?? 0,
        codeExpiresAt: row.state === "open" ? row.expiresAt : null,
        attemptsLeft: row.state === "open" ? Math.max(0, ATTEMPTS_MAX - row.attempts) : 0,
        claimedAt: row.claimedAt,
        revokedAt: row.revokedAt,
        seenAt: row.seenAt,
      };
    },
    eventsOf: store.eventsOf,
  };
}
