import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { useApp } from "../support/app.ts";
import { makeColleague, REFUSAL, useColleagues } from "../support/staff.ts";
import { makeHousehold } from "../support/village.ts";
import { makeDialler } from "../ussd/dial.ts";

const program = useApp();
const dial = makeDialler(program);
const app = () => program.current.app;
const db = () => app().database.db;
const who = useColleagues(() => program.current);

const LIST = `query ($kind: TicketKind, $state: TicketState, $first: Int, $after: String) {
  tickets(kind: $kind, state: $state, first: $first, after: $after) {
    edges { node { id number kind state phone category detail readings area contract { id } notes { note by } } }
    pageInfo { hasNextPage endCursor } } }`;
const act = (name: "takeTicket" | "settleTicket") =>
  `mutation ($id: ID!, $key: String!) { ${name}(id: $id, idempotencyKey: $key) { ... on Ticket { state stateBy } ${REFUSAL} } }`;
const NOTE = `mutation ($id: ID!, $note: String!, $key: String!) {
  noteTicket(id: $id, note: $note, idempotencyKey: $key) { ... on Ticket { notes { note by } } ${REFUSAL} } }`;

interface Node {
  readonly id: string;
  readonly number: string;
  readonly readings: string | null;
}
async function tickets(name: Parameters<typeof who>[0], variables: object = {}): Promise<readonly Node[]> {
  const { data } = await who(name).ask(LIST, variables);
  const { edges } = data["tickets"] as unknown as { edges: readonly { node: Node }[] };
  return edges.map(({ node }) => node);
}

/** A fault as a customer reports it by phone; answers its number. */
async function reportFault(): Promise<{ number: string; contractId: string }> {
  const { phone, contract } = await makeHousehold(program.current);
  const device = await app().devices.find(db(), contract.deviceId);
  const { number = 0, serial = "" } = device ?? {};
  await db().execute(sql`
    insert into telemetry.places (device, serial, model, life, in_service, area, tokens_issued)
    values (${number}, ${serial}, 'Home 60', 'installed', true, 'kitui', 0)`);
  await db().execute(sql`
    insert into telemetry.states (device, first_seen_at, last_seen_at, battery_voltage_v)
    values (${number}, '2026-03-02T05:00:00Z', '2026-03-02T05:50:00Z', 11.5)`);
  const call = dial(phone);
  await call.open();
  const done = await call.saysAll("4", "1", "3", "Dark since yesterday");
  return { number: /R-\d+/.exec(done)?.[0] ?? "none", contractId: contract.id };
}

test("a fault that was reported by phone is on the list of the office and of the agents there, and of nobody else", async () => {
  const { number, contractId } = await reportFault();
  const [newest] = await tickets("office", { kind: "fault", state: "open" });
  expect(newest).toMatchObject({
    number,
    kind: "fault",
    state: "open",
    category: "battery",
    area: "kitui",
    contract: { id: contractId },
    detail: JSON.stringify({ note: "Dark since yesterday" }),
  });
  const readings = JSON.parse(newest?.readings ?? "{}") as Record<string, unknown>;
  expect(readings).toMatchObject({ lastSeenAt: "2026-03-02T05:50:00.000Z", batteryVoltageV: 11.5 });
  expect(JSON.stringify(readings)).not.toMatch(/latitude|longitude|place/);
  expect((await tickets("kitui")).map((one) => one.number)).toContain(number);
  expect(await tickets("gulu")).toEqual([]);
  const id = newest?.id ?? "";
  for (const mutation of [act("takeTicket"), act("settleTicket")]) {
    const { data } = await who("gulu").ask(mutation, { id, key: randomUUID() });
    expect(Object.values(data)[0]).toMatchObject({ __typename: "NotFound" });
  }
});

test("somebody takes it, writes down what was found, and settles it; the customer who follows it sees each step", async () => {
  const { number } = await reportFault();
  const [ticket] = await tickets("office");
  const id = ticket?.id ?? "";
  const agent = who("kitui");
  const by = `staff:${agent.staff.id}`;
  const key = randomUUID();
  const taken = await agent.ask(act("takeTicket"), { id, key });
  expect(taken.data["takeTicket"]).toMatchObject({ state: "in_work", stateBy: by });
  expect((await agent.ask(act("takeTicket"), { id, key })).data).toEqual(taken.data);
  const noted = await agent.ask(NOTE, { id, note: "The cable was loose.", key: randomUUID() });
  expect(noted.data["noteTicket"]).toMatchObject({ notes: [{ note: "The cable was loose.", by }] });
  expect((await agent.ask(NOTE, { id, note: " ", key: randomUUID() })).data["noteTicket"]).toMatchObject({
    code: "INVALID_INPUT",
  });
  const settled = await who("office").ask(act("settleTicket"), { id, key: randomUUID() });
  expect(settled.data["settleTicket"]).toMatchObject({ state: "done" });
  expect((await agent.ask(act("takeTicket"), { id, key: randomUUID() })).data["takeTicket"]).toMatchObject({
    code: "NOT_ALLOWED_NOW",
  });
  const audit = await app().access.listAudit({ limit: 10, subject: { kind: "ticket", id } });
  expect(audit.map(({ action, detail }) => [action, detail])).toEqual([
    ["ticket.settle", { number }],
    ["ticket.note", { number }],
    ["ticket.take", { number }],
  ]);
});

test("the list goes on page by page, newest first, each once", async () => {
  for (let report = 0; report < 3; report++) await reportFault();
  const all = (await tickets("office", { first: 100 })).map(({ number }) => number);
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const { data } = await who("office").ask(LIST, { first: 2, after });
    const page = data["tickets"] as unknown as {
      edges: readonly { node: Node }[];
      pageInfo: { hasNextPage: boolean; endCursor: string };
    };
    seen.push(...page.edges.map(({ node }) => node.number));
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after !== null);
  expect(seen).toEqual(all);
  expect(new Set(seen).size).toBe(seen.length);
});

test("only an administrator gives a phone to an agent; who gets one chooses a PIN anew", async () => {
  const SET = `mutation ($id: ID!, $phone: String) {
    setStaffPhone(id: $id, phone: $phone) { ... on Staff { phone } ${REFUSAL} } }`;
  const { staff } = await makeColleague(program.current, "agent", "kitui");
  expect((await who("office").ask(SET, { id: staff.id, phone: "0790123456" })).data["setStaffPhone"]).toMatchObject({
    code: "FORBIDDEN",
  });
  const set = () => who("admin").ask(SET, { id: staff.id, phone: "0790 123 456" });
  expect((await set()).data["setStaffPhone"]).toMatchObject({ phone: "+254790123456" });
  const first = dial("+254790123456");
  await first.open();
  expect(await first.saysAll("1", "2580")).toMatch(/^CON Type the customer's name/);
  const again = dial("+254790123456");
  await again.open();
  expect(await again.says("1")).toMatch(/^CON Type your PIN/);
  await set();
  const anew = dial("+254790123456");
  await anew.open();
  expect(await anew.says("1")).toMatch(/^CON Choose a PIN/);
  expect((await who("admin").ask(SET, { id: staff.id })).data["setStaffPhone"]).toMatchObject({ phone: null });
  expect(await dial("+254790123456").open()).toMatch(/^CON Welcome to Washa/);
  const audit = await app().access.listAudit({ limit: 10, subject: { kind: "staff", id: staff.id } });
  expect(audit.map(({ action }) => action)).toEqual(expect.arrayContaining(["staff.give_phone", "staff.take_phone"]));
  expect(JSON.stringify(audit.map(({ detail }) => detail))).not.toContain("790123456");
});
