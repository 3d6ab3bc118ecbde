import { Router, type Request, type Response } from "express";
import { InvalidInput, NotFound, Refusal } from "../../kernel/refusal.ts";
import { HOUR_MS, SECOND_MS } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import type { Json } from "../../platform/idempotency.ts";
import type { OpenRails } from "../open-rails.ts";
import type { StatementReport } from "./statement-report.ts";
import type { RunningImport, StatementImports } from "./statement-imports.commands.ts";
import { STATEMENT_BYTES_MAX, type ImportOrder } from "./statements.commands.ts";

/** What a person did with a file, for the audit. */
export interface StatementAuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly subjectKind: string;
  readonly subjectId: string;
  readonly detail: Json;
}

/** The largest file over a line of four megabits. */
const RECEIVING_MS_MAX = HOUR_MS;
/** A sender that is silent so long is gone. */
const SILENCE_MS_MAX = 30 * SECOND_MS;
/**
 * A file of a hundred thousand lines is imported by then. For a longer one the person is not kept waiting: proxies and
 * clients give up after a minute or five, and would be told of a failure that is none.
 */
const ANSWER_WITHIN_MS = 20 * SECOND_MS;
const FILE_NAME_CHARACTERS_MAX = 255;

/**
 * The door for statement files: POST /{rail}?account=…&file=…[&mapping=…] with the file's bytes as the body. They go to
 * disk as they come, so a file of any size costs no memory, and one that does not come whole leaves nothing. The answer
 * is the whole report; an import that takes longer is answered 202 with its id, and goes on.
 */
export function makeStatementDoor({
  imports,
  rails,
  authorize,
  audit,
  allowSlow,
  onFault,
  answerWithinMs = ANSWER_WITHIN_MS,
}: {
  imports: StatementImports;
  rails: OpenRails;
  /** Who asks. Throws NotSignedIn, or Forbidden for who may not import. */
  authorize: (request: Request) => Promise<{ readonly actor: string }>;
  /** Writes into the import's own transaction. */
  audit: (tx: Tx, entry: StatementAuditEntry) => Promise<void>;
  allowSlow: (request: Request, timeoutMs: number) => void;
  /** Hears of faults that nobody waits for any more. */
  onFault: (error: unknown, importId: string) => void;
  answerWithinMs?: number;
}): Router {
  function orderOf(request: Request, actor: string): ImportOrder {
    const { rail } = request.params;
    const open = typeof rail === "string" ? rails.get(rail) : undefined;
    if (open === undefined) throw new NotFound("rail", "rail");
    const fileName = requireText(request, "file");
    if (fileName.length > FILE_NAME_CHARACTERS_MAX || /\p{Cc}/u.test(fileName))
      throw new InvalidInput(`A file name has at most ${FILE_NAME_CHARACTERS_MAX} characters.`, "file");
    const mapping = findText(request, "mapping");
    return {
      channel: open.rail.channel,
      shortcode: requireText(request, "account"),
      format: mapping === undefined ? "mpesa" : { mapping },
      fileName,
      actor,
      record: (tx, done) => audit(tx, { actor, ...auditOf(done) }),
    };
  }

  async function take(request: Request, response: Response): Promise<void> {
    const { actor } = await authorize(request);
    const order = orderOf(request, actor);
    assertBareFile(request);
    allowSlow(request, RECEIVING_MS_MAX);
    request.setTimeout(SILENCE_MS_MAX);
    // What is refused before its end must still be answered; the usual iterator would end the connection.
    const running = imports.begin(request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>, order);
    try {
      const report = await doneWithin(running, answerWithinMs);
      request.setTimeout(0);
      if (report !== undefined) {
        sendReport(response, report);
        return;
      }
      running.done.catch((error: unknown) => {
        if (!(error instanceof Refusal)) onFault(error, running.id);
      });
      response.status(202).json({ importId: running.id, state: "importing" });
    } catch (error) {
      // Who went away amid the upload hears no answer, and nothing is wrong on our side.
      if (request.destroyed && !request.complete) return;
      throw error;
    }
  }

  const router = Router();
  router.post("/:rail", take);
  return router;
}

/** The report, or undefined when it takes longer. The time begins when the file is here. */
async function doneWithin(running: RunningImport, waitMs: number): Promise<StatementReport | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = running.received.then(
    () =>
      new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), waitMs);
      }),
  );
  try {
    return await Promise.race([running.done, late]);
  } finally {
    clearTimeout(timer);
  }
}

function auditOf({ report, sha256 }: { report: StatementReport; sha256: string }): Omit<StatementAuditEntry, "actor"> {
  const { statementId, rail, shortcode, fileName, format, linesTotal, taken, known, refused, skipped } = report;
  const counts = { linesTotal, taken, known, refused, skipped };
  return {
    action: report.isRepeated ? "statement.repeat" : "statement.import",
    subjectKind: "statement",
    subjectId: statementId,
    detail: { rail, shortcode, fileName, format, sha256, ...counts },
  };
}

/** A form or a compressed body would reach the importer as a file with strange lines. */
function assertBareFile(request: Request): void {
  if (/^multipart\//i.test(request.get("content-type") ?? ""))
    throw new InvalidInput("Send the file's bytes as the body, not a form.", "file");
  if ((request.get("content-encoding") ?? "identity") !== "identity")
    throw new InvalidInput("Send the file's bytes as they are, not compressed.", "file");
  if (Number(request.get("content-length") ?? 0) > STATEMENT_BYTES_MAX)
    throw new InvalidInput(`This file is larger than ${STATEMENT_BYTES_MAX} bytes. Ask for a shorter period.`, "file");
}

function findText(request: Request, name: string): string | undefined {
  const value = request.query[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value.trim() === "") throw new InvalidInput(`Give ${name} once.`, name);
  return value.trim();
}

function requireText(request: Request, name: string): string {
  const value = findText(request, name);
  if (value === undefined) throw new InvalidInput(`Say the ${name} in the address: ?${name}=…`, name);
  return value;
}

/** Amounts travel as strings, since they may exceed what a JSON number carries. */
function sendReport(response: Response, report: StatementReport): void {
  const text = JSON.stringify(report, (_name, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  response.type("json").send(text);
}
