import type { TestProject } from "vitest/node";
import { addressesOf, findServices } from "./services.ts";
import type { ServiceAddresses } from "./services.ts";

declare module "vitest" {
  // Vitest types what a global setup hands to the tests by merging into this interface.
  interface ProvidedContext {
    readonly services: ServiceAddresses;
  }
}

/** Finds or starts the servers once for the whole run, says which, and ends those it started. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const services = await findServices(process.env);
  for (const { name, url, remark } of services) {
    console.log(
      `${url === undefined ? "without" : "with   "} ${name}: ${remark}${url === undefined ? "; its tests are skipped" : ""}`,
    );
  }
  project.provide("services", addressesOf(services));
  return async () => {
    await Promise.all(services.map((service) => service.stop()));
  };
}
