import "./checks/node-version.mjs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Bundlers find graphql's ES modules and Node its CommonJS ones: two copies, whose types refuse each other. Everything
// is sent to the file that Node itself would load.
const graphqlPath = fileURLToPath(new URL("./node_modules/graphql/index.js", import.meta.url));

/** What the tests of this repository and the tests against real servers have in common. */
export const shared = {
  environment: "node",
  pool: "forks",
  // Each file brings a database of its own; more workers than cores only make the slowest test slower.
  maxWorkers: 2,
  testTimeout: 30_000,
  hookTimeout: 60_000,
  teardownTimeout: 20_000,
  // What a test waits for may take long on a busy machine; only what never comes is a fault.
  expect: { poll: { timeout: 15_000 } },
  reporters: ["default", fileURLToPath(new URL("./test/support/reporter.ts", import.meta.url))] as string[],
} as const;

export const alias = [{ find: /^graphql$/, replacement: graphqlPath }];

export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    include: ["test/**/*.test.ts"],
    exclude: ["test/services/**", "test/crash/**"],
    globalSetup: ["test/support/database.global.ts"],
  },
});
