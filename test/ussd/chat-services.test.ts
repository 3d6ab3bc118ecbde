import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { toGsm7 } from "../../src/kernel/gsm7.ts";
import { DAY_MS } from "../../src/kernel/time.ts";
import { COMPLETE_LANGUAGES, type CompleteLanguage } from "../../src/kernel/language.ts";
import { TEXTS, write, type TextId, type Values } from "../../src/ussd/texts/texts.ts";
import { TEST_SHORTCODE } from "../support/app.ts";
import { makeChatter, useChats, type ChatChannel, type Chatter } from "../support/chats.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

const place = useChats();
const db = () => place.current.app.database.db;

interface Talk {
  readonly chatter: Chatter;
  readonly home: Household;
  /** A text of ours as this channel shows it, with a pattern where values stand. */
  readonly text: (id: TextId, values?: Values) => string;
  readonly sees: (answer: string, id: TextId, values?: Values) => void;
  readonly chooses: (id: TextId, values?: Values) => Promise<string>;
}

interface Service {
  readonly name: string;
  /** Payments of a day's price before it begins. */
  readonly payments?: number;
  readonly talks: (talk: Talk) => Promise<void>;
}

/** What anybody may want of us, from the first word to the end of the conversation. */
const SERVICES: readonly Service[] = [
  {
    name: "sees days and debt",
    payments: 3,
    async talks({ chatter, home, sees, chooses }) {
      sees(await chatter.says("menu"), "home.days", { name: NAME, days: 3 });
      sees(await chooses("choice.balance"), "balance.days", { account: home.accountNumber, days: 3 });
    },
  },
  {
    name: "pays by a prompt on the phone",
    async talks({ chatter, home, sees, chooses }) {
      await chatter.says("menu");
      sees(await chooses("choice.pay"), "pay.day_price", { amount: "KES 50" });
      const payment = { amount: "KES 100", account: home.accountNumber, name: NAME, phone: home.phone };
      sees(await chatter.says("100"), "pay.confirm", payment);
      sees(await chooses("choice.yes"), "refused.no_rail");
    },
  },
  {
    name: "learns how to pay by hand",
    async talks({ chatter, home, sees, chooses }) {
      await chatter.says("pay 100");
      const told = { paybill: TEST_SHORTCODE, account: home.accountNumber };
      sees(await chooses("choice.by_hand"), "pay.by_hand", told);
    },
  },
  {
    name: "pays for a neighbour, whose name is masked",
    async talks({ chatter, sees, chooses }) {
      const neighbour = await makeHousehold(place.current);
      await chatter.says("menu");
      await chooses("choice.more");
      sees(await chooses("choice.pay_other"), "pay.account");
      const answer = await chatter.says(neighbour.accountNumber);
      expect(answer).toContain("A***");
      expect(answer).not.toContain("Asha");
      expect(await chatter.says("60")).toContain("KES 60");
      sees(await chooses("choice.yes"), "refused.no_rail");
    },
  },
  {
    name: "gets the last token again",
    payments: 1,
    async talks({ chatter, home, chooses }) {
      await chatter.says("menu");
      await chooses("choice.tokens");
      const answer = await chooses("choice.last_token");
      expect(answer.replaceAll(" ", "")).toContain((await home.tokens()).at(-1));
    },
  },
  {
    name: "gets the tokens of one payment",
    payments: 1,
    async talks({ chatter, home, sees, chooses }) {
      await chatter.says("menu");
      await chooses("choice.tokens");
      sees(await chooses("choice.payment_tokens"), "payments.title");
      const answer = await chatter.chooses(/^KES 50, /);
      expect(answer.replaceAll(" ", "")).toContain((await home.tokens()).at(-1));
    },
  },
  {
    name: "borrows a day with a PIN",
    payments: 3,
    async talks({ chatter, home, sees, chooses }) {
      place.current.clock.advance(3 * DAY_MS);
      await chatter.says("menu");
      await chooses("choice.more");
      sees(await chooses("choice.borrow"), "borrow.title", { price: "KES 50" });
      const asked = await chooses("borrow.choice", { days: 1 });
      sees(asked, "pin.new");
      sees(asked, "chat.pin_visible");
      sees(await chatter.says("2580"), "borrow.confirm", { days: 1, amount: "KES 50" });
      const answer = await chooses("choice.yes");
      expect(answer.replaceAll(" ", "")).toContain((await home.tokens()).at(-1));
      expect(await home.refreshed()).toMatchObject({ debtMinor: 5_000n });
    },
  },
  {
    name: "asks what it costs to pay off",
    async talks({ chatter, sees, chooses }) {
      await chatter.says("menu");
      await chooses("choice.more");
      expect(await chooses("choice.pay_off")).toContain("KES 5,000");
      expect(await chooses("choice.pay_it")).toContain("KES 5,000");
      sees(await chooses("choice.yes"), "refused.no_rail");
    },
  },
  {
    name: "reports a fault and follows it",
    async talks({ chatter, sees, chooses }) {
      await chatter.says("menu");
      sees(await chooses("choice.help"), "help.title");
      sees(await chooses("choice.fault"), "fault.title");
      sees(await chooses("fault.battery"), "fault.note");
      const [number = "nothing"] = /R-\d+/.exec(await chatter.says("Inazima saa mbili")) ?? [];
      await chatter.says("menu");
      await chooses("choice.help");
      expect(await chooses("choice.reports")).toContain(number);
    },
  },
  {
    name: "asks to talk to a person",
    async talks({ chatter, sees, chooses }) {
      await chatter.says("menu");
      await chooses("choice.help");
      sees(await chooses("choice.person"), "person.title");
      sees(await chatter.says("Nahama nyumba"), "person.done");
    },
  },
  {
    name: "refers a friend",
    async talks({ chatter, sees, chooses }) {
      await chatter.says("menu");
      await chooses("choice.more");
      sees(await chooses("choice.refer"), "refer.title");
      sees(await chatter.says("0722000111"), "refer.done");
    },
  },
  {
    name: "stops messages and gets them again",
    async talks({ chatter, home, sees, chooses }) {
      await chatter.says("menu");
      await chooses("choice.more");
      await chooses("choice.settings");
      await chooses("choice.messages");
      sees(await chooses("messages.stop_service"), "messages.done");
      expect(await consents(home)).toEqual({ service: false, marketing: false });
      sees(await chatter.says("START"), "chat.started");
      sees(await chatter.says("Stop."), "chat.stopped");
      expect(await consents(home)).toEqual({ service: false, marketing: false });
    },
  },
  {
    name: "chooses a PIN",
    async talks({ chatter, sees, chooses }) {
      await chatter.says("menu");
      await chooses("choice.more");
      await chooses("choice.settings");
      sees(await chooses("choice.new_pin"), "pin.new");
      sees(await chatter.says("2580"), "pin.set");
    },
  },
];

const NAME = "Jane Wanjiru";
const CHANNELS = ["sms", "whatsapp", "telegram"] as const satisfies readonly ChatChannel[];
const EVERY = CHANNELS.flatMap((channel) => COMPLETE_LANGUAGES.map((language) => ({ channel, language })));

async function consents(home: Household): Promise<unknown> {
  const [row] = await db().execute(sql`
    select service_consent_at is not null as service, marketing_consent_at is not null as marketing
    from customers.customers where id = ${home.contract.customerId}::uuid`);
  return { ...row };
}

async function meet(
  channel: ChatChannel,
  language: CompleteLanguage,
  { payments = 0 }: Pick<Service, "payments">,
): Promise<Talk> {
  const home = await makeHousehold(place.current);
  await db().execute(sql`
    update customers.customers set language = ${language}, name = ${NAME} where id = ${home.contract.customerId}::uuid`);
  for (let paid = 0; paid < payments; paid++) await pay(place.current, { account: home.accountNumber, amount: "50" });
  const chatter = await makeChatter(place.current, channel, home.phone);
  const text = (id: TextId, values: Values = {}): string => {
    const written = write({ id, values }, { language, zone: "Africa/Nairobi" });
    return channel === "sms" ? toGsm7(written) : written;
  };
  return {
    chatter,
    home,
    text,
    sees: (answer, id, values) => expect(answer).toContain(text(id, values)),
    chooses: (id, values) => chatter.chooses(text(id, values)),
  };
}

describe.each(EVERY)("by $channel, in $language, a customer", ({ channel, language }) => {
  test.each(SERVICES)("$name", async ({ talks, ...service }) => {
    expect.hasAssertions();
    await talks(await meet(channel, language, service));
  });

  test("changes the language, and is answered in it from then on", async () => {
    const { chatter, chooses } = await meet(channel, language, {});
    const next = COMPLETE_LANGUAGES[(COMPLETE_LANGUAGES.indexOf(language) + 1) % COMPLETE_LANGUAGES.length] ?? "en";
    const name = { en: "English", fr: "Français", sw: "Kiswahili" }[next];
    await chatter.says("menu");
    await chooses("choice.more");
    await chooses("choice.settings");
    await chooses("choice.language");
    const hello = write({ id: "choice.balance", values: {} }, { language: next, zone: "Africa/Nairobi" });
    const answer = await chatter.chooses(channel === "sms" ? toGsm7(name) : name);
    expect([answer, ...chatter.buttons().map(({ label }) => label)].join("\n")).toContain(hello);
    expect(Object.keys(TEXTS)).toContain(next);
  });
});

describe.each(CHANNELS)("by %s, a stranger", (channel) => {
  let strangers = 0;
  const stranger = async (): Promise<Chatter> => {
    strangers += 1;
    return await makeChatter(
      place.current,
      channel,
      `+25473${String(1_000_000 + 10_000 * CHANNELS.indexOf(channel) + strangers)}`,
    );
  };

  test("becomes a lead", async () => {
    const chatter = await stranger();
    await chatter.says("menu");
    await chatter.chooses(/solar|sola/);
    await chatter.says("Baraka Otieno");
    expect(await chatter.says("Kitui")).toMatch(/agent|Wakala/);
    const [lead] = await db().execute<{ detail: unknown }>(sql`
      select detail from ussd.wishes where kind = 'lead' order by id desc limit 1`);
    expect(lead?.detail).toEqual({ name: "Baraka Otieno", place: "Kitui" });
  });

  test("opens their own account from another's phone by its number and PIN", async () => {
    const home = await makeHousehold(place.current);
    const owner = await makeChatter(place.current, channel, home.phone);
    await owner.says("pin");
    await owner.chooses("Change PIN");
    await owner.says("2580");
    const chatter = await stranger();
    await chatter.says("balance");
    await chatter.says(home.accountNumber);
    const opened = await chatter.says("2580");
    expect(opened).toContain("Asha");
    expect(await chatter.says("balance")).toContain(home.accountNumber);
  });
});
