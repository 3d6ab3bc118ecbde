import { randomUUID } from "node:crypto";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { describe, expect, inject, test } from "vitest";
import { describeHistory } from "../contract/history.ts";

const { clickhouseUrl } = inject("services");

describe.skipIf(clickhouseUrl === undefined)("ClickHouse", () => {
  test("the server answers over HTTP", async () => {
    const response = await fetch(new URL("/ping", clickhouseUrl));
    expect((await response.text()).trim()).toBe("Ok.");
  });

  describeHistory(
    () => {
      const url = new URL(clickhouseUrl ?? "");
      url.pathname = "/";
      const client = createClient({ url: url.toString(), log: { level: ClickHouseLogLevel.OFF } });
      return Promise.resolve({
        client,
        topology: { cluster: undefined, database: `contract_${randomUUID().replaceAll("-", "")}` },
        close: () => client.close(),
      });
    },
    { binaryInserts: true, settingsPerStatement: true },
  );
});
