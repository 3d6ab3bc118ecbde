import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isChdbInstalled } from "../../../src/platform/history/chdb-engine.ts";
import { HistoryAway, openHistory, type History } from "../../../src/platform/history/history.ts";
import { describeHistory } from "../../contract/history.ts";

describe.skipIf(!isChdbInstalled())(
  "the embedded engine behind its HTTP front (needs the optional package chdb)",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "washa-front-"));
    let history: History;
    const front = (): { url: string; password: string } =>
      JSON.parse(readFileSync(join(folder, "front.json"), "utf8")) as { url: string; password: string };
    beforeAll(async () => {
      history = openHistory({ folder, owns: true, pauses: { firstMs: 20, longestMs: 200 } });
      history.start();
      await history.settled();
    });
    afterAll(async () => {
      await history.close();
      rmSync(folder, { recursive: true, force: true });
    });

    describe.each([{ compressed: false }, { compressed: true }])(
      "as a server, compressed: $compressed",
      ({ compressed }) => {
        describeHistory(
          () => {
            const client = createClient({
              url: front().url,
              password: front().password,
              log: { level: ClickHouseLogLevel.OFF },
              compression: { request: compressed, response: compressed },
            });
            return Promise.resolve({
              client,
              topology: { cluster: undefined, database: `contract_${randomUUID().replaceAll("-", "")}` },
              close: () => client.close(),
            });
          },
          { binaryInserts: true, settingsPerStatement: true },
        );
      },
    );

    test("nobody without the password is served, and the password is for this user's eyes only", async () => {
      const { url } = front();
      const stranger = createClient({ url, password: "guess", log: { level: ClickHouseLogLevel.OFF } });
      await expect(stranger.query({ query: "select 1" })).rejects.toMatchObject({ code: "516" });
      await stranger.close();
      expect((await fetch(new URL("/?query=select%201", url))).status).toBe(401);
      expect(await (await fetch(new URL("/ping", url))).text()).toBe("Ok.\n");
    });

    test("an answer that breaks off is an error, in whatever format", async () => {
      const query = "select throwIf(number = 250000) as x from numbers(300000)";
      for (const format of ["JSONEachRow", "TabSeparated"] as const) {
        const asked = history.use(async (client) => {
          const answer = await client.query({ query, format });
          return format === "JSONEachRow" ? await answer.json() : await answer.text();
        });
        await expect(asked).rejects.toThrow(/throwIf|away|aborted/);
      }
    });

    test("an insert whose sender goes away in the middle leaves nothing behind, and the front serves on", async () => {
      const { url, password } = front();
      await history.use((client) =>
        client.command({ query: "create table if not exists default.half (a UInt32) engine = MergeTree order by a" }),
      );
      const target = new URL(url);
      target.searchParams.set("query", "insert into default.half format TabSeparated");
      await new Promise<void>((done) => {
        const sending = request(target, {
          method: "POST",
          headers: { Authorization: `Basic ${Buffer.from(`default:${password}`).toString("base64")}` },
        });
        sending.once("error", () => done());
        sending.write("1\n2\n3\n", () => sending.destroy(new Error("gone")));
      });
      const rows = await history.use(async (client) =>
        (await client.query({ query: "select count() as n from default.half", format: "JSONEachRow" })).json(),
      );
      expect(rows).toEqual([{ n: 0 }]);
    });

    test("a second program on the same folder is told that it is in use", async () => {
      const second = openHistory({ folder, owns: true, pauses: { firstMs: 20, longestMs: 20 } });
      second.start();
      await second.settled();
      await expect(second.use((client) => client.ping())).rejects.toThrow(/another process owns its folder/);
      await second.close();
      expect(history.absence()).toBeUndefined();
    });

    test("another process of this user finds the engine; without one it is told that history is away", async () => {
      const guest = openHistory({ folder, owns: false });
      expect(await guest.use((client) => client.ping())).toMatchObject({ success: true });
      await guest.close();
      const lost = openHistory({ folder: join(folder, "empty"), owns: false });
      await expect(lost.use((client) => client.ping())).rejects.toThrow(HistoryAway);
      await lost.close();
    });
  },
);
