import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { MINUTE_MS } from "../../src/kernel/time.ts";
import { answerHeard } from "../../src/ussd/chats.jobs.ts";
import { useChats } from "../support/chats.ts";
import { makeHousehold } from "../support/village.ts";

const place = useChats({ roles: ["api", "worker"] });

test("a running program answers a message by itself", async () => {
  const home = await makeHousehold(place.current);
  await place.current.deliver(place.current.chat.whatsapp.writes(home.phone.slice(1), "menu"));
  await expect
    .poll(() => place.current.chat.shown(home.phone.slice(1)).map(({ text }) => text), { timeout: 20_000 })
    .toEqual([expect.stringContaining("Welcome Asha")]);
});

test("a message whose job was lost is handed over again, and one that was answered is not", async () => {
  const { app, clock } = place.current;
  const { db } = app.database;
  await db.execute(sql`
    insert into ussd.heard (channel, message_id, chat, phone, kind, text, said_at, heard_at)
    values ('sms', 'lost', '+254711000222', '+254711000222', 'text', 'menu', ${clock.now().toISOString()}, ${clock.now().toISOString()})`);
  await db.execute(sql`
    insert into platform.outbox (topic, key, payload, created_at, relayed_at)
    select 'ussd.heard', 'heard:' || id, jsonb_build_object('heardId', id::text), heard_at, heard_at from ussd.heard where message_id = 'lost'`);
  expect(await app.chats.releaseOverdue()).toBe(0);
  clock.advance(6 * MINUTE_MS);
  expect(await app.chats.releaseOverdue()).toBe(1);
  await expect.poll(() => place.current.sms.messages("+254711000222").length, { timeout: 20_000 }).toBe(1);
  clock.advance(6 * MINUTE_MS);
  expect(await app.chats.releaseOverdue()).toBe(0);
});

test("a job that names no message dies at once", async () => {
  for (const payload of [null, {}, { heardId: 7 }, { heardId: "x" }, { heardId: "999999999" }])
    await expect(answerHeard(place.current.app.chats, { payload })).rejects.toMatchObject({ name: "PermanentFailure" });
});
