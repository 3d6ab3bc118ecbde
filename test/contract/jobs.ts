import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { PermanentFailure, type DeadJob, type Job, type Jobs, type JobsOptions } from "../../src/platform/jobs.ts";

/** Something that happens later, for a test to wait for instead of sleeping. */
function makeEvent<Value>(): { happened: Promise<Value>; happen(value: Value): void } {
  const { promise, resolve } = Promise.withResolvers<Value>();
  return { happened: promise, happen: resolve };
}

/** What every job queue promises, whatever store is behind it. The opener may be asked several times for the same store. */
export function describeJobs(open: (options: JobsOptions) => Promise<Jobs>): void {
  const opened: Jobs[] = [];
  const openHere = async (options: JobsOptions = {}): Promise<Jobs> => {
    const jobs = await open({ attemptsMax: 3, firstPauseMs: 1, ...options });
    opened.push(jobs);
    return jobs;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((jobs) => jobs.close()));
  });

  test("every job reaches its handler once with its id and payload, whatever characters they hold", async () => {
    const jobs = await openHere();
    const topic = `contract.${randomUUID()}`;
    const ids = ["message:receipt:1", "42", "a%3Ab%", "é 😀", "plain"];
    const seen: Job[] = [];
    const all = makeEvent<undefined>();
    await jobs.work(
      topic,
      (job) => {
        seen.push(job);
        if (seen.length === ids.length) all.happen(undefined);
        return Promise.resolve();
      },
      { concurrency: 1 },
    );
    await jobs.addAll(
      topic,
      ids.map((id) => ({ id, payload: { of: id, deep: [1, null, "x"] } })),
    );
    await all.happened;
    expect(seen).toEqual(ids.map((id) => ({ id, payload: { of: id, deep: [1, null, "x"] }, attempt: 1 })));
  });

  test("a job added again, while it waits or after it is done, runs once", async () => {
    const jobs = await openHere();
    const topic = `contract.${randomUUID()}`;
    const seen: string[] = [];
    const events = { first: makeEvent<undefined>(), second: makeEvent<undefined>() };
    await jobs.addAll(topic, [{ id: "twice", payload: 1 }]);
    await jobs.addAll(topic, [
      { id: "twice", payload: 2 },
      { id: "first", payload: 1 },
    ]);
    await jobs.work(
      topic,
      ({ id }) => {
        seen.push(id);
        if (id === "first" || id === "second") events[id].happen(undefined);
        return Promise.resolve();
      },
      { concurrency: 1 },
    );
    await events.first.happened;
    await jobs.addAll(topic, [
      { id: "twice", payload: 3 },
      { id: "second", payload: 1 },
    ]);
    await events.second.happened;
    expect(seen).toEqual(["twice", "first", "second"]);
  });

  test("a job that keeps failing is tried as often as was said, then kept where it is seen, and holds up nobody", async () => {
    const dead = makeEvent<DeadJob>();
    const jobs = await openHere({ onDead: (_topic, job) => dead.happen(job) });
    const topic = `contract.${randomUUID()}`;
    const attempts: number[] = [];
    const other = makeEvent<undefined>();
    let mended = false;
    const again = makeEvent<number>();
    await jobs.work(
      topic,
      ({ id, attempt }) => {
        if (id === "good") other.happen(undefined);
        else if (mended) again.happen(attempt);
        else {
          attempts.push(attempt);
          throw new Error("the gateway is away");
        }
        return Promise.resolve();
      },
      { concurrency: 1 },
    );
    await jobs.addAll(topic, [
      { id: "bad", payload: { n: 1 } },
      { id: "good", payload: { n: 2 } },
    ]);
    await other.happened;
    const expected = { id: "bad", payload: { n: 1 }, attempts: 3, reason: "the gateway is away" };
    expect(await dead.happened).toEqual(expected);
    expect(attempts).toEqual([1, 2, 3]);
    expect(await jobs.listDead(topic, 10)).toEqual([expected]);

    mended = true;
    expect(await jobs.retryDead(topic, "good")).toBe(false);
    expect(await jobs.retryDead(topic, "never added")).toBe(false);
    expect(await jobs.retryDead(topic, "bad")).toBe(true);
    expect(await again.happened).toBe(1);
  });

  test("a job that can never succeed is not tried again", async () => {
    const dead = makeEvent<DeadJob>();
    const jobs = await openHere({ onDead: (_topic, job) => dead.happen(job) });
    const topic = `contract.${randomUUID()}`;
    let calls = 0;
    await jobs.work(
      topic,
      () => {
        calls++;
        throw new PermanentFailure("there is no such message");
      },
      { concurrency: 1 },
    );
    await jobs.addAll(topic, [{ id: "hopeless", payload: {} }]);
    expect(await dead.happened).toMatchObject({ id: "hopeless", attempts: 1, reason: "there is no such message" });
    expect(calls).toBe(1);
  });

  test("no more jobs run at once than the worker was allowed", async () => {
    const jobs = await openHere();
    const topic = `contract.${randomUUID()}`;
    const all = makeEvent<undefined>();
    let [running, mostAtOnce, done] = [0, 0, 0];
    await jobs.addAll(
      topic,
      Array.from({ length: 12 }, (_, at) => ({ id: `job-${String(at)}`, payload: at })),
    );
    await jobs.work(
      topic,
      async () => {
        mostAtOnce = Math.max(mostAtOnce, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (++done === 12) all.happen(undefined);
      },
      { concurrency: 3 },
    );
    await all.happened;
    expect(mostAtOnce).toBeLessThanOrEqual(3);
  });

  test("a job waits for a worker that starts after the one who added it is gone", async () => {
    const topic = `contract.${randomUUID()}`;
    const adder = await open({});
    await adder.addAll(topic, [{ id: "patient", payload: "kept" }]);
    await adder.close();
    const seen = makeEvent<Job>();
    const jobs = await openHere();
    await jobs.work(
      topic,
      (job) => {
        seen.happen(job);
        return Promise.resolve();
      },
      { concurrency: 1 },
    );
    expect(await seen.happened).toEqual({ id: "patient", payload: "kept", attempt: 1 });
  });
}
