import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  TaskCancelledError,
  TimeoutStrategy,
  circuitBreaker,
  handleWhen,
  retry,
  timeout,
  type CircuitBreakerPolicy,
  type IBackoff,
  type IBackoffFactory,
  type IRetryBackoffContext,
} from "cockatiel";
import pThrottle from "p-throttle";
import { systemClock, type Clock } from "../kernel/time.ts";
import { Unreachable, exchange, prepareRequest, type PreparedRequest } from "./outbound-exchange.ts";
import { NoAnswer, NotSent, type OutboundHttp, type OutboundRequest, type OutboundResponse } from "./outbound.ts";

export interface OutboundSettings {
  /** Where paths begin; a path of its own is kept (`https://host/v1`). */
  readonly baseUrl: string;
  readonly clock?: Clock;
  /** For one attempt: until headers and body are here. */
  readonly timeoutMs?: number;
  /** After the first attempt. */
  readonly retriesMax?: number;
  /** What the provider allows; who would wait longer than `waitMaxMs` for a turn is not sent. */
  readonly rate?: { readonly requests: number; readonly perMs: number; readonly waitMaxMs?: number };
  /** So many bad ends in a row open the circuit; after the pause one request probes. */
  readonly breaker?: { readonly failuresMax?: number; readonly pauseMs?: number };
  /** Pauses between attempts: exponential with decorrelated jitter, about `firstMs` at first and never above `longestMs`. */
  readonly pauses?: { readonly firstMs?: number; readonly longestMs?: number };
  readonly observer?: OutboundObserver;
}

/** Told of every attempt, for metrics and logs. */
export interface OutboundObserver {
  attempted?(attempt: {
    readonly method: OutboundRequest["method"];
    readonly outcome: "answer" | "not_sent" | "no_answer";
    readonly status: number | undefined;
    readonly tookMs: number;
  }): void;
  circuit?(state: "closed" | "half_open" | "open"): void;
}

const TIMEOUT_MS = 10_000;
const RETRIES_MAX = 2;
/** A provider's short hiccup has fewer bad ends; a fallen one has them within seconds. */
const FAILURES_MAX = 8;
const PAUSE_MS = 15_000;
const FIRST_PAUSE_MS = 300;
/** Also the longest Retry-After that is waited for; who is asked to wait longer gets the answer, and a job to do so. */
const LONGEST_PAUSE_MS = 5_000;
const TURN_WAIT_MAX_MS = 5_000;

/**
 * Requests to one provider. Each instance has its own circuit and rate limit, so one rail's trouble is not another's.
 * An attempt waits its turn, then asks the circuit, then is sent under its time limit. `safe` requests are tried again
 * after no answer, 429, 502, 503 and 504; every request when nobody was reached. An open circuit or a full queue ends it
 * at once. When the attempts are used up the last answer or error is the caller's.
 */
export function makeOutboundHttp(settings: OutboundSettings): OutboundHttp {
  const { baseUrl, clock = systemClock, timeoutMs = TIMEOUT_MS, retriesMax = RETRIES_MAX, observer } = settings;
  const longestMs = settings.pauses?.longestMs ?? LONGEST_PAUSE_MS;
  const circuit = makeCircuit(settings);
  const takeTurn = makeTurns(settings.rate);

  const pauseAskedMs = (response: unknown): number | undefined =>
    isResponse(response) ? readRetryAfter(response.headers["retry-after"], clock) : undefined;
  const isWorthRepeating = (response: unknown): boolean =>
    isResponse(response) &&
    [429, 502, 503, 504].includes(response.status) &&
    (pauseAskedMs(response) ?? 0) <= longestMs;
  const backoff = honouring(
    pauseAskedMs,
    new ExponentialBackoff({ initialDelay: settings.pauses?.firstMs ?? FIRST_PAUSE_MS, maxDelay: longestMs }),
  );
  const wasUnreachable = handleWhen((error) => error instanceof Unreachable);
  const retries = {
    once: retry(wasUnreachable, { maxAttempts: retriesMax, backoff }),
    safe: retry(wasUnreachable.orType(NoAnswer).orWhenResult(isWorthRepeating), { maxAttempts: retriesMax, backoff }),
  };

  async function attempt(prepared: PreparedRequest, limitMs: number): Promise<OutboundResponse> {
    const beganAt = clock.now().getTime();
    const observe = (outcome: "answer" | "not_sent" | "no_answer", status?: number): void =>
      observer?.attempted?.({ method: prepared.method, outcome, status, tookMs: clock.now().getTime() - beganAt });
    try {
      // Aggressive: also a body that does not listen to its signal ends here.
      const answer = await timeout(limitMs, TimeoutStrategy.Aggressive).execute(({ signal }) =>
        exchange(prepared, signal),
      );
      observe("answer", answer.status);
      return answer;
    } catch (error) {
      observe(error instanceof NotSent ? "not_sent" : "no_answer");
      if (error instanceof TaskCancelledError)
        throw new NoAnswer(`${prepared.url.host}: no answer within ${String(limitMs)} ms`, { cause: error });
      throw error;
    }
  }

  return {
    async send(request) {
      const prepared = prepareRequest(request, baseUrl);
      // "Nobody has seen it" must be true of all attempts, not only of the last.
      let mayHaveArrived = false;
      try {
        return await retries[request.repeat].execute(async () => {
          try {
            const answer = await takeTurn(() =>
              circuit.execute(() => attempt(prepared, request.timeoutMs ?? timeoutMs)),
            );
            mayHaveArrived ||= answer.status !== 429;
            return answer;
          } catch (error) {
            mayHaveArrived ||= error instanceof NoAnswer;
            throw error;
          }
        });
      } catch (error) {
        const failure =
          error instanceof BrokenCircuitError
            ? new NotSent(`${prepared.url.host}: the circuit is open after many failures`, { cause: error })
            : error;
        if (mayHaveArrived && failure instanceof NotSent)
          throw new NoAnswer(`${failure.message}; an attempt before it may have arrived`, { cause: failure });
        throw failure;
      }
    },
  };
}

/**
 * Counts connections that fail, answers that do not come, and 5xx. A 500 with an object of JSON in it is the provider's
 * application speaking, and some say so that a payer still types the PIN (M-Pesa's query): that is no failure.
 */
function makeCircuit({ breaker, observer }: OutboundSettings): CircuitBreakerPolicy {
  const isFailing = (response: unknown): boolean =>
    isResponse(response) && response.status >= 500 && !(response.status === 500 && response.text.startsWith("{"));
  const circuit = circuitBreaker(
    handleWhen((error) => error instanceof Unreachable || error instanceof NoAnswer).orWhenResult(isFailing),
    {
      breaker: new ConsecutiveBreaker(breaker?.failuresMax ?? FAILURES_MAX),
      halfOpenAfter: breaker?.pauseMs ?? PAUSE_MS,
    },
  );
  circuit.onStateChange((state) => {
    if (state === CircuitState.Closed) observer?.circuit?.("closed");
    else observer?.circuit?.(state === CircuitState.HalfOpen ? "half_open" : "open");
  });
  return circuit;
}

type TakeTurn = (act: () => Promise<OutboundResponse>) => Promise<OutboundResponse>;

function makeTurns(rate: OutboundSettings["rate"]): TakeTurn {
  if (rate === undefined) return (act) => act();
  const { requests, perMs, waitMaxMs = TURN_WAIT_MAX_MS } = rate;
  const throttled = pThrottle({ limit: requests, interval: perMs, strict: true })(
    (act: () => Promise<OutboundResponse>) => act(),
  );
  // The queue moves at the rate, so its length is the time to wait.
  const waitingMax = Math.max(1, Math.floor((requests * waitMaxMs) / perMs));
  return async (act) => {
    if (throttled.queueSize >= waitingMax)
      throw new NotSent(`${String(throttled.queueSize)} requests wait already under the rate limit`);
    return throttled(act);
  };
}

type RetryBackoff = IBackoffFactory<IRetryBackoffContext<unknown>>;

/** The pause that the server asked for, or ours where it asked for none. */
function honouring(pauseAskedMs: (response: unknown) => number | undefined, ours: RetryBackoff): RetryBackoff {
  const wrap = (inner: RetryBackoff): RetryBackoff => ({
    next(context): IBackoff<IRetryBackoffContext<unknown>> {
      const step = inner.next(context);
      const asked = "value" in context.result ? pauseAskedMs(context.result.value) : undefined;
      return { duration: asked ?? step.duration, next: wrap(step).next };
    },
  });
  return wrap(ours);
}

/** Seconds or a date, in milliseconds from now. */
function readRetryAfter(header: string | undefined, clock: Clock): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.now().getTime());
}

function isResponse(value: unknown): value is OutboundResponse {
  return typeof value === "object" && value !== null && "status" in value && "headers" in value;
}
