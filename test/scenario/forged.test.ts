import { sql } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import type { OutgoingDelivery } from "../../simulators/rail/face.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import { useRails } from "../support/rails.ts";
import type { Household } from "../support/village.ts";
import { auditBooks } from "./books-audit.ts";
import { asKept } from "./kept.ts";

const world = useRails({
  channels: ["mpesa-ke", "mtn-ug", "airtel-zm", "orange-ci", "wave-sn", "flutterwave-gh", "pawapay-rw", "gsma-tz"],
  confirmByEnquiry: ["mpesa-ke"],
});

afterEach(() => auditBooks(world.current));

const without = (delivery: OutgoingDelivery, ...headers: string[]): OutgoingDelivery => ({
  ...delivery,
  headers: Object.fromEntries(Object.entries(delivery.headers).filter(([name]) => !headers.includes(name))),
});
/** The first match becomes something else of the same length. */
const altered = (delivery: OutgoingDelivery, place: RegExp): OutgoingDelivery => {
  const body = delivery.body.replace(place, (found) => found.slice(0, -1) + (found.endsWith("7") ? "8" : "7"));
  if (body === delivery.body) throw new Error("Nothing was altered.");
  return { ...delivery, body };
};
const withoutMember = (delivery: OutgoingDelivery, name: string): OutgoingDelivery => {
  const { [name]: _, ...rest } = JSON.parse(delivery.body) as Record<string, unknown>;
  return { ...delivery, body: JSON.stringify(rest) };
};

/** How each rail that proves its callbacks is attacked. */
const SIGNED = [
  {
    channel: "airtel-zm",
    tampered: (one: OutgoingDelivery) => altered(one, /"airtel_money_id":"[^"]+(?=")/),
    // Older markets of Airtel's sign nothing, so a missing hash is not refused: like every callback of Airtel's it proves nothing.
    unsigned: undefined,
    staleAfterMs: undefined,
  },
  {
    channel: "orange-ci",
    tampered: (one: OutgoingDelivery) => altered(one, /"notif_token":"[^"]+(?=")/),
    unsigned: (one: OutgoingDelivery) => withoutMember(one, "notif_token"),
    staleAfterMs: undefined,
  },
  {
    channel: "wave-sn",
    tampered: (one: OutgoingDelivery) => altered(one, /"amount":"\d+(?=")/),
    unsigned: (one: OutgoingDelivery) => without(one, "wave-signature"),
    staleAfterMs: 5 * MINUTE_MS,
  },
  {
    channel: "flutterwave-gh",
    // A static hash says nothing of the body, so what can be tampered with here is the hash.
    tampered: (one: OutgoingDelivery) => ({
      ...one,
      headers: { ...one.headers, "verif-hash": `${one.headers["verif-hash"]?.slice(0, -1)}X` },
    }),
    unsigned: (one: OutgoingDelivery) => without(one, "verif-hash"),
    staleAfterMs: undefined,
  },
  {
    channel: "pawapay-rw",
    tampered: (one: OutgoingDelivery) => altered(one, /"depositedAmount":"\d+(?=")/),
    unsigned: (one: OutgoingDelivery) => without(one, "signature", "signature-input", "content-digest"),
    staleAfterMs: 15 * MINUTE_MS,
  },
  {
    channel: "gsma-tz",
    tampered: (one: OutgoingDelivery) => altered(one, /"amount":"\d+/),
    unsigned: (one: OutgoingDelivery) => without(one, "x-api-key"),
    staleAfterMs: undefined,
  },
] as const;

/** A prompt that its payer has paid, and the provider's notice of it, not sent yet. */
async function paidPrompt(channel: string) {
  const { simulator, household, ask, promptOf, lost } = world.current;
  const home = await household(channel);
  const asked = await ask(home, { channel, amountMinor: 5_000n });
  const prompt = promptOf(asked);
  simulator.setFault("drop", 1, channel);
  simulator.decide({ channel, id: prompt.id }, {});
  simulator.setFault("drop", 0, channel);
  const news = lost(channel).at(-1);
  if (news === undefined) throw new Error(`${channel} tells of payments.`);
  // As it is sent now: whoever overhears it cannot sign it anew.
  const genuine = { ...news, headers: { ...news.headers, ...news.headersNow?.() }, headersNow: undefined };
  return { home, asked, prompt, genuine };
}

const quarantined = (rail: string) =>
  world.current.rows<{ reason: string; raw: Uint8Array }>(
    sql`select reason, raw from payments.quarantine where rail = ${rail} order by id`,
  );
const nothingFor = async (home: Household) => {
  expect([await world.current.receiptsOf(home), await home.tokens(), await home.messages()]).toEqual([[], [], []]);
};

describe.each(SIGNED)("$channel", ({ channel, tampered, unsigned, staleAfterMs }) => {
  test("what is forged, altered or not signed is refused, kept, counted and books nothing; the true one counts afterwards", async () => {
    const place = world.current;
    const { home, asked, prompt, genuine } = await paidPrompt(channel);
    const before = {
      kept: (await quarantined(channel)).length,
      counted: await place.counted(channel, "callback", "signature_invalid"),
    };
    const attacks: OutgoingDelivery[] = [
      place.simulator.face(channel).forge(prompt),
      tampered(genuine),
      ...(unsigned === undefined ? [] : [unsigned(genuine)]),
    ];
    for (const attack of attacks) {
      const { status } = await place.post(attack);
      expect([401, 403]).toContain(status);
    }
    expect(await place.settle()).toBe(0);
    await nothingFor(home);
    expect(await place.intent(asked.id)).toMatchObject({ state: "pending" });
    const kept = (await quarantined(channel)).slice(before.kept);
    expect(kept.map(({ reason, raw }) => [reason, asKept(raw)])).toEqual(
      attacks.map(({ body }) => ["signature_invalid", asKept(body)]),
    );
    expect(await place.counted(channel, "callback", "signature_invalid")).toBe(before.counted + attacks.length);

    expect((await place.post(genuine)).status).toBeLessThan(300);
    await place.work();
    expect(await place.receiptsOf(home)).toMatchObject([{ amount: { minor: 5_000n } }]);
    expect(await home.tokens()).toHaveLength(1);
    expect(await place.intent(asked.id)).toMatchObject({ state: "completed" });
  });

  test("what was sent once counts once, though it is sent again minutes and hours later", async () => {
    const place = world.current;
    const { home, genuine } = await paidPrompt(channel);
    await place.post(genuine);
    await place.work();
    expect(await home.tokens()).toHaveLength(1);
    const stale = await place.counted(channel, "callback", "signature_stale");
    await place.pass(2 * MINUTE_MS);
    expect((await place.post(genuine)).status).toBeLessThan(300);
    await place.work();
    await place.pass(3 * HOUR_MS);
    const late = await place.post(genuine);
    await place.work();
    // A signature that carries its time is refused when that is over; the others are known, and change nothing.
    expect([401, 403].includes(late.status)).toBe(staleAfterMs !== undefined);
    expect(await place.counted(channel, "callback", "signature_stale")).toBe(
      stale + (staleAfterMs === undefined ? 0 : 1),
    );
    const last = (await quarantined(channel)).at(-1);
    expect(last?.reason === "signature_stale" && asKept(last.raw) === asKept(genuine.body)).toBe(
      staleAfterMs !== undefined,
    );
    expect(await place.receiptsOf(home)).toHaveLength(1);
    expect(await home.tokens()).toHaveLength(1);
    expect(await home.messages()).toHaveLength(1);
  });

  test("nobody gets light by saying that an open prompt is paid", async () => {
    const place = world.current;
    const home = await place.household(channel);
    const asked = await place.ask(home, { channel, amountMinor: 5_000n });
    const prompt = place.promptOf(asked);
    for (let times = 0; times < 5; times++) await place.post(place.simulator.face(channel).forge(prompt));
    await place.pass(4 * MINUTE_MS);
    await nothingFor(home);
    expect(await place.intent(asked.id)).toMatchObject({ state: "pending" });
    place.simulator.decide({ channel, id: prompt.id }, { failure: "cancelled" });
    await place.pass(MINUTE_MS);
    await nothingFor(home);
  });
});

test.each(["wave-sn", "pawapay-rw", "gsma-tz"])("no byte of what %s proves can be changed", async (channel) => {
  const place = world.current;
  const { home, genuine } = await paidPrompt(channel);
  const believed: string[] = [];
  for (let at = 0; at < genuine.body.length; at += 5) {
    const other = genuine.body[at] === "1" ? "2" : "1";
    const body = genuine.body.slice(0, at) + other + genuine.body.slice(at + 1);
    const { status } = await place.post({ ...genuine, body });
    if (status !== 401 && status !== 403) believed.push(`${status} ${body}`);
  }
  expect(believed).toEqual([]);
  expect(await place.settle()).toBe(0);
  await nothingFor(home);
  await place.post(genuine);
  await place.work();
  expect(await home.tokens()).toHaveLength(1);
});

describe("a proof that does not cover the body", () => {
  test("Flutterwave's hash on another amount books the real amount", async () => {
    const place = world.current;
    const { home, genuine } = await paidPrompt("flutterwave-gh");
    const lie = { ...genuine, body: genuine.body.replaceAll(/("(?:charged_)?amount":)50\b/g, "$15000") };
    expect(lie.body).not.toBe(genuine.body);
    expect((await place.post(lie)).status).toBe(200);
    expect(await place.settle()).toBe(0);
    await place.work();
    expect(await place.receiptsOf(home)).toMatchObject([{ amount: { minor: 5_000n } }]);
  });

  test("Orange's token with another transaction books the real transaction", async () => {
    const place = world.current;
    const { home, prompt, genuine } = await paidPrompt("orange-ci");
    expect((await place.post(altered(genuine, /"txnid":"[^"]+(?=")/))).status).toBe(200);
    expect(await place.settle()).toBe(0);
    await place.work();
    expect(await place.receiptsOf(home)).toMatchObject([{ providerId: prompt.id }]);
  });

  test("Airtel's callback without a hash only makes us ask", async () => {
    const place = world.current;
    const home = await place.household("airtel-zm");
    const asked = await place.ask(home, { channel: "airtel-zm", amountMinor: 5_000n });
    const prompt = place.promptOf(asked);
    const lie = withoutMember(place.simulator.face("airtel-zm").forge(prompt), "hash");
    expect((await place.post(lie)).status).toBe(200);
    await place.pass(4 * MINUTE_MS);
    await nothingFor(home);
    place.simulator.decide({ channel: "airtel-zm", id: prompt.id }, {});
    await place.pass(MINUTE_MS);
    expect(await home.tokens()).toHaveLength(1);
  });
});

test("a flood of forgeries is answered and counted one by one, and only some of it is kept", async () => {
  const place = world.current;
  const home = await place.household("wave-sn");
  const prompt = place.promptOf(await place.ask(home, { channel: "wave-sn", amountMinor: 5_000n }));
  await place.pass(MINUTE_MS);
  const before = await place.counted("wave-sn", "callback", "signature_invalid");
  const kept = (await quarantined("wave-sn")).length;
  const lie = place.simulator.face("wave-sn").forge(prompt);
  const statuses = await Promise.all(Array.from({ length: 150 }, async () => (await place.post(lie)).status));
  expect(new Set(statuses)).toEqual(new Set([403]));
  expect((await place.counted("wave-sn", "callback", "signature_invalid")) - before).toBe(150);
  expect((await quarantined("wave-sn")).length - kept).toBe(60);
  await nothingFor(home);
});

describe("rails that sign nothing: no token until the provider agrees", () => {
  test("M-Pesa: a confirmation of a payment that nobody made, a callback of a prompt that nobody paid", async () => {
    const { simulator, ...place } = world.current;
    const home = await place.household("mpesa-ke");
    const asked = await place.ask(home, { channel: "mpesa-ke", amountMinor: 5_000n });
    await place.confirm("mpesa-ke", { account: home.accountNumber, amount: "5000", transId: "FORGEDC2B1" });
    const items = [
      { Name: "Amount", Value: 50 },
      { Name: "MpesaReceiptNumber", Value: "FORGEDSTK1" },
      { Name: "TransactionDate", Value: 20260302090000 },
    ];
    const stkCallback = { ResultCode: 0, ResultDesc: "ok", CallbackMetadata: { Item: items } };
    await place.post({
      method: "POST",
      url: place.doorUrl("mpesa-ke", "stk", asked.correlation),
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ Body: { stkCallback } }),
      retriesMax: 0,
    });
    await place.pass(25 * MINUTE_MS);
    await nothingFor(home);
    const kept = await place.rows(
      sql`select reason, door, provider_id from payments.quarantine where rail = 'mpesa-ke' order by provider_id`,
    );
    expect(kept).toEqual([
      { reason: "enquiry_disagrees", door: "confirmation", provider_id: "FORGEDC2B1" },
      { reason: "enquiry_disagrees", door: "stk", provider_id: "FORGEDSTK1" },
    ]);
    expect(simulator.held("mpesa-ke")).toEqual([]);
  });

  test("M-Pesa: a true number with another amount books the true amount, and the true one burns nothing", async () => {
    const { simulator, ...place } = world.current;
    const home = await place.household("mpesa-ke");
    simulator.failNext("mpesa-ke", "drop");
    const payment = simulator.pay({
      channel: "mpesa-ke",
      account: home.accountNumber,
      amountMinor: 5_000n,
      phone: home.phone,
      payerName: "Kwame Mensah",
    });
    const [genuine] = place.lost("mpesa-ke").slice(-1);
    if (genuine === undefined) throw new Error("M-Pesa tells of payments.");
    const lie = { ...genuine, body: genuine.body.replace('"TransAmount":"50.00"', '"TransAmount":"5000.00"') };
    expect(lie.body).not.toBe(genuine.body);
    expect((await place.post(lie)).status).toBe(200);
    expect(await place.settle()).toBe(0);
    await place.pass(MINUTE_MS);
    expect(await place.receiptsOf(home)).toMatchObject([{ providerId: payment.id, amount: { minor: 5_000n } }]);
    expect((await place.post(genuine)).status).toBe(200);
    await place.pass(MINUTE_MS);
    expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
    expect(await home.tokens()).toHaveLength(1);
  });

  test("MTN: success said at a leaked address, and at an invented one", async () => {
    const { simulator, ...place } = world.current;
    const home = await place.household("mtn-ug");
    const asked = await place.ask(home, { channel: "mtn-ug", amountMinor: 5_000n });
    const prompt = place.promptOf(asked);
    const face = simulator.face("mtn-ug");
    const leaked = face.forge({ ...prompt, amountMinor: 50_000n });
    const invented = face.forge({ ...prompt, id: "9999999999", correlation: undefined, callbackUrl: undefined });
    for (const lie of [leaked, invented]) expect((await place.post(lie)).status).toBe(200);
    await place.pass(3 * MINUTE_MS);
    await nothingFor(home);
    expect(await place.intent(asked.id)).toMatchObject({ state: "pending" });

    // The truth counts when it comes, and as the provider has it.
    simulator.decide({ channel: "mtn-ug", id: prompt.id }, {});
    expect((await place.post(leaked)).status).toBe(200);
    await place.pass(25 * MINUTE_MS);
    expect(await place.receiptsOf(home)).toMatchObject([{ providerId: prompt.id, amount: { minor: 5_000n } }]);
    expect(await home.tokens()).toHaveLength(1);
    const kept = await place.rows(
      sql`select reason, door, provider_id from payments.quarantine where rail = 'mtn-ug' order by id`,
    );
    expect(kept).toEqual([{ reason: "enquiry_disagrees", door: "callback", provider_id: "9999999999" }]);
  });
});
