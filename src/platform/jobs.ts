import {
  createPostgresBackend,
  Queue,
  UnrecoverableError,
  Worker,
  type PostgresConnectionOptions,
  type PostgresQueueBackend,
} from "bullmq";
import { Redis } from "ioredis";

/** A job as its handler sees it. It may arrive more than once; `attempt` counts from 1. */
export interface Job {
  readonly id: string;
  readonly payload: unknown;
  readonly attempt: number;
}

/** A job that nobody will try again by itself. */
export interface DeadJob {
  readonly id: string;
  readonly payload: unknown;
  readonly attempts: number;
  readonly reason: string;
}

export interface Jobs {
  /** Adds all or none, within ten seconds. A job whose id the topic still knows, waiting, done or dead, is left as it is. */
  addAll(topic: string, jobs: readonly { readonly id: string; readonly payload: unknown }[]): Promise<void>;
  /**
   * Runs the handler for each job of the topic. One that throws is tried again after a growing pause, and is dead after
   * the last attempt; one that throws `PermanentFailure` is dead at once. Resolves when the worker is ready.
   */
  work(topic: string, handler: (job: Job) => Promise<void>, options: { concurrency: number }): Promise<void>;
  /** The dead jobs of a topic, newest first. */
  listDead(topic: string, listMax: number): Promise<DeadJob[]>;
  /** Gives a dead job all its attempts again; false when there is none of this id. */
  retryDead(topic: string, id: string): Promise<boolean>;
  /** Waits for the handlers that run, at most ten seconds, and lets go of every connection. */
  close(): Promise<void>;
}

/** Thrown by a handler when no later attempt can end otherwise. */
export class PermanentFailure extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PermanentFailure";
  }
}

export interface JobsOptions {
  /** With the first pause of five seconds, twelve attempts reach over almost three hours of a gateway's absence. */
  readonly attemptsMax?: number;
  readonly firstPauseMs?: number;
  /** Told when a job died: somebody has to look. */
  readonly onDead?: (topic: string, job: DeadJob) => void;
  /** Told of faults of the store's connections; they are mended without us. */
  readonly onFault?: (error: Error) => void;
}

const ADD_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 10_000;
/** A worker that died with its process is noticed after this long. */
const LOCK_MS = 30_000;
const STALLED_CHECK_MS = 15_000;
/** BullMQ gives a job up after its process died under it once; ours may die at any line, so it takes a real pattern. */
const STALLED_MAX = 20;
/** Enough to recognise what the relay adds again after a crash; what is older is recognised by the handler's own rows. */
const DONE_KEPT_MAX = 2_000;
const DEAD_KEPT_MAX = 100_000;
const SCHEMA = "jobs";

/** BullMQ takes no colon and no bare number in an id. */
function encodeId(id: string): string {
  return `k-${id.replaceAll("%", "%25").replaceAll(":", "%3A")}`;
}

function decodeId(encoded: string): string {
  return encoded.slice(2).replaceAll("%3A", ":").replaceAll("%25", "%");
}

interface Stored {
  readonly payload: unknown;
}

interface StoredJob {
  readonly id?: string | undefined;
  readonly data: Stored;
  readonly attemptsMade: number;
  readonly failedReason?: string;
}

interface OpenQueue {
  addBulk(jobs: { name: string; data: Stored; opts: ReturnType<typeof jobOptions> }[]): Promise<unknown>;
  getFailed(start: number, end: number): Promise<StoredJob[]>;
  getJob(
    id: string,
  ): Promise<{ isFailed(): Promise<boolean>; retry(state: "failed", options: object): Promise<void> } | undefined>;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

interface OpenWorker {
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "failed", listener: (job: StoredJob | undefined, error: Error) => void): unknown;
}

type Process = (job: StoredJob) => Promise<void>;

interface Store {
  queue(topic: string): OpenQueue;
  worker(topic: string, process: Process, concurrency: number): OpenWorker;
  close(): Promise<void>;
}

function jobOptions(id: string, { attemptsMax, firstPauseMs }: { attemptsMax: number; firstPauseMs: number }) {
  return {
    jobId: encodeId(id),
    attempts: attemptsMax,
    backoff: { type: "exponential", delay: firstPauseMs, jitter: 0.25 },
    removeOnComplete: { count: DONE_KEPT_MAX },
    removeOnFail: { count: DEAD_KEPT_MAX },
    stackTraceLimit: 0,
  };
}

function workerOptions(concurrency: number) {
  return {
    concurrency,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: STALLED_MAX,
    runRetryDelay: 1_000,
  };
}

/** BullMQ's tables live in a schema of their own and are made, once, by the login user. */
async function openPostgresStore(postgresUrl: string): Promise<Store> {
  const connection = (connectionsMax: number, migrate = false) => ({
    connectionString: postgresUrl,
    application_name: "washa-jobs",
    schema: SCHEMA,
    max: connectionsMax,
    migrate,
  });
  const migrator = new Queue(
    "migrate",
    { connection: connection(1, true), skipMetasUpdate: true },
    createPostgresBackend,
  );
  migrator.on("error", () => undefined);
  await migrator.waitUntilReady();
  await migrator.close();
  return {
    queue: (topic) =>
      new Queue<Stored, void, string, Stored, void, string, PostgresQueueBackend, PostgresConnectionOptions>(
        topic,
        { connection: connection(2) },
        createPostgresBackend,
      ),
    worker: (topic, process, concurrency) =>
      new Worker<Stored, void, string, PostgresQueueBackend, object, PostgresConnectionOptions>(
        topic,
        process,
        { connection: connection(Math.min(concurrency, 4) + 1), ...workerOptions(concurrency) },
        createPostgresBackend,
      ),
    close: () => Promise.resolve(),
  };
}

function openRedisStore(redisUrl: string, onFault: (error: Error) => void): Store {
  const connections: Redis[] = [];
  const connect = (retriesPerRequestMax: number | null): Redis => {
    const connection = new Redis(redisUrl, { maxRetriesPerRequest: retriesPerRequestMax, connectTimeout: 5_000 });
    connection.on("error", onFault);
    connections.push(connection);
    return connection;
  };
  return {
    // Whoever adds wants to know soon; a worker waits in blocking commands, which may never be given up.
    queue: (topic) => new Queue<Stored, void>(topic, { connection: connect(1), prefix: "washa" }),
    worker: (topic, process, concurrency) =>
      new Worker(topic, process, { connection: connect(null), prefix: "washa", ...workerOptions(concurrency) }),
    close() {
      for (const connection of connections) connection.disconnect();
      return Promise.resolve();
    },
  };
}

async function within<Value>(timeoutMs: number, what: string, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} took longer than ${String(timeoutMs)} ms.`)), timeoutMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Opens the job queue: on PostgreSQL by default, on Redis where its URL is given. The same promises hold on both: a job
 * runs at least once, and what cannot be done is kept where it can be seen.
 */
export async function openJobs(
  place: { readonly postgresUrl: string } | { readonly redisUrl: string },
  { attemptsMax = 12, firstPauseMs = 5_000, onDead = () => undefined, onFault = () => undefined }: JobsOptions = {},
): Promise<Jobs> {
  const store =
    "redisUrl" in place ? openRedisStore(place.redisUrl, onFault) : await openPostgresStore(place.postgresUrl);
  const queues = new Map<string, OpenQueue>();
  const workers: OpenWorker[] = [];

  function queueOf(topic: string): OpenQueue {
    let queue = queues.get(topic);
    if (queue === undefined) {
      queue = store.queue(topic);
      queue.on("error", onFault);
      queues.set(topic, queue);
    }
    return queue;
  }

  return {
    async addAll(topic, jobs) {
      if (jobs.length === 0) return;
      const bulk = jobs.map(({ id, payload }) => ({
        name: topic,
        data: { payload },
        opts: jobOptions(id, { attemptsMax, firstPauseMs }),
      }));
      await within(ADD_TIMEOUT_MS, `Adding ${String(jobs.length)} jobs to ${topic}`, queueOf(topic).addBulk(bulk));
    },
    async work(topic, handler, { concurrency }) {
      const process: Process = async ({ id = "", data, attemptsMade }) => {
        try {
          await handler({ id: decodeId(id), payload: data.payload, attempt: attemptsMade + 1 });
        } catch (error) {
          if (error instanceof PermanentFailure) throw new UnrecoverableError(error.message);
          throw error;
        }
      };
      const worker = store.worker(topic, process, concurrency);
      worker.on("error", onFault);
      worker.on("failed", (job, error) => {
        if (job === undefined || (job.attemptsMade < attemptsMax && !(error instanceof UnrecoverableError))) return;
        onDead(topic, describeDead(job));
      });
      workers.push(worker);
      await worker.waitUntilReady();
    },
    async listDead(topic, listMax) {
      return (await queueOf(topic).getFailed(0, listMax - 1)).map(describeDead);
    },
    async retryDead(topic, id) {
      const job = await queueOf(topic).getJob(encodeId(id));
      if (job === undefined || !(await job.isFailed())) return false;
      await job.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
      return true;
    },
    async close() {
      // A handler that hangs is left behind: its job is found stalled by whoever comes next.
      await Promise.all(
        workers.map((worker) =>
          within(CLOSE_TIMEOUT_MS, "Closing a worker", worker.close()).catch((error: unknown) => {
            onFault(error instanceof Error ? error : new Error(String(error)));
            return worker.close(true);
          }),
        ),
      );
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      await store.close();
    },
  };
}

function describeDead({ id = "", data, attemptsMade, failedReason = "" }: StoredJob): DeadJob {
  return { id: decodeId(id), payload: data.payload, attempts: attemptsMade, reason: failedReason };
}
