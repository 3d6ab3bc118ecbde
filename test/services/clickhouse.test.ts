import { describe, expect, inject, test } from "vitest";

const { clickhouseUrl } = inject("services");

describe.skipIf(clickhouseUrl === undefined)("ClickHouse", () => {
  test("the server answers over HTTP", async () => {
    const response = await fetch(new URL("/ping", clickhouseUrl));
    expect((await response.text()).trim()).toBe("Ok.");
  });
});
