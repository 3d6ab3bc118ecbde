import { defineConfig } from "vitest/config";
import { alias, shared } from "./vitest.config.ts";

/** Contract suites against real servers: `npm run test:services` says which it found and leaves out the others. */
export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    include: ["test/services/**/*.test.ts"],
    globalSetup: ["test/support/database.global.ts", "test/support/services.global.ts"],
  },
});
