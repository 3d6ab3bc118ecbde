import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { describe } from "vitest";
import { isChdbInstalled } from "../../../src/platform/history/chdb-engine.ts";
import { describeHistory } from "../../contract/history.ts";

type Options = NonNullable<Parameters<typeof createClient>[0]>;

describe.skipIf(!isChdbInstalled())("the embedded engine without a front (needs the optional package chdb)", () => {
  describeHistory(
    () => {
      const folder = mkdtempSync(join(tmpdir(), "washa-direct-"));
      const { createChdbConnection } = createRequire(import.meta.url)("chdb/connection") as {
        createChdbConnection(options: { path: string }): NonNullable<Options["connection"]>;
      };
      const client = createClient({
        connection: createChdbConnection({ path: folder }),
        log: { level: ClickHouseLogLevel.OFF },
      });
      return Promise.resolve({
        client,
        topology: { cluster: undefined, database: `contract_${randomUUID().replaceAll("-", "")}` },
        close: async () => {
          await client.close();
          rmSync(folder, { recursive: true, force: true });
        },
      });
    },
    { binaryInserts: false, settingsPerStatement: false },
  );
});
