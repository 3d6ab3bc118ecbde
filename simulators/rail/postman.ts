import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { OutgoingDelivery } from "./face.ts";
import type { Sending, SendingKind } from "./news.ts";
import type { Timetable } from "./timetable.ts";

/**
 * `waiting`: not sent yet, or tried and tried again later. `accepted`: answered 2xx. `refused`: answered otherwise, for
 * the last time. `unanswered`: no answer, for the last time. `dropped`: never sent.
 */
export type DeliveryResult = "waiting" | "accepted" | "refused" | "unanswered" | "dropped";

/** What became of one delivery. */
export interface DeliveryRecord {
  readonly channel: string;
  readonly kind: SendingKind;
  /** What it tells of; undefined where the face delivers something else. */
  readonly transactionId: string | undefined;
  readonly delivery: OutgoingDelivery;
  result: DeliveryResult;
  attempts: number;
  /** Of the last answer. */
  status: number | undefined;
  answer: string | undefined;
  lastAt: Date | undefined;
}

/** Carries deliveries to our program, for real, and notes what it answers. */
export interface Postman {
  send(sending: Sending, about: { channel: string; transactionId: string | undefined }): DeliveryRecord;
  /** Notes what is never sent. */
  drop(delivery: OutgoingDelivery, about: { channel: string; transactionId: string | undefined }): DeliveryRecord;
  readonly records: readonly DeliveryRecord[];
  stop(): Promise<void>;
}

/** Growing pauses between attempts of a provider that tries again: half a minute, one, two … up to an hour. */
const RETRY_FIRST_MS = 30_000;
const RETRY_MOST_MS = 3_600_000;
const ANSWER_BYTES_MAX = 65_536;
/** A simulator that runs for weeks forgets its oldest deliveries. */
const RECORDS_MAX = 200_000;

class StaleConnection extends Error {}

/** `onAttempt` hears of each attempt when it is over. */
export function makePostman({
  timetable,
  timeoutMs,
  onAttempt = () => undefined,
}: {
  timetable: Timetable;
  timeoutMs: number;
  onAttempt?: ((record: DeliveryRecord) => void) | undefined;
}): Postman {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  const records: DeliveryRecord[] = [];
  const giveUp = new AbortController();
  const underWay = new Set<Promise<void>>();

  function note(record: Pick<DeliveryRecord, "channel" | "kind" | "transactionId" | "delivery" | "result">) {
    const whole: DeliveryRecord = {
      ...record,
      attempts: 0,
      status: undefined,
      answer: undefined,
      lastAt: undefined,
    };
    if (records.length >= RECORDS_MAX) records.shift();
    records.push(whole);
    return whole;
  }

  async function attempt(record: DeliveryRecord): Promise<void> {
    if (giveUp.signal.aborted) return;
    record.attempts++;
    record.lastAt = timetable.now();
    const answered = await post(record.delivery)
      .catch((error: unknown) => {
        // Our program closed an idle connection just as it was used again: nobody has read the request.
        if (!(error instanceof StaleConnection)) throw error;
        return post(record.delivery);
      })
      .catch(() => undefined);
    record.status = answered?.status;
    record.answer = answered?.body;
    const isOver = record.attempts > record.delivery.retriesMax;
    if (answered !== undefined && answered.status >= 200 && answered.status < 300) record.result = "accepted";
    else if (isOver) record.result = answered === undefined ? "unanswered" : "refused";
    else timetable.after(Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (record.attempts - 1)), () => carry(record));
    onAttempt(record);
  }

  /** Known to `stop`, which waits for it. */
  function carry(record: DeliveryRecord): Promise<void> {
    const done = attempt(record).finally(() => underWay.delete(done));
    underWay.add(done);
    return done;
  }

  function post({
    method,
    url,
    headers,
    headersNow,
    body,
  }: OutgoingDelivery): Promise<{ status: number; body: string }> {
    const target = new URL(url);
    const isSafe = target.protocol === "https:";
    const signal = AbortSignal.any([giveUp.signal, AbortSignal.timeout(timeoutMs)]);
    return new Promise((resolve, reject) => {
      const options = {
        method,
        headers: { ...headers, ...headersNow?.(), "content-length": Buffer.byteLength(body) },
        agent: isSafe ? agents.https : agents.http,
        signal,
      };
      const request = (isSafe ? requestHttps : requestHttp)(target, options, (response) => {
        let answer = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          if (answer.length < ANSWER_BYTES_MAX) answer += piece;
        });
        response.once("end", () => resolve({ status: response.statusCode ?? 0, body: answer }));
        response.once("error", reject);
      });
      request.once("error", (error: NodeJS.ErrnoException) => {
        reject(request.reusedSocket && error.code === "ECONNRESET" ? new StaleConnection() : error);
      });
      request.end(body);
    });
  }

  return {
    send({ kind, delivery, afterMs }, about) {
      const record = note({ ...about, kind, delivery, result: "waiting" });
      timetable.after(afterMs, () => carry(record));
      return record;
    },
    drop: (delivery, about) => note({ ...about, kind: "genuine", delivery, result: "dropped" }),
    records,
    async stop() {
      giveUp.abort();
      await Promise.all(underWay);
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
