import { and, asc, desc, eq, gt, inArray, isNull, lt, sql } from "drizzle-orm";
import type { StaffId } from "../kernel/ids.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { AuditEntry, AuditRecord, Staff } from "./access.ts";
import { auditTable, loginAttemptsTable, sessionsTable, staffTable } from "./access.tables.ts";
import type { PasswordHash } from "./passwords.ts";

type Reader = Db | Tx;
type StaffRow = typeof staffTable.$inferSelect;

function toStaff({ id, email, name, role, area, language, createdAt, disabledAt, phone }: StaffRow): Staff {
  return { id: id as StaffId, email, name, role, area, language, createdAt, disabledAt, phone };
}

/** The person with the address and the stored password, also when disabled. */
export async function findByEmail(
  reader: Reader,
  email: string,
): Promise<{ staff: Staff; passwordHash: PasswordHash } | undefined> {
  const [row] = await reader.select().from(staffTable).where(eq(staffTable.email, email));
  return row === undefined ? undefined : { staff: toStaff(row), passwordHash: row.passwordHash };
}

/** The people with these ids, in no order; unknown ids are absent. */
export async function findManyById(reader: Reader, ids: readonly StaffId[]): Promise<Staff[]> {
  if (ids.length === 0) return [];
  return (
    await reader
      .select()
      .from(staffTable)
      .where(inArray(staffTable.id, [...ids]))
  ).map(toStaff);
}

/** Staff in order of id (which is order of creation), after the given one. */
export async function listStaff(
  reader: Reader,
  { limit, after }: { limit: number; after: StaffId | undefined },
): Promise<Staff[]> {
  const rows = await reader
    .select()
    .from(staffTable)
    .where(after === undefined ? undefined : gt(staffTable.id, after))
    .orderBy(asc(staffTable.id))
    .limit(limit);
  return rows.map(toStaff);
}

/** False when somebody already has the address. */
export async function insertStaff(
  tx: Tx,
  { staff, passwordHash, createdBy }: { staff: Staff; passwordHash: PasswordHash; createdBy: string },
): Promise<boolean> {
  const written = await tx
    .insert(staffTable)
    .values({ ...staff, passwordHash, createdBy })
    .onConflictDoNothing({ target: staffTable.email })
    .returning({ id: staffTable.id });
  return written.length === 1;
}

/** Undefined when there is nobody with the id. Whoever is disabled gives the phone back: it may be another's tomorrow. */
export async function setDisabled(tx: Tx, staffId: StaffId, disabledAt: Date | null): Promise<Staff | undefined> {
  const change = disabledAt === null ? { disabledAt } : { disabledAt, phone: null };
  const [row] = await tx.update(staffTable).set(change).where(eq(staffTable.id, staffId)).returning();
  return row === undefined ? undefined : toStaff(row);
}

/** Who works here and has this phone. */
export async function findByPhone(reader: Reader, phone: string): Promise<Staff | undefined> {
  const [row] = await reader
    .select()
    .from(staffTable)
    .where(and(eq(staffTable.phone, phone), isNull(staffTable.disabledAt)));
  return row === undefined ? undefined : toStaff(row);
}

/** Undefined when nobody with the id works here. "taken" when another person has the phone. */
export async function setPhone(tx: Tx, staffId: StaffId, phone: string | null): Promise<Staff | "taken" | undefined> {
  if (phone !== null) {
    // Two administrators who give one phone to two people wait for each other.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`staff phone ${phone}`}, 0))`);
    const owner = await findByPhone(tx, phone);
    if (owner !== undefined && owner.id !== staffId) return "taken";
  }
  const [row] = await tx
    .update(staffTable)
    .set({ phone })
    .where(and(eq(staffTable.id, staffId), isNull(staffTable.disabledAt)))
    .returning();
  return row === undefined ? undefined : toStaff(row);
}

/**
 * The failures of an account and of a source after `since`, newest first, under locks that make guesses of the same
 * account or source wait for each other. An account's own success forgives the failures before it; a source's does not,
 * or a guesser would log in to an account of his own now and then.
 */
export async function lockFailures(
  tx: Tx,
  { account, source, since }: { account: string; source: string; since: Date },
): Promise<{ accountFailures: Date[]; sourceFailures: Date[] }> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`login account ${account}`}, 0))`);
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`login source ${source}`}, 0))`);
  const attempts = loginAttemptsTable;
  const ofAccount = await tx
    .select({ at: attempts.at, succeeded: attempts.succeeded })
    .from(attempts)
    .where(and(eq(attempts.account, account), gt(attempts.at, since)))
    .orderBy(desc(attempts.at));
  const ofSource = await tx
    .select({ at: attempts.at })
    .from(attempts)
    .where(and(eq(attempts.source, source), gt(attempts.at, since), eq(attempts.succeeded, false)))
    .orderBy(desc(attempts.at));
  const lastSuccess = ofAccount.findIndex(({ succeeded }) => succeeded);
  return {
    accountFailures: (lastSuccess === -1 ? ofAccount : ofAccount.slice(0, lastSuccess)).map(({ at }) => at),
    sourceFailures: ofSource.map(({ at }) => at),
  };
}

export async function insertAttempt(
  tx: Tx,
  attempt: { id: string; account: string; source: string; at: Date },
): Promise<void> {
  await tx.insert(loginAttemptsTable).values(attempt);
}

export async function markAttemptSucceeded(tx: Tx, id: string): Promise<void> {
  await tx.update(loginAttemptsTable).set({ succeeded: true }).where(eq(loginAttemptsTable.id, id));
}

export async function insertSession(
  tx: Tx,
  session: { tokenSha256: Buffer; staffId: StaffId; createdAt: Date; expiresAt: Date },
): Promise<void> {
  await tx.insert(sessionsTable).values(session);
}

/** Whose session it is, when it is neither revoked nor expired and its owner is not disabled. */
export async function findSessionOwner(reader: Reader, tokenSha256: Buffer, now: Date): Promise<Staff | undefined> {
  const [row] = await reader
    .select({ staff: staffTable })
    .from(sessionsTable)
    .innerJoin(staffTable, eq(staffTable.id, sessionsTable.staffId))
    .where(
      and(
        eq(sessionsTable.tokenSha256, tokenSha256),
        isNull(sessionsTable.revokedAt),
        gt(sessionsTable.expiresAt, now),
        isNull(staffTable.disabledAt),
      ),
    );
  return row === undefined ? undefined : toStaff(row.staff);
}

/** Ends a session; a second time, or for an unknown token, nothing happens. Returns whose it was. */
export async function revokeSession(tx: Tx, tokenSha256: Buffer, now: Date): Promise<StaffId | undefined> {
  const [row] = await tx
    .update(sessionsTable)
    .set({ revokedAt: now })
    .where(and(eq(sessionsTable.tokenSha256, tokenSha256), isNull(sessionsTable.revokedAt)))
    .returning({ staffId: sessionsTable.staffId });
  return row?.staffId as StaffId | undefined;
}

export async function insertAudit(tx: Tx, entry: AuditEntry, at: Date): Promise<void> {
  await tx.insert(auditTable).values({ ...entry, at });
}

/** Newest first, before the given id; optionally of one subject only. */
export async function listAudit(
  reader: Reader,
  {
    limit,
    before,
    subject,
  }: { limit: number; before: bigint | undefined; subject: { kind: string; id: string } | undefined },
): Promise<AuditRecord[]> {
  return reader
    .select()
    .from(auditTable)
    .where(
      and(
        before === undefined ? undefined : lt(auditTable.id, before),
        subject === undefined ? undefined : eq(auditTable.subjectKind, subject.kind),
        subject === undefined ? undefined : eq(auditTable.subjectId, subject.id),
      ),
    )
    .orderBy(desc(auditTable.id))
    .limit(limit);
}

/** How often an actor did something to a subject since an instant: what a rate limit asks, inside its own transaction. */
export async function countAudit(
  tx: Tx,
  { action, subjectKind, subjectId, since }: { action: string; subjectKind: string; subjectId: string; since: Date },
): Promise<Date[]> {
  const rows = await tx
    .select({ at: auditTable.at })
    .from(auditTable)
    .where(
      and(
        eq(auditTable.subjectKind, subjectKind),
        eq(auditTable.subjectId, subjectId),
        eq(auditTable.action, action),
        gt(auditTable.at, since),
      ),
    )
    .orderBy(desc(auditTable.id));
  return rows.map(({ at }) => at);
}

/** Waits for every other act limited under the same name, until this transaction ends. */
export async function lockLimit(tx: Tx, name: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`limit ${name}`}, 0))`);
}

/** Forgets guesses and sessions that ended before the given instants. */
export async function sweep(
  tx: Tx,
  { attemptsBefore, sessionsBefore }: { attemptsBefore: Date; sessionsBefore: Date },
): Promise<void> {
  await tx.delete(loginAttemptsTable).where(lt(loginAttemptsTable.at, attemptsBefore));
  await tx.delete(sessionsTable).where(lt(sessionsTable.expiresAt, sessionsBefore));
}
