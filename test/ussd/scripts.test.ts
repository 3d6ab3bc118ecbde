import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { TEST_USSD_SECRET, useApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

const program = useApp();

/** What dialoguss reads, as its own program declares it. */
const SCRIPT = z.strictObject({
  dial: z.string(),
  phoneNumber: z.string(),
  sessions: z.array(
    z.strictObject({
      id: z.string(),
      phoneNumber: z.string().optional(),
      description: z.string(),
      steps: z.array(z.strictObject({ userInput: z.string().optional(), expect: z.string() })).min(1),
    }),
  ),
});

const folder = fileURLToPath(new URL("./scripts/", import.meta.url));
const households = new Map<string, Promise<Household>>();

/** Jane, of the scripts: three days paid on a plan of KES 50 a day and KES 5,000 in all. */
async function settle(phone: string): Promise<Household> {
  const home = await makeHousehold(program.current, { phone });
  await program.current.app.database.db.execute(sql`
    update customers.customers set language = 'sw', name = 'Jane Wanjiru' where id = ${home.contract.customerId}::uuid`);
  await pay(program.current, { account: home.accountNumber, amount: "150" });
  return home;
}

async function hop(fields: Record<string, string>): Promise<string> {
  const response = await fetch(`${program.current.url}/ussd/africastalking/${TEST_USSD_SECRET}`, {
    method: "POST",
    body: new URLSearchParams(fields),
  });
  return await response.text();
}

for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
  const script = SCRIPT.parse(parse(readFileSync(folder + file, "utf8")));
  for (const session of script.sessions) {
    test(`${file}: ${session.description}`, async () => {
      const phoneNumber = session.phoneNumber ?? script.phoneNumber;
      const home = households.get(phoneNumber) ?? settle(phoneNumber);
      households.set(phoneNumber, home);
      const { accountNumber } = await home;
      for (const { userInput = "", expect: expected } of session.steps) {
        // As dialoguss does, each hop brings the last answer alone.
        const fields = { sessionId: session.id, phoneNumber, serviceCode: script.dial, text: userInput, channel: "" };
        const shown = (await hop(fields)).replace(/^(CON|END) /, "");
        expect(shown).toBe(expected.replaceAll("{account}", accountNumber));
        program.current.clock.advance(3_000);
      }
    });
  }
}
