import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import { raw, Router, type NextFunction, type Request, type Response } from "express";
import type { Currency } from "../kernel/money.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db } from "../platform/database.ts";
import { GroupFull, makeGroupCommit } from "../platform/group-commit.ts";
import * as store from "./callbacks.store.ts";
import type { FindPayable } from "./payments.ts";
import {
  CONFIRMATION_STORED,
  DARAJA_C2B,
  VALIDATION_ACCEPTED,
  factsHash,
  parseDarajaC2b,
  rejection,
  type ValidationRejection,
} from "./rails/daraja-c2b.ts";
import type { QuarantineReason } from "./rails/rail.ts";

export interface DarajaDoor {
  readonly router: Router;
  /** Waits until every callback that arrived is committed or refused. */
  idle(): Promise<void>;
}

type Door = "validation" | "confirmation";

export interface DoorObserver {
  callback(door: Door, outcome: string): void;
}

/** A C2B body has some 500 bytes; sixteen kilobytes leave room for any field Safaricom may add. */
const BODY_BYTES_MAX = 16 * 1024;
const GROUP_MAX = 500;
const WAITING_MAX = 20_000;
/** Refused bodies from outside the allow-list are kept for a person, but a flood of them may not fill the disk. */
const FOREIGN_KEPT_PER_MINUTE = 60;

/**
 * The door for M-Pesa C2B: POST {base}/{secret}/validation and /confirmation. M-Pesa signs nothing, so a caller is
 * verified by the secret in the path and by its address before a byte is parsed. A confirmation is answered with success
 * only when it is committed; nothing else happens in the request.
 */
export function makeDarajaDoor({
  db,
  clock,
  secret,
  allowedSources,
  shortcodes,
  currency,
  zone,
  sourceAddressOf,
  findPayable,
  observer,
}: {
  db: Db;
  clock: Clock;
  secret: string;
  /** Addresses and CIDR ranges; empty allows every source (only the secret protects then). */
  allowedSources: readonly string[];
  shortcodes: ReadonlySet<string>;
  currency: Currency;
  zone: string;
  sourceAddressOf: (request: Request) => string;
  findPayable: FindPayable;
  observer: DoorObserver;
}): DarajaDoor {
  const allows = makeAllowList(allowedSources);
  const secretHash = sha256(secret);
  const group = makeGroupCommit<store.VerifiedCallback, store.StoreOutcome>({
    commit: (callbacks) => store.storeCallbacks(db, callbacks),
    groupMax: GROUP_MAX,
    waitingMax: WAITING_MAX,
  });
  const foreign = { minute: 0, kept: 0 };

  function mayKeepForeign(): boolean {
    const minute = Math.floor(clock.now().getTime() / 60_000);
    if (minute !== foreign.minute) Object.assign(foreign, { minute, kept: 0 });
    foreign.kept += 1;
    return foreign.kept <= FOREIGN_KEPT_PER_MINUTE;
  }

  async function keep(
    request: Request,
    about: { door: Door; reason: QuarantineReason; detail: string; providerId: string | undefined },
  ): Promise<void> {
    await store.quarantine(db, {
      rail: DARAJA_C2B,
      ...about,
      sourceAddress: sourceAddressOf(request),
      raw: bytesOf(request),
      receivedAt: clock.now(),
    });
  }

  async function confirm(request: Request, response: Response): Promise<void> {
    const receivedAt = clock.now();
    const bytes = bytesOf(request);
    const parsed = parseDarajaC2b(bytes, { shortcodes, currency, zone, now: receivedAt });
    if (!parsed.ok) {
      const { reason, detail, providerId } = parsed;
      await keep(request, { door: "confirmation", reason, detail, providerId });
      observer.callback("confirmation", parsed.reason);
      response.status(400).json({ ...rejection(codeOf(parsed)), ResultDesc: `Rejected: ${parsed.detail}` });
      return;
    }
    const outcome = await group.add({
      event: parsed.event,
      factsHash: factsHash(parsed.event),
      raw: bytes,
      sourceAddress: sourceAddressOf(request),
      receivedAt,
    });
    observer.callback("confirmation", outcome);
    if (outcome === "conflict") {
      await keep(request, {
        door: "confirmation",
        reason: "conflict",
        detail: `${parsed.event.providerId} was received before with another amount, account or time.`,
        providerId: parsed.event.providerId,
      });
      response
        .status(409)
        .json({ ...rejection("C2B00016"), ResultDesc: "Rejected: this TransID was received before with other facts." });
      return;
    }
    response.json(CONFIRMATION_STORED);
  }

  async function validate(request: Request, response: Response): Promise<void> {
    const parsed = parseDarajaC2b(bytesOf(request), { shortcodes, currency, zone, now: clock.now() });
    const code = parsed.ok ? await refusalOf(parsed.event) : codeOf(parsed);
    observer.callback("validation", code ?? "accepted");
    // Safaricom wants HTTP 200 with a code for a refusal too; a malformed body is a 400 that a developer will notice.
    response
      .status(!parsed.ok && parsed.reason === "malformed" ? 400 : 200)
      .json(code === undefined ? VALIDATION_ACCEPTED : rejection(code));
  }

  async function refusalOf(event: {
    reference: string;
    amount: { minor: bigint; currency: Currency };
  }): Promise<ValidationRejection | undefined> {
    const payable = await findPayable(event.reference);
    switch (payable.kind) {
      case "unknown":
        return "C2B00012";
      case "ended":
        return "C2B00016";
      case "payable":
        if (payable.currency !== event.amount.currency) return "C2B00016";
        return event.amount.minor < payable.minimumMinor ? "C2B00013" : undefined;
    }
  }

  function verify(request: Request, _response: Response, next: NextFunction): void {
    const given = request.params["secret"];
    if (typeof given !== "string" || !timingSafeEqual(sha256(given), secretHash)) {
      next("router"); // as unknown as any other path
      return;
    }
    next();
  }

  async function verifySource(request: Request, response: Response, next: NextFunction): Promise<void> {
    const source = sourceAddressOf(request);
    if (allows(source)) {
      next();
      return;
    }
    const door: Door = request.path.endsWith("/validation") ? "validation" : "confirmation";
    observer.callback(door, "source_not_allowed");
    if (mayKeepForeign())
      await keep(request, {
        door,
        reason: "source_not_allowed",
        detail: "The caller's address is not on the allow-list.",
        providerId: undefined,
      });
    response.status(403).json({ ...rejection("C2B00016"), ResultDesc: "Rejected: this address may not call here." });
  }

  const router = Router();
  const body = raw({ type: () => true, limit: BODY_BYTES_MAX, inflate: false });
  router.post("/:secret/confirmation", verify, body, verifySource, confirm);
  router.post("/:secret/validation", verify, body, verifySource, validate);
  router.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) next(error);
    else if (error instanceof GroupFull)
      response
        .status(503)
        .set("Retry-After", "5")
        .json({ ...rejection("C2B00016"), ResultDesc: "Busy: send again." });
    else if (statusOf(error) === 413)
      response
        .status(413)
        .json({ ...rejection("C2B00016"), ResultDesc: `Rejected: a body has at most ${BODY_BYTES_MAX} bytes.` });
    else if (statusOf(error) === 415 || statusOf(error) === 400)
      response.status(400).json({ ...rejection("C2B00016"), ResultDesc: "Rejected: the body could not be read." });
    else next(error);
  });
  return { router, idle: group.idle };
}

const CODE_OF: Record<QuarantineReason, ValidationRejection> = {
  source_not_allowed: "C2B00016",
  malformed: "C2B00016",
  wrong_type: "C2B00016",
  amount_invalid: "C2B00013",
  currency_unexpected: "C2B00013",
  shortcode_unknown: "C2B00015",
  time_invalid: "C2B00016",
  conflict: "C2B00016",
};

/** M-Pesa tells the payer which of their entries was refused, so an unreadable field is named by its own code. */
const CODE_OF_FIELD: Readonly<Record<string, ValidationRejection>> = {
  MSISDN: "C2B00011",
  BillRefNumber: "C2B00012",
  TransAmount: "C2B00013",
  BusinessShortCode: "C2B00015",
};

function codeOf({ reason, field }: { reason: QuarantineReason; field: string | undefined }): ValidationRejection {
  return CODE_OF_FIELD[field ?? ""] ?? CODE_OF[reason];
}

const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();

const bytesOf = (request: Request): Uint8Array =>
  request.body instanceof Uint8Array ? request.body : new Uint8Array();

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "status" in error && typeof error.status === "number" ? error.status : undefined;
}

/** Accepts single addresses and CIDR ranges of both families; IPv4 inside IPv6 counts as IPv4. */
export function makeAllowList(entries: readonly string[]): (address: string) => boolean {
  if (entries.length === 0) return () => true;
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix] = entry.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    return list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
  };
}
