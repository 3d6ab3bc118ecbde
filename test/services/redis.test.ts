import { randomUUID } from "node:crypto";
import { Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

const { redisUrl } = inject("services");

describe.skipIf(redisUrl === undefined)("Redis", () => {
  // BullMQ's workers wait in blocking commands, which ioredis must not give up on by itself.
  const connect = (): Redis => new Redis(redisUrl ?? "", { maxRetriesPerRequest: null });
  let redis: Redis;

  beforeAll(() => {
    redis = connect();
  });
  afterAll(async () => {
    await redis.quit();
  });

  test("the server answers", async () => {
    expect(await redis.ping()).toBe("PONG");
  });

  test("the server never evicts a job to make room", async () => {
    expect(await redis.config("GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
  });

  test("a job put into a queue comes out of it once, with its data and its answer", async () => {
    const name = `services-${randomUUID()}`;
    const connections = [connect(), connect(), connect()] as const;
    const queue = new Queue<{ messageId: string }, string>(name, { connection: connections[0] });
    const events = new QueueEvents(name, { connection: connections[1] });
    const seen: string[] = [];
    const worker = new Worker<{ messageId: string }, string>(
      name,
      (job) => {
        seen.push(job.data.messageId);
        return Promise.resolve(`sent ${job.data.messageId}`);
      },
      { connection: connections[2] },
    );
    try {
      await events.waitUntilReady();
      const job = await queue.add("send", { messageId: "m-1" }, { jobId: "m-1" });
      await queue.add("send", { messageId: "m-1" }, { jobId: "m-1" });
      expect(await job.waitUntilFinished(events, 10_000)).toBe("sent m-1");
      expect(seen).toEqual(["m-1"]);
    } finally {
      await worker.close();
      await events.close();
      await queue.obliterate({ force: true });
      await queue.close();
      for (const connection of connections) connection.disconnect();
    }
  });
});
