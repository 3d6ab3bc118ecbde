import { describe, inject } from "vitest";
import { openJobs } from "../../src/platform/jobs.ts";
import { describeJobs } from "../contract/jobs.ts";

const { redisUrl } = inject("services");

describe.skipIf(redisUrl === undefined)("jobs on Redis", () => {
  describeJobs((options) => openJobs({ redisUrl: redisUrl ?? "" }, options));
});
