import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openpaygoMetrics } from "./metrics-vectors.ts";

const content: unknown = JSON.parse(readFileSync(new URL("./openpaygo_metrics.json", import.meta.url), "utf8"));
const checks = openpaygoMetrics.checks(content);

test("every request, replay, answer and expansion of the published vectors comes out as published", () => {
  expect(checks.length).toBeGreaterThan(500);
  const wrong = checks.flatMap(({ group, id, run }) => {
    const fault = run();
    return fault === undefined ? [] : [`${group} ${id}: ${fault}`];
  });
  expect(wrong).toEqual([]);
});
