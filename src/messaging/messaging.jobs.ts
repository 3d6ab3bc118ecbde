import { PermanentFailure, type Job, type Jobs } from "../platform/jobs.ts";
import { MESSAGE_TOPIC, type Messaging } from "./messaging.ts";

/** Often enough that an erased queue delays messages by minutes, seldom enough to cost nothing. */
const OVERDUE_SWEEP_MS = 60_000;

/**
 * Sends messages as their jobs arrive, at most `concurrency` at once, and looks every minute for messages whose jobs
 * were lost. Returns what ends the looking; the jobs themselves end with `jobs.close()`.
 */
export async function startMessageJobs({
  jobs,
  messaging,
  concurrency = 8,
  onFault = () => undefined,
}: {
  jobs: Pick<Jobs, "work">;
  messaging: Pick<Messaging, "send" | "releaseOverdue">;
  concurrency?: number;
  onFault?: (error: unknown) => void;
}): Promise<{ stop(): Promise<void> }> {
  await jobs.work(MESSAGE_TOPIC, (job) => sendMessage(messaging, job), { concurrency });
  let looking: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    looking = messaging.releaseOverdue().catch(onFault);
  }, OVERDUE_SWEEP_MS);
  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

/** The handler of one job. A job that names no message is dead at once: no later attempt will find one. */
export async function sendMessage(
  messaging: Pick<Messaging, "send">,
  { payload }: Pick<Job, "payload">,
): Promise<void> {
  const messageId: unknown =
    typeof payload === "object" && payload !== null && "messageId" in payload ? payload.messageId : undefined;
  if (typeof messageId !== "string") throw new PermanentFailure("The job names no message.");
  if ((await messaging.send(messageId)) === "unknown_message") {
    throw new PermanentFailure("There is no such message.");
  }
}
