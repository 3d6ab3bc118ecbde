import { sql } from "drizzle-orm";
import { makeStream } from "../../simulators/rail/chance.ts";
import { buildApp, type App } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { makeManualClock, MINUTE_MS } from "../../src/kernel/time.ts";
import { makeTalkSweep } from "../../src/ussd/talk.jobs.ts";
import { booksProblems } from "../scenario/books-audit.ts";
import { makeCaller, type Caller, type Door } from "./caller.ts";
import { makeLife } from "./life.ts";
import { payees } from "./typed.ts";
import { programEnvironment, USSD_SECRET } from "./program.ts";
import type { Evidence, House } from "./checks.ts";
import type { Village } from "./village.ts";

/** A person needs some seconds for an answer. */
const TURN_MS = 5_000;
const TURNS_MAX = 400;
const QUIET_MS = 20 * MINUTE_MS;

/** Lives one evening: everybody calls at once, through gateways with every habit, at the program's own door. */
export async function liveEvening({
  seed,
  databaseUrl,
  village,
}: {
  seed: number;
  databaseUrl: string;
  village: Village;
}): Promise<Evidence> {
  const clock = makeManualClock(new Date(village.eveningMs));
  const app = await buildApp({ config: parseConfig(programEnvironment({ databaseUrl })), roles: ["api"], clock });
  await app.start();
  try {
    for (const { customer, elsewhere } of village.people)
      for (const one of [customer, elsewhere])
        for (const { account } of one?.contracts ?? []) payees.set(account, one?.name ?? "");
    const sessionIds: string[] = [];
    const door = doorOf(app);
    const callers = village.people.map((person) => {
      const chance = makeStream(seed, "caller", person.phone);
      return makeCaller({ life: makeLife(person), chance, door, sessionIds, calls: 1 + Math.floor(chance() * 3) });
    });
    let turns = 0;
    for (; turns < TURNS_MAX && callers.some(({ isDone }) => !isDone); turns++) {
      await Promise.all(callers.map((caller) => caller.turn(clock.now().getTime())));
      clock.advance(TURN_MS);
      // In the middle of the evening nobody calls for a while: what died before is not gone on with after.
      if (turns === 25) clock.advance(QUIET_MS);
    }
    clock.advance(QUIET_MS);
    await makeTalkSweep({ database: app.database, clock, zone: "Africa/Nairobi", heardKeptDays: 180 }).once();
    return await gather(app, { callers, village, isOver: turns < TURNS_MAX });
  } finally {
    await app.stop();
  }
}

function doorOf(app: App): Door {
  const address = `http://127.0.0.1:${String(app.ports.http)}/ussd/africastalking/${USSD_SECRET}`;
  const post = async (url: string, fields: Record<string, string>): Promise<string> => {
    const response = await fetch(url, { method: "POST", body: new URLSearchParams(fields) });
    return response.status === 200 ? await response.text() : `status ${String(response.status)}`;
  };
  return {
    hop: (fields) => post(address, fields),
    async end(fields) {
      await post(`${address}/end`, { ...fields, input: "1*2580", durationInMillis: "1000" });
    },
  };
}

async function gather(
  app: App,
  { callers, village, isOver }: { callers: readonly Caller[]; village: Village; isOver: boolean },
): Promise<Evidence> {
  const { db } = app.database;
  const house: House = {
    wishes: [
      ...(await db.execute<House["wishes"][number]>(
        sql`select kind, phone, category, detail from ussd.wishes order by number`,
      )),
    ],
    prompts: [
      ...(await db.execute<House["prompts"][number]>(
        sql`select reference as account, phone, amount_minor::float8 as minor from payments.intents order by id`,
      )),
    ],
    loans: [
      ...(await db.execute<House["loans"][number]>(sql`
        select c.id as "contractId", c.debt_minor::float8 as "debtMinor",
          (select count(*)::int from credit.contract_events e where e.contract_id = c.id and e.kind = 'lent') as times
        from credit.contracts c`)),
    ],
    customers: [
      ...(await db.execute<House["customers"][number]>(sql`
        select c.id, c.language, c.service_consent_at is not null as service, c.marketing_consent_at is not null as marketing,
          exists (select from ussd.pins p where p.owner_kind = 'customer' and p.owner_id = c.id) as "hasPin" from customers.customers c`)),
    ],
    sessions: [
      ...(await db.execute<House["sessions"][number]>(
        sql`select phone, key as "sessionId", outcome, counted_at is not null as "isCounted" from ussd.sessions`,
      )),
    ],
    tokens: [
      ...(await db.execute<House["tokens"][number]>(sql`
        select distinct t.digits, 'PG-' || c.account_number as account from devices.tokens t join credit.contracts c on c.device_id = t.device_id`)),
    ],
    figures: [
      ...(await db.execute<House["figures"][number]>(
        sql`select name as outcome, sum(sessions)::int as sessions from ussd.figures where measure = 'outcome' group by 1`,
      )),
    ],
    bookProblems: [...(await booksProblems({ app }))],
  };
  return {
    isOver,
    house,
    village,
    lives: callers.map(({ life }) => ({
      phone: life.person.phone,
      acts: life.acts,
      consents: [...life.consents],
      languages: [...life.languages],
      pins: [...life.pins.keys()],
    })),
    heard: callers.flatMap(({ heard }) => [...heard]),
    ended: callers.flatMap(({ ended }) => [...ended]),
  };
}
