import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { TEST_DARAJA_SECRET, TEST_SHORTCODE, useApp } from "../support/app.ts";
import { makeHousehold, type Household } from "../support/village.ts";
import { auditBooks } from "./books-audit.ts";
import { generateCallbacks, type Thrown } from "./generated-callbacks.ts";
import { asKept, keptBy } from "./kept.ts";

const SEED = 20_260_302;
const COUNT = 10_000;
/** As many as a busy paybill would have under way at once. */
const AT_ONCE = 100;
const HOUSEHOLDS = 30;

const program = useApp();
const kept = keptBy(() => program.current);

interface Answered extends Thrown {
  readonly status: number;
}

async function throwOne(thrown: Thrown): Promise<Answered> {
  const secret = thrown.kind === "lost" ? "not-the-secret-at-all" : TEST_DARAJA_SECRET;
  const response = await fetch(`${program.current.url}/rails/daraja/${secret}/confirmation`, {
    method: "POST",
    body: thrown.body,
  });
  await response.arrayBuffer();
  return { ...thrown, status: response.status };
}

async function throwAll(all: readonly Thrown[]): Promise<readonly Answered[]> {
  const answers: Answered[] = [];
  for (let at = 0; at < all.length; at += AT_ONCE)
    answers.push(...(await Promise.all(all.slice(at, at + AT_ONCE).map(throwOne))));
  return answers;
}

async function makeVillage(): Promise<readonly Household[]> {
  const homes: Household[] = [];
  // Cheap and dear, with an end and without, by the day and by the hour: every branch of what money buys is met.
  const terms = [
    {},
    { totalMinor: null },
    { totalMinor: 300_000n, depositMinor: 50_000n, depositBuysTime: false },
    { totalMinor: null, price: { numerator: 1_130_952_381n, denominator: 2_000_000n }, priceSeconds: 3_600 as const },
  ];
  for (let at = 0; at < HOUSEHOLDS; at++)
    homes.push(
      await makeHousehold(program.current, {
        terms: terms[at % terms.length] ?? {},
        timeDivider: at % 4 === 3 ? 24 : 1,
      }),
    );
  return homes;
}

const idOf = ({ body }: Thrown): string =>
  String((JSON.parse(Buffer.from(body).toString()) as { TransID: unknown }).TransID).toUpperCase();

test(`ten thousand generated callbacks leave the books whole (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const homes = await makeVillage();
  const thrown = generateCallbacks({
    seed: SEED,
    count: COUNT,
    accounts: homes.map(({ accountNumber }) => accountNumber),
    phones: homes.slice(0, 5).map(({ phone }) => phone.slice(1)),
    shortcode: TEST_SHORTCODE,
  });
  const answers = await throwAll(thrown);

  const statuses = Map.groupBy(answers, ({ status }) => status);
  expect([...statuses.keys()].toSorted((a, b) => a - b)).toEqual([200, 400, 404, 409, 413]);
  for (const [status, kind] of [
    [413, "huge"],
    [404, "lost"],
  ] as const) {
    expect(new Set(statuses.get(status)?.map((answer) => answer.kind))).toEqual(new Set([kind]));
  }

  const acknowledged = new Set((statuses.get(200) ?? []).map(idOf));
  expect(acknowledged.size).toBeGreaterThan(COUNT / 4);
  const { db } = program.current.app.database;
  const stored = await db.execute<{ provider_id: string; raw: Uint8Array }>(
    sql`select provider_id, raw from payments.callbacks`,
  );
  expect(stored.map(({ provider_id }) => provider_id).toSorted()).toEqual([...acknowledged].toSorted());
  const sent = new Set((statuses.get(200) ?? []).map(({ body }) => asKept(body)));
  expect(stored.filter(({ raw }) => !sent.has(asKept(raw)))).toEqual([]);

  const refused = [...(statuses.get(400) ?? []), ...(statuses.get(409) ?? [])].map(({ body }) => asKept(body));
  expect((await kept.quarantine()).map(({ raw }) => raw).toSorted()).toEqual(refused.toSorted());

  expect(await program.current.settle()).toBe(acknowledged.size);
  expect([await kept.receipts(), await kept.pending()]).toEqual([acknowledged.size, 0]);
  await auditBooks(program.current);

  const [receipts] = await db.execute<{ rows: string; ids: string }>(
    sql`select count(*) as rows, count(distinct (rail, provider_id)) as ids from payments.receipts`,
  );
  expect(receipts?.rows).toBe(receipts?.ids);
  for (const home of homes) {
    const wrong = (await home.tokens()).map((token) => home.lamp.enter(token).kind).filter((kind) => kind !== "VALID");
    expect([home.accountNumber, wrong]).toEqual([home.accountNumber, []]);
  }
});
