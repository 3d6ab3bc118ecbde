import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../src/kernel/time.ts";
import { answerHeard } from "../../src/ussd/chats.jobs.ts";
import { makeTalkSweep } from "../../src/ussd/talk.jobs.ts";
import { heardIn, makeChatter, useChats, type ChatChannel, type Chatter } from "../support/chats.ts";
import { REFUSAL, useColleagues } from "../support/staff.ts";
import { makeHousehold, type Household } from "../support/village.ts";

const place = useChats();
const app = () => place.current.app;
const db = () => app().database.db;
const runJobs = () => place.current.runJobs();

const who = useColleagues(() => place.current);

const FIELDS = `id channel state phone area waitsSince heardAt freeTextUntil closedBy customer { name }
  messages { from kind text channel state failure by isForPerson }`;
const LIST = `query ($state: ConversationState, $area: String, $first: Int, $after: String) {
  conversations(state: $state, area: $area, first: $first, after: $after) {
    edges { node { ${FIELDS} } } pageInfo { hasNextPage endCursor } } }`;
const REPLY = `mutation ($id: ID!, $text: String!, $seenAt: DateTime, $key: String!) {
  replyToPerson(id: $id, text: $text, seenAt: $seenAt, idempotencyKey: $key) { ... on Conversation { ${FIELDS} } ${REFUSAL} } }`;
const CLOSE = `mutation ($id: ID!, $seenAt: DateTime, $key: String!) {
  closeConversation(id: $id, seenAt: $seenAt, idempotencyKey: $key) { ... on Conversation { ${FIELDS} } ${REFUSAL} } }`;

interface Node {
  readonly id: string;
  readonly state: string;
  readonly phone: string | null;
  readonly heardAt: string;
  readonly waitsSince: string | null;
  readonly freeTextUntil: string | null;
  readonly closedBy: string | null;
  readonly code?: string;
  readonly messages: readonly Readonly<Record<string, unknown>>[];
}
interface Page {
  readonly edges: readonly { readonly node: Node }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
}

async function page(name: Parameters<typeof who>[0], variables: object = {}): Promise<Page> {
  const { data, errors } = await who(name).ask(LIST, { first: 50, ...variables });
  expect(errors).toBeUndefined();
  return data["conversations"] as unknown as Page;
}
async function conversations(name: Parameters<typeof who>[0], variables: object = {}): Promise<readonly Node[]> {
  return (await page(name, variables)).edges.map(({ node }) => node);
}
async function conversationOf(phone: string): Promise<Node> {
  const found = (await conversations("office")).find((one) => one.phone === phone);
  if (found === undefined) throw new Error(`${phone} has no conversation.`);
  return found;
}
async function reply(
  name: Parameters<typeof who>[0],
  variables: { id: string; text: string; key?: string; seenAt?: string },
): Promise<Node> {
  const { data } = await who(name).ask(REPLY, { key: randomUUID(), ...variables });
  return data["replyToPerson"] as unknown as Node;
}
async function close(name: Parameters<typeof who>[0], id: string, seenAt?: string): Promise<Node> {
  const { data } = await who(name).ask(CLOSE, { id, seenAt, key: randomUUID() });
  return data["closeConversation"] as unknown as Node;
}

/** Somebody whom the machine did not understand twice. */
async function unheard(channel: ChatChannel): Promise<{ home: Household; chatter: Chatter; id: string }> {
  const home = await makeHousehold(place.current);
  const chatter = await makeChatter(place.current, channel, home.phone);
  await chatter.says("the lamp smells of smoke");
  await chatter.says("it is warm as well");
  // Nobody reads and answers in the same instant.
  place.current.clock.advance(1_000);
  return { home, chatter, id: (await conversationOf(home.phone)).id };
}

/** What the other side has shown to them, oldest first. */
function shownTo(channel: ChatChannel, { address }: Chatter): readonly string[] {
  const messages = channel === "sms" ? place.current.sms.messages(address) : place.current.chat.shown(address);
  return messages.map(({ text }) => text);
}

async function setConsent(phone: string, isGiven: boolean): Promise<void> {
  const [customer] = await app().customers.findByPhone(db(), phone as `+${string}`);
  if (customer === undefined) throw new Error("Nobody has this phone.");
  await db().transaction((tx) => app().customers.setConsent(tx, customer.id, { which: "service", isGiven }));
}

describe.each(["sms", "whatsapp", "telegram"] as const)("a conversation by %s", (channel) => {
  test("is seen, answered on its own channel, closed, and opened again when the person writes", async () => {
    const { home, chatter, id } = await unheard(channel);
    const seen = await conversationOf(home.phone);
    expect(seen).toMatchObject({ id, channel, state: "waiting", area: "kitui", customer: { name: /^Asha/ } });
    expect(seen.messages.filter(({ from, kind }) => from === "person" && kind === "text")).toMatchObject([
      { text: "the lamp smells of smoke", isForPerson: false, state: null },
      { text: "it is warm as well", isForPerson: true, state: null },
    ]);
    expect(seen.messages.slice(-2)).toMatchObject([
      { from: "person", channel },
      { from: "washa", channel, state: "queued", text: expect.stringContaining("One of us will read it") },
    ]);

    const text = "Switch it off.\nWe come today.";
    const by = `staff:${who("kitui").staff.id}`;
    const answered = await reply("kitui", { id, text });
    expect(answered).toMatchObject({ state: "answered", waitsSince: null });
    expect(answered.messages.at(-1)).toMatchObject({ from: "staff", text, by, channel, state: "waiting" });
    await runJobs();
    expect(shownTo(channel, chatter).at(-1)).toBe(text);
    const [gone] = (await conversationOf(home.phone)).messages.filter(({ from }) => from === "staff");
    expect(gone).toMatchObject({ state: "queued", failure: null });

    // Whoever talks with a person is not talked into by a machine.
    expect(await chatter.says("thank you, when exactly do you come")).toBe("");
    expect(await conversationOf(home.phone)).toMatchObject({ state: "waiting" });
    expect(await close("kitui", id)).toMatchObject({ state: "closed", closedBy: by, waitsSince: null });
    expect(await close("office", id)).toMatchObject({ state: "closed", closedBy: by });
    expect(await reply("office", { id, text: "Hello?" })).toMatchObject({ code: "NOT_ALLOWED_NOW" });
    expect(await chatter.says("nobody came so far")).toContain("One of us will read it");
    expect(await conversationOf(home.phone)).toMatchObject({ id, state: "waiting", closedBy: null });
  });
});

describe("an answer", () => {
  test("that is asked for twice by the same key is sent once, and other words under that key are refused", async () => {
    const { chatter, id } = await unheard("whatsapp");
    const key = randomUUID();
    const before = shownTo("whatsapp", chatter).length;
    const twins = await Promise.all([1, 2].map(() => reply("office", { id, text: "We call you.", key })));
    expect(twins.map(({ state }) => state)).toEqual(["answered", "answered"]);
    await runJobs();
    await reply("office", { id, text: "We call you.", key });
    expect(await reply("office", { id, text: "We do not.", key })).toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    await runJobs();
    expect(shownTo("whatsapp", chatter).slice(before)).toEqual(["We call you."]);
    const audit = await app().access.listAudit({ limit: 10, subject: { kind: "conversation", id } });
    expect(audit.map(({ action, detail }) => [action, detail])).toEqual([
      ["conversation.reply", { channel: "whatsapp" }],
    ]);
  });

  test("a day after the person last wrote goes by SMS to whoever agreed to messages", async () => {
    const { home, chatter, id } = await unheard("whatsapp");
    const until = Date.parse((await conversationOf(home.phone)).freeTextUntil ?? "");
    expect(Math.abs(until - place.current.clock.now().getTime() - DAY_MS)).toBeLessThan(HOUR_MS);
    place.current.clock.advance(DAY_MS);
    const before = shownTo("whatsapp", chatter).length;
    const answered = await reply("office", { id, text: "Is it well now?" });
    expect(answered.messages.at(-1)).toMatchObject({ from: "staff", channel: "sms", text: "Is it well now?" });
    await runJobs();
    expect(place.current.sms.messages(home.phone).map(({ text }) => text)).toEqual(["Is it well now?"]);
    expect(shownTo("whatsapp", chatter)).toHaveLength(before);
  });

  test("is refused then where there is no such consent, with what to do; nothing is written", async () => {
    const { home, id } = await unheard("whatsapp");
    await setConsent(home.phone, false);
    place.current.clock.advance(DAY_MS);
    const key = randomUUID();
    expect(await reply("office", { id, text: "Is it well now?", key })).toMatchObject({
      __typename: "OtherRefusal",
      code: "WINDOW_SHUT",
      message: expect.stringContaining("Call them"),
    });
    expect(await conversationOf(home.phone)).toMatchObject({ state: "waiting" });
    await setConsent(home.phone, true);
    expect(await reply("office", { id, text: "Is it well now?", key })).toMatchObject({ state: "answered" });
  });

  test.each(["whatsapp", "telegram"] as const)(
    "that %s does not take follows by SMS to whoever agreed to messages, and to nobody else",
    async (channel) => {
      const agreed = await unheard(channel);
      const silent = await unheard(channel);
      await setConsent(silent.home.phone, false);
      place.current.chat.failNext("blocked", "blocked");
      for (const { id } of [agreed, silent]) await reply("office", { id, text: "We call you." });
      place.current.clock.advance(1_000);
      await runJobs();
      expect(place.current.sms.messages(agreed.home.phone).map(({ text }) => text)).toEqual(["We call you."]);
      expect(place.current.sms.messages(silent.home.phone)).toEqual([]);
      const staffSaid = async ({ home }: typeof agreed) =>
        (await conversationOf(home.phone)).messages.filter(({ from }) => from === "staff");
      expect(await staffSaid(agreed)).toMatchObject([
        { channel, state: "refused" },
        { channel: "sms", state: "queued", by: `staff:${who("office").staff.id}` },
      ]);
      expect(await staffSaid(silent)).toMatchObject([{ channel, state: "refused" }]);
    },
  );

  test("shows how far it came, as the gateway tells", async () => {
    const { home, chatter, id } = await unheard("whatsapp");
    await reply("office", { id, text: "We call you." });
    await runJobs();
    const sent = place.current.chat.shown(chatter.address).at(-1);
    const states: unknown[] = [];
    for (const status of ["sent", "delivered", "sent"]) {
      await place.current.deliver(
        place.current.chat.whatsapp.reports(chatter.address, [{ id: sent?.id ?? "", status }]),
      );
      states.push((await conversationOf(home.phone)).messages.at(-1)?.["state"]);
    }
    expect(states).toEqual(["sent", "delivered", "delivered"]);
  });

  test("without words, with too many, or with what no phone shows is refused", async () => {
    const { id } = await unheard("sms");
    for (const text of [" \n ", "x".repeat(460), "bell \u0007", "half \ud83d", "nothing \u0000"])
      expect(await reply("office", { id, text })).toMatchObject({ code: "INVALID_INPUT" });
  });
});

test("whoever asks for a person is in the inbox at once, with the words they asked with", async () => {
  const home = await makeHousehold(place.current);
  const chatter = await makeChatter(place.current, "telegram", home.phone);
  await chatter.says("call me");
  await chatter.says("about my panel");
  const { state, messages } = await conversationOf(home.phone);
  expect(state).toBe("waiting");
  expect(messages.filter(({ isForPerson }) => isForPerson)).toMatchObject([{ text: "about my panel" }]);
});

test("what the person wrote while somebody typed is not answered or closed unseen", async () => {
  const { home, chatter, id } = await unheard("telegram");
  const { heardAt: seenAt } = await conversationOf(home.phone);
  await chatter.says("now there is a flame as well");
  const late = { code: "NOT_ALLOWED_NOW", message: "The person has written since. Read it first." };
  expect(await reply("office", { id, text: "Good to hear.", seenAt })).toMatchObject(late);
  expect(await close("office", id, seenAt)).toMatchObject(late);
  const { heardAt, state } = await conversationOf(home.phone);
  expect(state).toBe("waiting");
  expect(await reply("office", { id, text: "Leave the house.", seenAt: heardAt })).toMatchObject({ state: "answered" });
  expect(await close("office", id, heardAt)).toMatchObject({ state: "closed" });
});

test("a PIN is never read in it: not before it was looked at, and not when that failed", async () => {
  const { home, chatter } = await unheard("whatsapp");
  await place.current.deliver(place.current.chat.whatsapp.writes(chatter.address, "2580"));
  const shown = async () => JSON.stringify((await conversationOf(home.phone)).messages);
  expect(await shown()).not.toContain("2580");
  const row = (await heardIn(place.current, home.phone)).at(-1);
  const { customers } = app() as { customers: { findByPhone: unknown } };
  const whole = customers.findByPhone;
  customers.findByPhone = () => Promise.reject(new Error("a bug of ours"));
  try {
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(answerHeard(app().chats, { payload: { heardId: row?.id } })).rejects.toThrow("a bug");
  } finally {
    customers.findByPhone = whole;
  }
  const { messages, state } = await conversationOf(home.phone);
  expect(state).toBe("waiting");
  expect(messages.at(-1)).toMatchObject({ from: "person", kind: "text", text: null, isForPerson: true });
  expect((await heardIn(place.current, home.phone)).at(-1)?.text).toBe("");
});

test("what a keyword answers opens nothing again, and a slip long after the end is the machine's", async () => {
  const { home, chatter, id } = await unheard("whatsapp");
  await close("office", id);
  expect(await chatter.says("balance")).toContain(home.accountNumber);
  expect(await conversationOf(home.phone)).toMatchObject({ state: "closed" });
  place.current.clock.advance(8 * DAY_MS);
  await chatter.says("menu");
  expect(await chatter.says("what a strange day this is")).toContain("did not understand");
  expect(await conversationOf(home.phone)).toMatchObject({ state: "closed" });
});

test("agents see and answer those of their own area; strangers are the office's; nobody is seen without signing in", async () => {
  const { home, id } = await unheard("sms");
  const stranger = "+254755000111";
  const chatter = await makeChatter(place.current, "sms", stranger);
  await chatter.says("who are you people");
  await chatter.says("who are you people, tell me");
  const phones = async (name: Parameters<typeof who>[0], variables = {}) =>
    (await conversations(name, variables)).map(({ phone }) => phone);
  expect(await phones("office")).toEqual(expect.arrayContaining([home.phone, stranger]));
  expect(await phones("admin")).toContain(stranger);
  expect(await phones("kitui")).toContain(home.phone);
  expect(await phones("kitui", { area: "" })).not.toContain(stranger);
  expect(await phones("gulu", { area: "kitui" })).toEqual([]);
  expect(await reply("gulu", { id, text: "Hello" })).toMatchObject({ __typename: "NotFound" });
  expect(await close("gulu", id)).toMatchObject({ __typename: "NotFound" });
  expect(await close("office", "nonsense")).toMatchObject({ __typename: "NotFound" });
  for (const query of [LIST, REPLY, CLOSE]) {
    const response = await fetch(`${place.current.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, variables: { id, text: "Hello", key: randomUUID() } }),
    });
    expect(await response.text()).toContain("NOT_SIGNED_IN");
  }
  expect(await conversationOf(home.phone)).toMatchObject({ state: "waiting" });
});

test("the list goes on page by page: whoever waits longest first, closed ones last, each once", async () => {
  const first = await unheard("sms");
  await unheard("sms");
  await close("office", first.id);
  const all = await conversations("office", { first: 100 });
  const ranks = all.map(({ state }) => ["waiting", "answered", "closed"].indexOf(state));
  expect(ranks).toEqual(ranks.toSorted((left, right) => left - right));
  expect(new Set(ranks).size).toBe(3);
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const { edges, pageInfo } = await page("office", { first: 2, after });
    seen.push(...edges.map(({ node }) => node.id));
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  expect(seen).toEqual(all.map(({ id }) => id));
  expect((await conversations("office", { state: "closed" })).map(({ id }) => id)).toContain(first.id);
  expect((await conversations("office", { state: "waiting" })).map(({ id }) => id)).not.toContain(first.id);
});

test("what people wrote is forgotten in time; what is for a person, only when its conversation was closed as long ago", async () => {
  const { home, chatter, id } = await unheard("sms");
  const sweep = makeTalkSweep({
    database: app().database,
    clock: place.current.clock,
    zone: "Africa/Nairobi",
    heardKeptDays: 30,
  });
  const texts = async () => (await heardIn(place.current, chatter.address)).map(({ text }) => text);
  const windows = async () =>
    await db().execute(sql`select 1 from messaging.windows where channel = 'sms' and address = ${home.phone}`);
  await sweep.once();
  expect(await texts()).toEqual(["the lamp smells of smoke", "it is warm as well"]);
  place.current.clock.advance(31 * DAY_MS);
  await sweep.once();
  expect(await texts()).toEqual(["it is warm as well"]);
  await close("office", id);
  await sweep.once();
  expect(await texts()).toEqual(["it is warm as well"]);
  place.current.clock.advance(31 * DAY_MS);
  await sweep.once();
  expect(await texts()).toEqual([]);
  await app().messaging.forgetOld();
  expect(await windows()).toHaveLength(1);
  place.current.clock.advance(180 * DAY_MS);
  await app().messaging.forgetOld();
  expect(await windows()).toEqual([]);
});
