import type { Language } from "../kernel/language.ts";
import { createHash, randomBytes } from "node:crypto";
import { looksLikeId, type MakeId, type StaffId } from "../kernel/ids.ts";
import { InvalidInput, NotFound, Refusal, TooMany } from "../kernel/refusal.ts";
import { type Clock, DAY_MS, HOUR_MS } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { Json } from "../platform/idempotency.ts";
import * as store from "./access.store.ts";
import { ATTEMPTS_WINDOW_MS, decideAttempt, normalizeEmail, parseEmail, sourceKey } from "./login-limits.ts";
import {
  hashPassword,
  parseNewPassword,
  PASSWORD_COST,
  SALT_BYTES,
  verifyPassword,
  type PasswordCost,
  type PasswordHash,
} from "./passwords.ts";
import { actorOf } from "./roles.ts";

export { actorOf, maySee, sightOf, type Sight } from "./roles.ts";
export type { PasswordCost, PasswordHash } from "./passwords.ts";

export type Role = "admin" | "operations" | "agent";

/** Someone who works here. `area` is set for agents and only for them. */
export interface Staff {
  readonly id: StaffId;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly area: string | null;
  readonly language: Language;
  readonly createdAt: Date;
  readonly disabledAt: Date | null;
  /** E.164; an agent who calls from it is known. */
  readonly phone: string | null;
}

/** Who did what to which thing. `actor` is `actorOf(staff)` or the name of a part of the program, such as "system:seed". */
export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly subjectKind: string;
  readonly subjectId: string;
  readonly detail: Json;
}

export interface AuditRecord extends AuditEntry {
  readonly id: bigint;
  readonly at: Date;
}

export interface NewStaff {
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly area: string | null;
  readonly language: Language;
  /** From `Access.hashPassword`, made before the transaction opens: it takes a fifth of a second on purpose. */
  readonly passwordHash: PasswordHash;
  readonly actor: string;
}

/** The same words whether the address is unknown, the password wrong or the account disabled. */
export class WrongCredentials extends Refusal {
  readonly code = "WRONG_CREDENTIALS";
  constructor() {
    super("The e-mail address or the password is wrong.");
  }
}

export class NotSignedIn extends Refusal {
  readonly code = "NOT_SIGNED_IN";
  constructor() {
    super("Sign in first.");
  }
}

export interface Access {
  /** Opens a session. Throws `WrongCredentials`, or `TooMany` when the account or the source guessed too often. */
  login(attempt: {
    email: string;
    password: string;
    sourceAddress: string;
  }): Promise<{ token: string; expiresAt: Date; staff: Staff }>;
  /** Ends the session of a token; unknown and ended ones are left in peace. */
  logout(token: string): Promise<void>;
  /** Who a token belongs to; undefined when it is unknown, expired, revoked, or its owner is disabled. */
  findActor(token: string): Promise<Staff | undefined>;
  /** Refuses a password of unusable length; otherwise derives its stored form. Call it outside transactions. */
  hashPassword(password: string): Promise<PasswordHash>;
  /** Adds a person and audits it. Throws `InvalidInput` for a taken address, or an area that does not fit the role. */
  createStaff(tx: Tx, person: NewStaff): Promise<Staff>;
  /** Disables or enables a person and audits it; sessions of the disabled stop at once. Throws `NotFound`. */
  setStaffDisabled(tx: Tx, change: { staffId: StaffId; disabled: boolean; actor: string }): Promise<Staff>;
  /** Gives a person a phone (E.164), or takes it away, and audits it. Throws `NotFound`, or `InvalidInput` when another has it. */
  setStaffPhone(tx: Tx, change: { staffId: StaffId; phone: string | null; actor: string }): Promise<Staff>;
  /** The agent who works here and has this phone. */
  findAgentByPhone(tx: Tx, phone: string): Promise<Staff | undefined>;
  findStaff(ids: readonly StaffId[]): Promise<Staff[]>;
  /** Those of the actors (`actorOf`) who are staff and are not disabled. */
  findWorking(actors: readonly string[]): Promise<ReadonlySet<string>>;
  listStaff(page: { limit: number; after?: StaffId | undefined }): Promise<Staff[]>;
  /** Appends to the audit in the transaction of the act itself, so that neither stays without the other. */
  audit(tx: Tx, entry: AuditEntry): Promise<void>;
  /** Newest first. */
  listAudit(page: {
    limit: number;
    before?: bigint | undefined;
    subject?: { kind: string; id: string } | undefined;
  }): Promise<AuditRecord[]>;
  /**
   * Audits an act that may be done at most `timesMax` times to one subject within `windowMs`, counting what the audit
   * holds; acts of the same kind on the same subject wait for each other. Throws `TooMany`.
   */
  auditLimited(tx: Tx, entry: AuditEntry, limit: { timesMax: number; windowMs: number }): Promise<void>;
  /** Forgets old guesses and long-ended sessions. Run it about once an hour. */
  sweep(): Promise<void>;
}

/** A working day with overtime; a lost phone is a danger for so long. */
const SESSION_MS = 12 * HOUR_MS;
const ATTEMPTS_KEPT_MS = DAY_MS;
const SESSIONS_KEPT_MS = 30 * DAY_MS;
const TOKEN_BYTES = 32;
const NAME_CHARACTERS_MAX = 120;
const AREA_CHARACTERS_MAX = 80;

/** Builds the module. `passwordCost` is lowered only by tests. */
export function makeAccess({
  db,
  clock,
  makeId,
  passwordCost = PASSWORD_COST,
}: {
  db: Db;
  clock: Clock;
  makeId: MakeId;
  passwordCost?: PasswordCost;
}): Access {
  const derive = (password: string) => hashPassword(password, randomBytes(SALT_BYTES), passwordCost);
  // Checked against when nobody has the address, so that the answer takes as long as for a wrong password.
  let decoy: Promise<PasswordHash> | undefined;

  async function reserveAttempt(email: string, sourceAddress: string): Promise<string> {
    const now = clock.now();
    const attempt = {
      id: makeId<"LoginAttempt">(),
      account: normalizeEmail(email),
      source: sourceKey(sourceAddress),
      at: now,
    };
    await db.transaction(async (tx) => {
      const failures = await store.lockFailures(tx, {
        ...attempt,
        since: new Date(now.getTime() - ATTEMPTS_WINDOW_MS),
      });
      const decision = decideAttempt(failures);
      if (!decision.allowed) {
        throw new TooMany(
          "Too many wrong passwords. Wait a quarter of an hour, or ask an administrator.",
          decision.retryAt,
        );
      }
      await store.insertAttempt(tx, attempt);
    });
    return attempt.id;
  }

  async function openSession(staff: Staff, attemptId: string) {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    const now = clock.now();
    const expiresAt = new Date(now.getTime() + SESSION_MS);
    await db.transaction(async (tx) => {
      await store.markAttemptSucceeded(tx, attemptId);
      await store.insertSession(tx, { tokenSha256: digest(token), staffId: staff.id, createdAt: now, expiresAt });
      await store.insertAudit(tx, entryOf(staff.id, actorOf(staff), "login"), now);
    });
    return { token, expiresAt, staff };
  }

  return {
    async login({ email, password, sourceAddress }) {
      const attemptId = await reserveAttempt(email, sourceAddress);
      const found = await store.findByEmail(db, normalizeEmail(email));
      decoy ??= derive(randomBytes(TOKEN_BYTES).toString("base64url"));
      const matches = await verifyPassword(password, found?.passwordHash ?? (await decoy));
      if (found === undefined || !matches || found.staff.disabledAt !== null) throw new WrongCredentials();
      return openSession(found.staff, attemptId);
    },
    async logout(token) {
      const now = clock.now();
      await db.transaction(async (tx) => {
        const staffId = await store.revokeSession(tx, digest(token), now);
        if (staffId !== undefined)
          await store.insertAudit(tx, entryOf(staffId, actorOf({ id: staffId }), "logout"), now);
      });
    },
    findActor: (token) => store.findSessionOwner(db, digest(token), clock.now()),
    hashPassword: async (password) => derive(parseNewPassword(password)),
    async createStaff(tx, person) {
      const staff = parseNewStaff(person, makeId<"Staff">(), clock.now());
      if (!(await store.insertStaff(tx, { staff, passwordHash: person.passwordHash, createdBy: person.actor }))) {
        throw new InvalidInput("Somebody already has this e-mail address.", "email");
      }
      await store.insertAudit(
        tx,
        entryOf(staff.id, person.actor, "staff.create", { role: staff.role, area: staff.area }),
        staff.createdAt,
      );
      return staff;
    },
    async setStaffDisabled(tx, { staffId, disabled, actor }) {
      const now = clock.now();
      const staff = await store.setDisabled(tx, staffId, disabled ? now : null);
      if (staff === undefined) throw new NotFound("member of staff");
      await store.insertAudit(tx, entryOf(staffId, actor, disabled ? "staff.disable" : "staff.enable"), now);
      return staff;
    },
    async setStaffPhone(tx, { staffId, phone, actor }) {
      const staff = await store.setPhone(tx, staffId, phone);
      if (staff === undefined) throw new NotFound("working member of staff");
      if (staff === "taken") throw new InvalidInput("Another person has this phone.", "phone");
      const action = phone === null ? "staff.take_phone" : "staff.give_phone";
      await store.insertAudit(tx, entryOf(staffId, actor, action), clock.now());
      return staff;
    },
    async findAgentByPhone(tx, phone) {
      const staff = await store.findByPhone(tx, phone);
      return staff?.role === "agent" ? staff : undefined;
    },
    findStaff: (ids) => store.findManyById(db, ids),
    async findWorking(actors) {
      const ids = actors.flatMap((actor) => {
        const id = actor.replace(/^staff:/, "");
        return id !== actor && looksLikeId(id) ? [id as StaffId] : [];
      });
      const staff = await store.findManyById(db, ids);
      return new Set(staff.filter(({ disabledAt }) => disabledAt === null).map((one) => actorOf(one)));
    },
    listStaff: ({ limit, after }) => store.listStaff(db, { limit, after }),
    audit: (tx, entry) => store.insertAudit(tx, entry, clock.now()),
    listAudit: ({ limit, before, subject }) => store.listAudit(db, { limit, before, subject }),
    async auditLimited(tx, entry, { timesMax, windowMs }) {
      const now = clock.now();
      await store.lockLimit(tx, `${entry.action} ${entry.subjectKind} ${entry.subjectId}`);
      const done = await store.countAudit(tx, { ...entry, since: new Date(now.getTime() - windowMs) });
      const blocking = done[timesMax - 1];
      if (blocking !== undefined) {
        throw new TooMany("This was done too often. Wait a while.", new Date(blocking.getTime() + windowMs));
      }
      await store.insertAudit(tx, entry, now);
    },
    async sweep() {
      const now = clock.now().getTime();
      const limits = {
        attemptsBefore: new Date(now - ATTEMPTS_KEPT_MS),
        sessionsBefore: new Date(now - SESSIONS_KEPT_MS),
      };
      await db.transaction((tx) => store.sweep(tx, limits));
    },
  };
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function entryOf(
  staffId: StaffId,
  ...[actor, action, detail = {}]: [actor: string, action: string, detail?: Json]
): AuditEntry {
  return { actor, action, subjectKind: "staff", subjectId: staffId, detail };
}

function parseNewStaff(person: NewStaff, id: StaffId, createdAt: Date): Staff {
  const name = person.name.trim();
  const area = person.area?.trim() ?? "";
  if (name === "" || name.length > NAME_CHARACTERS_MAX) {
    throw new InvalidInput(`A name has 1 to ${NAME_CHARACTERS_MAX} characters.`, "name");
  }
  if ((person.role === "agent") !== (area !== "")) {
    throw new InvalidInput("An agent needs an area; administration and operations have none.", "area");
  }
  if (area.length > AREA_CHARACTERS_MAX) {
    throw new InvalidInput(`An area has at most ${AREA_CHARACTERS_MAX} characters.`, "area");
  }
  return {
    id,
    email: parseEmail(person.email),
    name,
    role: person.role,
    area: area === "" ? null : area,
    language: person.language,
    createdAt,
    disabledAt: null,
    phone: null,
  };
}
