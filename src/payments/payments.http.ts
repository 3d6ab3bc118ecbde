import { createHash, timingSafeEqual } from "node:crypto";
import { sql } from "drizzle-orm";
import { raw, Router, type NextFunction, type Request, type Response } from "express";
import type { Clock } from "../kernel/time.ts";
import { sqlStateOf, type Db } from "../platform/database.ts";
import { GroupFull, makeGroupCommit } from "../platform/group-commit.ts";
import { makeAllowList } from "../platform/allow-list.ts";
import type { Arrival, ArrivalOutcome } from "./inbox/arrivals.ts";
import { storeArrivals } from "./inbox/arrivals.store.ts";
import { findRemembered } from "./requests/intents.store.ts";
import type { OpenRail, OpenRails } from "./open-rails.ts";
import type { FindPayable } from "./payments.ts";
import { quarantine } from "./inbox/quarantine.store.ts";
import type { Answer, Delivery, Door, Outcome, QuarantineReason, Report, Verdict } from "./rails/rail.ts";

export interface RailDoors {
  readonly router: Router;
  /** Waits until every delivery that arrived is committed or refused. */
  idle(): Promise<void>;
}

export interface DoorObserver {
  callback(rail: string, door: string, outcome: string): void;
}

/** The largest bodies have some two kilobytes; sixteen leave room for any field that a provider may add. */
const BODY_BYTES_MAX = 16 * 1024;
const GROUP_MAX = 500;
const WAITING_MAX = 20_000;
/** A payment that a long import has written and not committed is held for minutes; no provider waits that long for an answer. */
const LOCK_WAIT_MS = 3_000;
/** For those of a group that has waited already: each is tried alone, and all of them wait for the held ones. */
const SECOND_LOCK_WAIT_MS = 50;
const LOCK_NOT_AVAILABLE = "55P03";
/** What strangers send is kept for a person, but a flood of it may not fill the disk. */
const FOREIGN_KEPT_PER_MINUTE = 60;

/** What the check of the path found, for the handlers behind it. */
interface Found {
  readonly place: Place;
  readonly door: Door;
}

interface Place {
  readonly open: OpenRail;
  readonly allows: (address: string) => boolean;
  readonly secretHash: Uint8Array;
}

/**
 * The doors of all rails: POST or PUT {base}/{path}/{secret}/{door}[/{parameter}]. The secret and the caller's address are
 * checked before a byte is read, then the adapter verifies the raw bytes and only then parses them. A notice is answered
 * with success when it is committed; nothing else happens in the request.
 */
export function makeRailDoors({
  db,
  clock,
  rails,
  publicUrl,
  sourceAddressOf,
  findPayable,
  observer,
}: {
  db: Db;
  clock: Clock;
  rails: OpenRails;
  /** How providers reach us: signatures may cover the address. Known once we listen. */
  publicUrl: () => string;
  sourceAddressOf: (request: Request) => string;
  findPayable: FindPayable;
  observer: DoorObserver;
}): RailDoors {
  const places = new Map(
    [...rails.values()].map((open): [string, Place] => [
      open.config.path,
      { open, allows: makeAllowList(open.config.sources), secretHash: sha256(open.config.secret) },
    ]),
  );
  const group = makeGroupCommit<readonly Arrival[], readonly ArrivalOutcome[]>({
    commit: makeStoreDeliveries(db),
    groupMax: GROUP_MAX,
    waitingMax: WAITING_MAX,
  });
  const foreign = new Map<string, { minute: number; kept: number }>();

  /** Bounded for each rail apart: a flood at one door may not hide what strangers try at another. */
  function mayKeepForeign(rail: string): boolean {
    const minute = Math.floor(clock.now().getTime() / 60_000);
    const before = foreign.get(rail);
    const kept = before?.minute === minute ? before.kept + 1 : 1;
    foreign.set(rail, { minute, kept });
    return kept <= FOREIGN_KEPT_PER_MINUTE;
  }

  async function refuse(
    { open, delivery, request }: { open: OpenRail; delivery: Delivery; request: Request },
    about: { reason: QuarantineReason; detail: string; providerId?: string | undefined; isForeign?: boolean },
  ): Promise<void> {
    const { name } = open.config;
    observer.callback(name, delivery.door, about.reason);
    if (about.isForeign === true && !mayKeepForeign(name)) return;
    await quarantine(db, {
      rail: name,
      door: delivery.door,
      reason: about.reason,
      detail: about.detail,
      providerId: about.providerId,
      sourceAddress: sourceAddressOf(request),
      raw: delivery.raw,
      receivedAt: delivery.receivedAt,
    });
  }

  async function answerQuestion(open: OpenRail, reports: readonly Report[]): Promise<Outcome> {
    const [report] = reports;
    if (report === undefined) return { kind: "account_unknown" };
    const payable = await findPayable(report.reference);
    if (payable.kind === "unknown") return { kind: "account_unknown" };
    if (payable.kind === "ended") return { kind: "contract_ended" };
    if (payable.currency !== open.config.currency) return { kind: "currency_differs" };
    return { kind: (report.amount?.minor ?? 0n) < payable.minimumMinor ? "amount_too_small" : "payable" };
  }

  async function take(open: OpenRail, door: Door, request: Request): Promise<{ delivery: Delivery; outcome: Outcome }> {
    const delivery = deliveryOf(request, { door: door.name, publicUrl: publicUrl(), receivedAt: clock.now() });
    const where = { open, delivery, request };
    const verdict = await open.rail.verify(delivery, (by) => findRemembered(db, { rail: open.config.name, ...by }));
    if (verdict.trust === "refused") {
      await refuse(where, { ...verdict, isForeign: true });
      return { delivery, outcome: { kind: "not_allowed", detail: verdict.detail } };
    }
    const parsed = open.rail.parse(delivery);
    if (!parsed.ok) {
      if (door.kind === "notice") await refuse(where, parsed);
      else observer.callback(open.config.name, door.name, parsed.reason);
      return { delivery, outcome: { kind: "unusable", ...parsed } };
    }
    if (door.kind === "question") {
      const outcome = await answerQuestion(open, parsed.reports);
      observer.callback(open.config.name, door.name, outcome.kind);
      return { delivery, outcome };
    }
    const arrivals = parsed.reports.map((report): Arrival => ({
      rail: open.config.name,
      form: door.name,
      source: "callback",
      isEvidence: isEvidence(open, verdict),
      report,
      raw: delivery.raw,
      sourceAddress: sourceAddressOf(request),
      receivedAt: delivery.receivedAt,
    }));
    const outcomes = arrivals.length === 0 ? [] : await group.add(arrivals);
    const conflict = outcomes.indexOf("conflict");
    const kind =
      conflict >= 0
        ? "conflict"
        : outcomes.every((one) => one === "repeated") && outcomes.length > 0
          ? "repeated"
          : "stored";
    if (kind === "conflict") {
      const providerId = arrivals[conflict]?.report.transactionReference;
      await refuse(where, {
        reason: "conflict",
        detail: `${providerId ?? "A transaction"} was received before with another amount, account or time.`,
        providerId,
      });
    } else observer.callback(open.config.name, door.name, kind);
    return { delivery, outcome: { kind } };
  }

  function placeOf(request: Request): Found | undefined {
    const { path, secret, door: name, parameter } = request.params;
    const place = typeof path === "string" ? places.get(path) : undefined;
    if (place === undefined || typeof secret !== "string" || !timingSafeEqual(sha256(secret), place.secretHash))
      return undefined;
    const door = place.open.rail.doors.find((one) => one.name === name);
    if (door?.parameter === "none" && parameter !== undefined) return undefined;
    return door?.methods.some((method) => method === request.method) === true ? { place, door } : undefined;
  }

  /** Who does not know the secret finds a page as unknown as any other. */
  function verifyPath(request: Request, response: Response<unknown, Found>, next: NextFunction): void {
    const found = placeOf(request);
    if (found === undefined) {
      next("router");
      return;
    }
    Object.assign(response.locals, found);
    next();
  }

  async function handle(request: Request, response: Response<unknown, Found>): Promise<void> {
    const { place, door } = response.locals;
    if (!place.allows(sourceAddressOf(request))) {
      const delivery = deliveryOf(request, { door: door.name, publicUrl: publicUrl(), receivedAt: clock.now() });
      const detail = "The caller's address is not on the allow-list.";
      await refuse({ open: place.open, delivery, request }, { reason: "source_not_allowed", detail, isForeign: true });
      send(
        response,
        place.open.rail.answer(delivery, { kind: "not_allowed", detail: "this address may not call here" }),
      );
      return;
    }
    const { delivery, outcome } = await take(place.open, door, request);
    send(response, place.open.rail.answer(delivery, outcome));
  }

  function handleFailure(
    error: unknown,
    request: Request,
    response: Response<unknown, Partial<Found>>,
    next: NextFunction,
  ): void {
    const { place, door } = response.locals;
    const outcome = outcomeOfFailure(error);
    if (response.headersSent || place === undefined || door === undefined || outcome === undefined) {
      next(error);
      return;
    }
    const { rail } = place.open;
    const delivery = deliveryOf(request, { door: door.name, publicUrl: publicUrl(), receivedAt: clock.now() });
    const answer = rail.answer(delivery, outcome);
    const status = statusOf(error) === 413 ? 413 : answer.status;
    send(response, { ...answer, status });
  }

  const router = Router();
  const body = raw({ type: () => true, limit: BODY_BYTES_MAX, inflate: false });
  router.all("/:path/:secret/:door{/:parameter}", verifyPath, body, handle);
  router.use(handleFailure);
  return { router, idle: group.idle };
}

/**
 * Deliveries of a group are stored together; each hears of its own reports. Nobody waits long for a payment that another
 * transaction holds: after the wait the group fails, its deliveries come again one by one, and only the held ones fail.
 */
function makeStoreDeliveries(
  db: Db,
): (deliveries: readonly (readonly Arrival[])[]) => Promise<readonly (readonly ArrivalOutcome[])[]> {
  let waitedBefore = 0;
  return async (deliveries) => {
    const isSecondTry = deliveries.length === 1 && waitedBefore > 0;
    waitedBefore = isSecondTry ? waitedBefore - 1 : 0;
    try {
      const outcomes = await storeWithin(db, isSecondTry ? SECOND_LOCK_WAIT_MS : LOCK_WAIT_MS, deliveries.flat());
      let from = 0;
      return deliveries.map(({ length }) => outcomes.slice(from, (from += length)));
    } catch (error) {
      if (deliveries.length > 1 && sqlStateOf(error) === LOCK_NOT_AVAILABLE) waitedBefore = deliveries.length;
      throw error;
    }
  };
}

function storeWithin(db: Db, lockWaitMs: number, arrivals: readonly Arrival[]): Promise<readonly ArrivalOutcome[]> {
  return db.transaction(async (tx) => {
    // Sent at once and awaited with the rest, so that the limit costs no exchange of its own. Both have ended before the
    // transaction does: a statement that is still under way would run outside of it.
    const limit = tx.execute(sql.raw(`set local lock_timeout = ${lockWaitMs}`)).then(() => undefined);
    const [limited, stored] = await Promise.allSettled([limit, storeArrivals(tx, arrivals)]);
    if (limited.status === "rejected") throw limited.reason;
    if (stored.status === "rejected") throw stored.reason;
    return stored.value;
  });
}

/** A callback is booked as it comes only when the rail's callbacks carry proof, or the operator trusts its secret address. */
function isEvidence({ rail, config }: OpenRail, verdict: Verdict): boolean {
  if (rail.callbackIs === "hint") return false;
  return verdict.trust === "signed" || !config.confirmByEnquiry;
}

function deliveryOf(
  request: Request,
  { door, publicUrl, receivedAt }: { door: string; publicUrl: string; receivedAt: Date },
): Delivery {
  const parameter = request.params["parameter"];
  return {
    door,
    parameter: typeof parameter === "string" ? parameter.slice(0, 200) : undefined,
    method: request.method,
    url: `${publicUrl.replace(/\/$/, "")}${request.originalUrl}`,
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(", ") : (value ?? ""),
      ]),
    ),
    raw: request.body instanceof Uint8Array ? request.body : new Uint8Array(),
    receivedAt,
  };
}

function outcomeOfFailure(error: unknown): Outcome | undefined {
  if (error instanceof GroupFull || sqlStateOf(error) === LOCK_NOT_AVAILABLE) return { kind: "busy" };
  const unreadable = (detail: string): Outcome => ({ kind: "unusable", reason: "malformed", field: undefined, detail });
  const status = statusOf(error);
  if (status === 413) return unreadable(`a body has at most ${BODY_BYTES_MAX} bytes`);
  return status === 400 || status === 415 ? unreadable("the body could not be read") : undefined;
}

function send(response: Response<unknown>, { status, body, headers = {} }: Answer): void {
  response.status(status).set(headers);
  if (body === undefined) response.end();
  else if (typeof body === "string") response.type("text/plain").send(body);
  else response.json(body);
}

const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "status" in error && typeof error.status === "number" ? error.status : undefined;
}
