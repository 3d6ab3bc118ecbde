/**
 * The reports that follow each accepted message, in this order; "shuffled" sends the usual ones in any order and
 * repeats some, as real networks do.
 */
export type ReportPlan = readonly string[] | "shuffled";

export interface Reporter {
  report(id: string, number: string): void;
  reportTo(url: string | undefined): void;
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const USUAL = ["Sent", "Submitted", "Buffered", "Success"];
const POST_TIMEOUT_MS = 5_000;

/** Posts delivery reports one after another, as forms. One that is not answered well is given up, like the provider's. */
export function makeReporter({
  url,
  plan,
  chance,
}: {
  url: string | undefined;
  plan: ReportPlan;
  chance: () => number;
}): Reporter {
  let target = url;
  let stopped = false;
  let queue: Promise<void> = Promise.resolve();

  function statuses(): readonly string[] {
    if (plan !== "shuffled") return plan;
    return [...USUAL, USUAL[Math.floor(chance() * USUAL.length)] ?? "Sent"]
      .map((status) => ({ status, at: chance() }))
      .sort((left, right) => left.at - right.at)
      .map(({ status }) => status);
  }

  async function post(fields: Record<string, string>): Promise<void> {
    if (stopped || target === undefined) return;
    const body = new URLSearchParams(fields);
    await fetch(target, { method: "POST", body, signal: AbortSignal.timeout(POST_TIMEOUT_MS) }).then(
      (response) => response.arrayBuffer(),
      () => undefined,
    );
  }

  return {
    report(id, number) {
      for (const status of statuses()) {
        const failure = status === "Failed" || status === "Rejected" ? { failureReason: "AbsentSubscriber" } : {};
        const fields = { id, status, phoneNumber: number, networkCode: "63902", retryCount: "0", ...failure };
        queue = queue.then(() => post(fields));
      }
    },
    reportTo(next) {
      target = next;
    },
    settled: () => queue,
    async stop() {
      stopped = true;
      await queue;
    },
  };
}
