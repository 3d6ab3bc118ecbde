import { PermanentFailure, type Job, type Jobs } from "../platform/jobs.ts";
import { HEARD_TOPIC, type Chats } from "./chats.commands.ts";

/** Often enough that an erased queue delays answers by minutes, seldom enough to cost nothing. */
const OVERDUE_SWEEP_MS = 60_000;

/**
 * Answers messages as their jobs arrive, at most `concurrency` at once, and looks every minute for messages whose jobs were
 * lost. Returns what ends the looking; the jobs themselves end with `jobs.close()`.
 */
export async function startChatJobs({
  jobs,
  chats,
  concurrency = 8,
  onFault = () => undefined,
}: {
  jobs: Pick<Jobs, "work">;
  chats: Pick<Chats, "answer" | "releaseOverdue">;
  concurrency?: number;
  onFault?: (error: unknown) => void;
}): Promise<{ stop(): Promise<void> }> {
  await jobs.work(HEARD_TOPIC, (job) => answerHeard(chats, job), { concurrency });
  let looking: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    looking = chats.releaseOverdue().catch(onFault);
  }, OVERDUE_SWEEP_MS);
  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

/** The handler of one job. A job that names no message is dead at once: no later attempt will find one. */
export async function answerHeard(chats: Pick<Chats, "answer">, { payload }: Pick<Job, "payload">): Promise<void> {
  const heardId: unknown =
    typeof payload === "object" && payload !== null && "heardId" in payload ? payload.heardId : undefined;
  if (typeof heardId !== "string" || !/^\d{1,18}$/.test(heardId))
    throw new PermanentFailure("The job names no message.");
  if ((await chats.answer(heardId)) === "unknown_message") throw new PermanentFailure("There is no such message.");
}
