import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { MINUTE_MS } from "../../src/kernel/time.ts";
import { TEST_START, TEST_USSD_SECRET, useApp } from "../support/app.ts";
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
async function settle(phone: string, language: string): Promise<Household> {
  const home = await makeHousehold(program.current, { phone });
  await program.current.app.database.db.execute(sql`
    update customers.customers set language = ${language}, name = 'Jane Wanjiru' where id = ${home.contract.customerId}::uuid`);
  await pay(program.current, { account: home.accountNumber, amount: "150" });
  return home;
}

/** Somebody whom nobody knows, but for the language that they chose once. */
async function greet(phone: string, language: string): Promise<void> {
  await program.current.app.database.db.execute(sql`
    insert into ussd.callers (phone, language, changed_at) values (${phone}, ${language}, now()) on conflict do nothing`);
}

/** What is expected, with the parts that nobody knows beforehand: an account, a token, the number of a report. */
function patternOf(expected: string, accountNumber: string): RegExp {
  const escaped = expected.replace(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(
    `^${escaped
      .replaceAll("{account}", accountNumber)
      .replaceAll("{token}", String.raw`\d{3} \d{3} \d{3}`)
      .replaceAll("{report}", String.raw`R-\d+`)}$`,
  );
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
  for (const [at, session] of script.sessions.entries()) {
    test(`${file}: ${session.description}`, async () => {
      // What an earlier session left is not gone on with; each file begins on the same day.
      if (at === 0) program.current.clock.moveTo(TEST_START);
      program.current.clock.advance(16 * MINUTE_MS);
      const [, language = "en"] = file.split(".");
      // A session with a phone of its own is a stranger's.
      const phoneNumber = session.phoneNumber ?? script.phoneNumber;
      if (session.phoneNumber !== undefined) await greet(phoneNumber, language);
      const home = households.get(script.phoneNumber) ?? settle(script.phoneNumber, language);
      households.set(script.phoneNumber, home);
      const { accountNumber } = await home;
      for (const { userInput = "", expect: expected } of session.steps) {
        // As dialoguss does, each hop brings the last answer alone.
        const fields = { sessionId: session.id, phoneNumber, serviceCode: script.dial, text: userInput, channel: "" };
        const shown = (await hop(fields)).replace(/^(CON|END) /, "");
        expect(shown).toMatch(patternOf(expected, accountNumber));
        program.current.clock.advance(3_000);
      }
    });
  }
}
