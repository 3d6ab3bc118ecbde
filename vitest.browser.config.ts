import { defineConfig } from "vitest/config";
import { shared } from "./vitest.config.ts";

/** Pages in Debian's Chromium, with the real program behind them: `npm run test:browser`. */
export default defineConfig({
  test: { ...shared, testTimeout: 120_000, hookTimeout: 120_000, include: ["test/browser/**/*.test.ts"] },
});
