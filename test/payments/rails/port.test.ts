import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { NotSent } from "../../../src/platform/outbound.ts";
import {
  InvalidSettings,
  isAble,
  type Adapter,
  type Delivery,
  type Outcome,
  type Parsed,
  type QuarantineReason,
  type Rail,
  type Recall,
} from "../../../src/payments/rails/rail.ts";
import { ADAPTERS } from "../../../src/payments/rails/registry.ts";
import { CORRELATION, NOTIF_TOKEN, NOW, PORT_CASES, type Came, type PortCase } from "./port-cases.ts";

/*
 * What the doors, the inbox and the loops take for granted of every rail. A new adapter is held to it as soon as it stands
 * in the registry.
 */
const REASONS = {
  source_not_allowed: true,
  signature_invalid: true,
  signature_stale: true,
  malformed: true,
  wrong_type: true,
  amount_invalid: true,
  currency_unexpected: true,
  shortcode_unknown: true,
  time_invalid: true,
  status_unknown: true,
  intent_unknown: true,
  enquiry_disagrees: true,
  conflict: true,
} as const satisfies Record<QuarantineReason, true>;

const recall: Recall = async ({ remembered }) =>
  Promise.resolve(
    remembered?.value === NOTIF_TOKEN ? { correlation: CORRELATION, memory: { notif_token: NOTIF_TOKEN } } : undefined,
  );

function open(adapter: Adapter, { channel, settings }: PortCase, more: object = {}): Rail {
  return adapter.open(adapter.parseSettings({ ...settings, ...more }), {
    channel,
    http: { send: async () => Promise.reject(new NotSent("nobody is there")) },
    clock: makeManualClock(NOW),
    callbackUrl: (door, parameter = "") => `https://pay.example.org/rails/x/secret/${door}/${parameter}`,
  });
}

function deliver(
  { door, parameter, headers, body }: Came,
  raw: Uint8Array = Buffer.from(JSON.stringify(body)),
): Delivery {
  const url = `https://pay.example.org/rails/x/secret/${door}`;
  return { door, parameter, headers, method: "POST", url, raw, receivedAt: NOW };
}

/** What is wrong with a reading: the books could not hold it, or nobody could act on it. Empty when all is well. */
function faultsOf(parsed: Parsed): readonly string[] {
  if (!parsed.ok) return parsed.reason in REASONS && /\S/.test(parsed.detail) ? [] : [`refused as ${parsed.reason}`];
  return parsed.reports.flatMap(({ transactionStatus, transactionReference: name, amount }) => [
    ...(transactionStatus === "completed" && name === undefined ? ["completed without a name"] : []),
    ...(name !== undefined && (!/^\S+$/.test(name) || name !== name.toUpperCase()) ? [`named "${name}"`] : []),
    ...(amount !== undefined && amount.minor <= 0n ? ["an amount of nothing"] : []),
  ]);
}

/** Whether an answer keeps to the promises of the port. */
function isRightAnswer(
  status: number,
  { kind }: Outcome,
  { example, isQuestion }: { example: PortCase; isQuestion: boolean },
): boolean {
  const { yesAnyway } = example;
  const isYes = status >= 200 && status < 300;
  switch (kind) {
    case "stored":
    case "repeated":
    case "payable":
      return isYes || (kind === "payable" && !isQuestion);
    case "busy":
      return status === 503;
    case "not_allowed":
      return status === 401 || status === 403;
    case "conflict":
      return isYes === (yesAnyway.conflict !== undefined);
    case "unusable":
      // A question is answered by the code in the body, with whatever status the provider reads it under.
      return isQuestion || isYes === (yesAnyway.unusable !== undefined);
    case "account_unknown":
    case "contract_ended":
    case "amount_too_small":
    case "currency_differs":
      return status >= 200 && status < 600;
  }
}

const caseOf = (name: string): PortCase => {
  const found = PORT_CASES[name];
  if (found === undefined) throw new Error(`The adapter ${name} has no case in port-cases.ts.`);
  return found;
};

const outcomes: readonly Outcome[] = [
  { kind: "stored" },
  { kind: "repeated" },
  { kind: "conflict" },
  { kind: "busy" },
  { kind: "not_allowed", detail: "No." },
  { kind: "unusable", reason: "malformed", field: undefined, detail: "It is no JSON." },
  { kind: "unusable", reason: "amount_invalid", field: "amount", detail: "It is no amount." },
  { kind: "payable" },
  { kind: "account_unknown" },
  { kind: "contract_ended" },
  { kind: "amount_too_small" },
  { kind: "currency_differs" },
];

test("every adapter has a case here", () => {
  expect(Object.keys(PORT_CASES).toSorted()).toEqual(ADAPTERS.map(({ name }) => name).toSorted());
});

describe.each(ADAPTERS.map((adapter) => ({ name: adapter.name, adapter })))("$name", ({ name, adapter }) => {
  const example = caseOf(name);
  const rail = open(adapter, example);

  test("has doors with names of their own, and says of everything whether it can do it", () => {
    const doors = rail.doors.map((door) => door.name);
    expect(new Set(doors).size).toBe(doors.length);
    for (const door of rail.doors) expect(door.methods.length).toBeGreaterThan(0);
    for (const ability of [rail.requestPayment, rail.enquire, rail.refund, rail.list])
      expect(isAble(ability) ? typeof ("page" in ability ? ability.page : ability) : ability.cannot).toMatch(
        /^function$|^\S+ .* .*\.$/,
      );
    expect(rail.enquirySchedule.firstAfterMs).toBeLessThan(rail.enquirySchedule.expiresAfterMs);
    expect(adapter.title).toMatch(/\S{3}/);
  });

  test("reads a good delivery, which is completed and has a name", async () => {
    const delivery = deliver(example.good());
    expect((await rail.verify(delivery, recall)).trust).not.toBe("refused");
    const parsed = rail.parse(delivery);
    expect(parsed).toMatchObject({ ok: true, reports: [{ transactionStatus: "completed" }] });
    expect(faultsOf(parsed)).toEqual([]);
  });

  test("refuses what somebody else made up, wherever something proves the provider", async () => {
    for (const { settings, came } of example.forgeries) {
      const verdict = await open(adapter, example, settings).verify(deliver(came), recall);
      expect(verdict).toMatchObject({ trust: "refused", reason: expect.stringMatching(/^signature_/) as string });
    }
    // Where nothing does, it says so: then the address, and mostly an enquiry, are all there is.
    const { trust } = await rail.verify(deliver(example.good()), recall);
    expect(trust === "unsigned" || example.forgeries.length > 0).toBe(true);
  });

  test("answers any bytes with a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...rail.doors), (raw, door) => {
        const parsed = rail.parse(deliver({ ...example.good(), door: door.name }, raw));
        // M-Pesa documents no body for its time-outs: there the address alone counts.
        expect(parsed.ok && door.name !== "timeout").toBe(false);
        expect(faultsOf(parsed)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("reads a body that was cut off or changed, or says why not", () => {
    const text = JSON.stringify(example.good().body);
    for (let end = 0; end < text.length; end += 1)
      expect(rail.parse(deliver(example.good(), Buffer.from(text.slice(0, end)))).ok).toBe(false);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.uint8Array({ maxLength: 3 }), (at, put) => {
        const raw = Buffer.concat([Buffer.from(text.slice(0, at)), put, Buffer.from(text.slice(at + 1))]);
        expect(faultsOf(rail.parse(deliver(example.good(), raw)))).toEqual([]);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...pathsIn(example.good().body)), fc.jsonValue(), (path, value) => {
        const body = replaced(example.good().body, path, value) as Came["body"];
        expect(faultsOf(rail.parse(deliver({ ...example.good(), body })))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test.each(rail.doors)("says yes at $name to what is kept, and to nothing else without a reason", ({ name: door }) => {
    const delivery = deliver({ ...example.good(), door });
    const isQuestion = rail.doors.some((one) => one.name === door && one.kind === "question");
    const wrong = outcomes
      .map((outcome) => ({ outcome, ...rail.answer(delivery, outcome) }))
      .filter(({ outcome, status }) => !isRightAnswer(status, outcome, { example, isQuestion }));
    expect(wrong).toEqual([]);
  });

  test("names each setting that is missing, and each that it does not know", () => {
    expect(problemsOf(adapter, {}).join("\n")).toMatch(/^[A-Za-z]\w*(\.\w+)*: \S.*/m);
    for (const line of problemsOf(adapter, {})) expect(line).toMatch(/^\S+: \S/);
    expect(problemsOf(adapter, { ...example.settings, aSettingOfNobody: 1 })).toEqual([
      expect.stringContaining("aSettingOfNobody"),
    ]);
    expect(problemsOf(adapter, { ...example.settings, baseUrl: "ftp://provider.example" })).toEqual([
      expect.stringMatching(/^baseUrl: /),
    ]);
    for (const given of [undefined, null, 7, "text", []]) expect(problemsOf(adapter, given).length).toBeGreaterThan(0);
  });
});

const cases = ADAPTERS.map((adapter) => ({ name: adapter.name, adapter, example: caseOf(adapter.name) }));

test.each(cases.filter(({ example }) => example.amounts === undefined))(
  "$name tells no amount, so an enquiry decides",
  ({ adapter, example }) => {
    expect(open(adapter, example).callbackIs).toBe("hint");
  },
);

test.each(cases.flatMap(({ example: { amounts }, ...one }) => (amounts === undefined ? [] : [{ ...one, ...amounts }])))(
  "$name takes its own currency only, and no more decimals than that has",
  ({ name, adapter, right, tooFine }) => {
    const example = caseOf(name);
    const rail = open(adapter, example);
    const parse = (amount: string, currency?: string) => rail.parse(deliver(example.good(amount, currency)));
    expect(parse(right).ok).toBe(true);
    for (const other of ["USD", "usd", "ZZZ"])
      expect(parse(right, other)).toMatchObject({ ok: false, reason: "currency_unexpected" });
    for (const amount of [tooFine, "0", "-1", "1e3", "1,000", "0x10", "999999999999999"])
      expect(parse(amount)).toMatchObject({ ok: false, reason: "amount_invalid" });
  },
);

function problemsOf(adapter: Adapter, given: unknown): readonly string[] {
  try {
    adapter.parseSettings(given);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  throw new Error("These settings should be refused.");
}

/** Where values stand inside a body. */
function pathsIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsIn(inner, [...path, key]))].filter(
    (one) => one.length > 0,
  );
}

function replaced(value: unknown, [key, ...rest]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  const inside = value as Readonly<Record<string, unknown>>;
  const changed = { ...inside, [key]: replaced(inside[key], rest, put) };
  return Array.isArray(value) ? Object.values(changed) : changed;
}
