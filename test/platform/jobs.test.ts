import { describe } from "vitest";
import { openJobs } from "../../src/platform/jobs.ts";
import { describeJobs } from "../contract/jobs.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();

describe("jobs on PostgreSQL", () => {
  describeJobs((options) => openJobs({ postgresUrl: database.url }, options));
});
