import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { faultKinds, noFaults, usualFaults, type FaultKind, type Faults } from "../../simulators/rail/faults.ts";
import { startRailSimulator, type RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeToyFace, startToyProgram } from "./rail-toy.ts";

const START = new Date("2026-11-20T06:00:00Z");
const at = (hours: number): Date => new Date(START.getTime() + hours * 3_600_000);
const PAYMENT = {
  channel: "toy",
  account: "PG-10234",
  amountMinor: 15_000n,
  phone: "+254712000101",
  payerName: "Asha",
};

let program: Awaited<ReturnType<typeof startToyProgram>>;
const running: RailSimulator[] = [];

beforeEach(async () => {
  program = await startToyProgram();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.stop()));
  await program.stop();
});

async function start(faults: Partial<Faults> = {}, seed = 7): Promise<RailSimulator> {
  const channel = { name: "toy", country: "KE", currency: "KES", zone: "Africa/Nairobi", makeFace: makeToyFace };
  const simulator = await startRailSimulator({
    channels: [channel],
    doorUrlOf: (name, door) => `${program.url}/rails/${name}/secret/${door}`,
    seed,
    faults: { ...noFaults, ...faults },
    clock: makeManualClock(START),
    slowLoginMs: 20,
  });
  running.push(simulator);
  return simulator;
}

/** What our program hears when it asks; `none` where no whole answer came in time. */
async function call(simulator: RailSimulator, path: string, body?: object): Promise<{ status: number } | "none"> {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  return fetch(`${simulator.baseUrl("toy")}${path}`, { ...options, signal: AbortSignal.timeout(250) }).then(
    async (response) => {
      const text = await response.text().catch(() => undefined);
      return text === undefined ? "none" : { status: response.status };
    },
    () => "none",
  );
}

const ask = (simulator: RailSimulator, correlation: string, amount = "5000"): Promise<{ status: number } | "none"> =>
  call(simulator, "/ask", { correlation, amount, phone: `25471200${correlation.padStart(4, "0")}`, account: "PG-1" });

describe("a day without faults", () => {
  test("a payer who pays unasked is in the books at once, and our program hears of it once", async () => {
    const simulator = await start();
    const paid = simulator.pay(PAYMENT);
    expect(program.heard).toEqual([]);
    await simulator.advanceTo(at(1));
    expect(program.heard).toMatchObject([{ id: paid.id, status: "completed", amount: "15000", isSigned: true }]);
    expect(simulator.held()).toMatchObject([
      { channel: "toy", id: paid.id, amountMinor: 15_000n, currency: "KES", isReversed: false, at: START },
    ]);
  });

  test("a prompt is decided by its payer after some seconds, and asking again under the same name is known", async () => {
    const simulator = await start();
    expect(await ask(simulator, "1")).toEqual({ status: 202 });
    expect(await ask(simulator, "1")).toEqual({ status: 409 });
    expect(simulator.prompts()).toMatchObject([{ correlation: "1", status: "pending" }]);
    await simulator.advanceTo(at(1));
    expect(simulator.prompts()).toEqual([]);
    const [held] = simulator.held("toy");
    expect(held).toMatchObject({ correlation: "1", amountMinor: 5_000n });
    expect(held?.at.getTime()).toBeGreaterThan(START.getTime());
  });

  test("the statement has the period's transactions", async () => {
    const simulator = await start();
    const paid = simulator.pay(PAYMENT);
    simulator.payAt(at(30), PAYMENT);
    await simulator.advanceTo(at(48));
    const file = simulator.statement("toy", { from: START, to: at(24) });
    expect(Buffer.from(file?.bytes ?? []).toString()).toBe(`${paid.id},15000\n`);
    expect(simulator.held()).toHaveLength(2);
  });
});

describe("deliveries", () => {
  test("a dropped delivery leaves the truth untouched", async () => {
    const simulator = await start({ drop: 1 });
    simulator.pay(PAYMENT);
    await simulator.advanceTo(at(48));
    expect(program.heard).toEqual([]);
    expect(simulator.held()).toHaveLength(1);
    expect(simulator.counts().deliveries).toEqual({ "genuine dropped": 1 });
  });

  test("a provider that tries again does so with growing pauses, and ends at the first 2xx", async () => {
    const simulator = await start();
    program.answerNext(503, 500, 404);
    simulator.pay(PAYMENT);
    await simulator.advanceTo(at(24));
    expect(program.heard).toHaveLength(4);
    expect(simulator.deliveries).toMatchObject([{ attempts: 4, status: 200, result: "accepted" }]);
    const lastAt = simulator.deliveries[0]?.lastAt?.getTime() ?? 0;
    expect(lastAt - START.getTime()).toBeGreaterThanOrEqual((30 + 60 + 120) * 1_000);
  });

  test("a provider gives up after its last attempt, and the payment is still held", async () => {
    const simulator = await start();
    program.answerNext(...Array.from({ length: 6 }, () => 500));
    simulator.pay(PAYMENT);
    await simulator.advanceTo(at(24));
    expect(simulator.deliveries).toMatchObject([{ attempts: 6, status: 500, result: "refused" }]);
    expect(simulator.held()).toHaveLength(1);
  });

  test("late news is signed when it is sent, and a replay has only the old signature", async () => {
    const simulator = await start({ delay: 1, replay: 1 });
    simulator.pay(PAYMENT);
    await simulator.advanceTo(at(48));
    const [genuine, replay] = program.heard.map(({ sentAt }) => new Date(sentAt).getTime());
    expect(genuine).toBeGreaterThan(START.getTime() + 5 * 60_000);
    expect(replay).toBe(START.getTime());
  });

  test("what is due at the same moment comes at the same moment", async () => {
    const simulator = await start({ duplicate_at_once: 1 });
    program.answerTogether(2);
    simulator.pay(PAYMENT);
    await simulator.advanceTo(at(1));
    expect(simulator.counts().deliveries).toEqual({ "genuine accepted": 1, "copy accepted": 1 });
  });

  test("the news of a reversal can come before the news of its payment", async () => {
    const simulator = await start({ reverse: 1, reverse_overtakes: 1 });
    const paid = simulator.pay(PAYMENT);
    await simulator.advanceTo(at(24));
    expect(program.heard.map(({ kind }) => kind)).toEqual(["reversal", "payment"]);
    expect(simulator.held()).toMatchObject([{ id: paid.id, isReversed: true, reversedMinor: 15_000n }]);
    expect(simulator.reverse({ channel: "toy", id: paid.id })).toBeUndefined();
  });

  test("forged and tampered news carries no valid signature, and adds nothing to the truth", async () => {
    const simulator = await start({ forge: 1, forge_unknown: 1, tamper: 1, drop: 0 });
    const paid = simulator.pay(PAYMENT);
    await simulator.advanceTo(at(24));
    expect(program.heard.filter(({ isSigned }) => isSigned)).toMatchObject([{ id: paid.id, amount: "15000" }]);
    expect(program.heard).toHaveLength(4);
    expect(program.heard.some(({ id, isSigned }) => !isSigned && id === paid.id)).toBe(true);
    expect(simulator.held()).toHaveLength(1);
  });
});

describe("requests", () => {
  test("an answer that never comes does not undo what was done, and one that was never read does nothing", async () => {
    const simulator = await start();
    const expected: readonly (readonly [FaultKind, readonly (number | "none")[], boolean])[] = [
      ["fail_before_acting", [500], false],
      ["too_many_requests", [429], false],
      ["half_open", ["none"], false],
      ["silent_after_acting", ["none"], true],
      ["cut_off", ["none"], true],
      ["fail_after_acting", [500, 504], true],
    ];
    for (const [index, [kind, answers, acted]] of expected.entries()) {
      simulator.failNext("toy", kind);
      const heard = await ask(simulator, String(index));
      expect(answers, kind).toContain(heard === "none" ? heard : heard.status);
      expect(
        simulator.transactions("toy").some(({ correlation }) => correlation === String(index)),
        kind,
      ).toBe(acted);
    }
    expect(simulator.givenUp).toBe(2);
  });

  test("a slow access token comes late, and comes", async () => {
    const simulator = await start({ slow_login: 1 });
    expect(await call(simulator, "/oauth/token", {})).toEqual({ status: 200 });
    expect(simulator.counts().faults.slow_login).toBe(1);
  });

  test("a bug in a face is loud", async () => {
    const simulator = await start();
    expect(await call(simulator, "/bug")).toEqual({ status: 500 });
    await expect(simulator.advanceTo(at(1))).rejects.toThrow("a bug of the face");
  });

  test("after the end no socket is open, even of requests that nobody answered", async () => {
    const simulator = await start({ silent_after_acting: 1 });
    program.answerTogether(2);
    const asked = fetch(`${simulator.baseUrl("toy")}/oauth/token`, { method: "POST" }).catch(() => "cut");
    simulator.pay(PAYMENT);
    const advanced = simulator.advanceTo(at(1));
    while (simulator.counts().faults.silent_after_acting === 0 || program.heard.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(simulator.openSockets).toBeGreaterThan(0);
    await simulator.stop();
    expect(await asked).toBe("cut");
    await advanced;
    expect(simulator.openSockets).toBe(0);
    expect(simulator.deliveries).toMatchObject([{ result: expect.stringMatching(/unanswered|waiting/) as string }]);
    while (program.openSockets > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("a bad day by seed", () => {
  async function badDay(seed: number, faults: Partial<Faults> = usualFaults): Promise<RailSimulator> {
    const simulator = await start({ ...faults, silent_after_acting: 0, half_open: 0 }, seed);
    for (let payer = 0; payer < 60; payer++) {
      const phone = `+2547120${String(payer).padStart(5, "0")}`;
      simulator.payAt(at(payer / 6), { ...PAYMENT, phone, amountMinor: BigInt(payer + 1) * 1_000n });
    }
    for (let prompt = 0; prompt < 40; prompt++) await ask(simulator, String(prompt));
    await simulator.advanceTo(at(72));
    return simulator;
  }
  const story = (simulator: RailSimulator) => ({
    rows: simulator.transactions("toy").map(({ id, status, amountMinor, endedAt, failure }) => {
      return { id, status, amountMinor, endedAt, failure };
    }),
    deliveries: simulator.deliveries.map(({ delivery, kind, attempts, lastAt }) => {
      return { body: delivery.body, kind, attempts, lastAt };
    }),
    counts: simulator.counts(),
  });

  test("the same seed tells the same story, and another seed another one", async () => {
    const first = story(await badDay(1));
    expect(story(await badDay(1))).toEqual(first);
    expect(story(await badDay(2))).not.toEqual(first);
  });

  test("more faults in the deliveries change nobody's payment", async () => {
    const paid = (simulator: RailSimulator) =>
      simulator.held().map(({ id, amountMinor, at: paidAt, phone }) => ({ id, amountMinor, paidAt, phone }));
    const quiet = await badDay(3, { cancel: 0.2, wrong_amount: 0.2 });
    const noisy = { cancel: 0.2, wrong_amount: 0.2, drop: 0.3, duplicate: 0.5, forge: 0.5, forge_unknown: 0.5 };
    expect(paid(await badDay(3, noisy))).toEqual(paid(quiet));
  });

  test("every kind of fault happens and is counted", async () => {
    const often = Object.fromEntries(faultKinds.map((kind) => [kind, 0.3])) as Record<FaultKind, number>;
    const simulator = await badDay(4, { ...often, fail_before_acting: 0.1, too_many_requests: 0.1 });
    await call(simulator, "/oauth/token", {});
    for (const kind of ["silent_after_acting", "half_open"] as const) {
      for (const other of ["too_many_requests", "fail_before_acting", "fail_after_acting"] as const) {
        simulator.setFault(other, 0);
      }
      simulator.failNext("toy", kind);
      await ask(simulator, `last ${kind}`);
    }
    simulator.failNext("toy", "slow_login");
    await call(simulator, "/oauth/token", {});
    const { faults, deliveries } = simulator.counts();
    const missing = faultKinds.filter((kind) => faults[kind] === 0 && kind !== "payout_fails");
    expect(missing).toEqual([]);
    for (const kind of ["genuine", "copy", "replay", "tampered", "forged"] as const) {
      expect(deliveries[`${kind} accepted`], kind).toBeGreaterThan(0);
    }
  });
});
