import { between, type Chance } from "../../simulators/rail/chance.ts";
import type { Life } from "./life.ts";
import { makeConversation, type Conversation } from "./model.ts";
import type { Spot } from "./spots.ts";
import { patternOf, write, type Expected } from "./texts.ts";
import { AMOUNTS, payees } from "./typed.ts";
import { required } from "./village.ts";

/** One hop as it was answered, beside what it should have been answered with. */
export interface Heard {
  readonly phone: string;
  readonly text: string;
  /** Each of the same hop, sent so many times at once. */
  readonly answers: readonly string[];
  /** As a text where all of it is known, otherwise as a pattern. */
  readonly expected: string | { readonly pattern: string };
  readonly habit: string;
}

/** A session as the model ended it; undefined: whoever called just stopped. */
export interface Ended {
  readonly phone: string;
  readonly sessionId: string;
  readonly outcome: string | undefined;
}

export interface Door {
  hop(fields: { sessionId: string; phoneNumber: string; text: string }): Promise<string>;
  end(fields: { sessionId: string; phoneNumber: string; status: string }): Promise<void>;
}

/** Somebody with a phone, behind a gateway with habits. Does one thing a turn. */
export interface Caller {
  readonly life: Life;
  readonly heard: readonly Heard[];
  readonly ended: readonly Ended[];
  readonly isDone: boolean;
  turn(nowMs: number): Promise<void>;
}

interface Call {
  readonly sessionId: string;
  readonly talk: Conversation;
  readonly joins: boolean;
  /** All that the gateway has sent, in its order. */
  readonly texts: string[];
  readonly typed: string[];
  answer: string;
  /** Whether the gateway has shown that it joins, or that it does not. */
  isKnown: boolean;
  repeats: number;
  /** The last text that was heard, and not taken for a repetition. */
  said: string;
  /** When its last hop came. */
  atMs: number;
}

const RESUME_MS = 15 * 60_000;
const PAGE_MAX = 182 - "CON ".length;

export function makeCaller({
  life,
  chance,
  door,
  sessionIds,
  calls,
}: {
  life: Life;
  chance: Chance;
  door: Door;
  /** Names of sessions that any caller had: a gateway may use one again for another. */
  sessionIds: string[];
  calls: number;
}): Caller {
  const { person } = life;
  const heard: Heard[] = [];
  const ended: Ended[] = [];
  const used = new Set<string>();
  let call: Call | undefined;
  let left: { readonly spots: readonly Spot[]; readonly atMs: number } | undefined;
  let [made, pause] = [0, between(chance, [0, 6])];
  const happens = (share: number): boolean => chance() < share;
  const pick = <Item>(items: readonly Item[]): Item => required(items[Math.floor(chance() * items.length)]);

  /** Sends a hop, perhaps several times at the same moment, and notes what came back. */
  async function send(
    one: Call,
    { text, expected, habit }: { text: string; expected: string | Expected; habit: string },
  ): Promise<void> {
    const times = happens(0.15) ? between(chance, [2, 3]) : 1;
    const fields = { sessionId: one.sessionId, phoneNumber: person.phone, text };
    const answers = await Promise.all(Array.from({ length: times }, () => door.hop(fields)));
    const [first = ""] = answers;
    one.repeats += times - 1;
    one.texts.push(text);
    note({ text, answers, expected: typeof expected === "string" ? expected : wanted(expected), habit });
    one.answer = first;
  }

  function note(one: Omit<Heard, "phone">): void {
    heard.push({ phone: person.phone, ...one });
  }

  function wanted({ isEnd, body, foot }: Expected): Heard["expected"] {
    const whole = foot === "" ? body : `${body}\n${foot}`;
    const text = `${isEnd ? "END" : "CON"} ${whole}`;
    return /ZZ[A-Z]+ZZ/.test(text) ? { pattern: patternOf(text).source } : text;
  }

  /** What is too long for one screen comes in pages; somebody reads them all, and only then goes on. */
  async function sendPaged(one: Call, { text, expected }: { text: string; expected: Expected }): Promise<void> {
    const { body, foot, isEnd } = expected;
    const more = `9 ${write(["way.more"], life.language)}`;
    let [page, read] = ["", ""];
    for (let turn = 0; turn < 6; turn++) {
      const next = turn === 0 ? text : textOf(one, "9");
      page = await door.hop({ sessionId: one.sessionId, phoneNumber: person.phone, text: next });
      one.texts.push(next);
      const lines = page.slice(4).split("\n");
      const isLast = !(lines.at(-1) ?? "").startsWith(more);
      read += ` ${(isLast && foot === "" ? lines : lines.slice(0, -1)).join(" ")}`;
      if (isLast) break;
      if (!page.startsWith("CON ")) break;
      if (!one.joins) one.isKnown ||= next !== "9";
    }
    one.answer = page;
    const [got, should] = [read, body].map((all) => all.replace(/\s+/g, " ").trim());
    const pattern = patternOf(should ?? "").source;
    note({ text, answers: [got ?? ""], expected: { pattern }, habit: "pages" });
    if (page.startsWith("END") !== isEnd)
      note({ text, answers: [page], expected: isEnd ? "an END" : "a CON", habit: "pages" });
  }

  function textOf(one: Call, input: string): string {
    one.typed.push(input);
    return one.joins ? one.typed.join("*") : input;
  }

  async function say(one: Call, { text, expected, habit }: { text: string; expected: Expected; habit: string }) {
    const { body, foot } = expected;
    const length = body.length + (foot === "" ? 0 : foot.length + 1);
    if (length > PAGE_MAX) await sendPaged(one, { text, expected });
    else await send(one, { text, expected, habit });
    const [, number] = /(R-\d+)/.exec(one.answer) ?? [];
    const [report] = life.reports;
    if (number !== undefined && report?.number.startsWith("ZZ") === true) report.number = number;
  }

  async function dial(nowMs: number): Promise<void> {
    made += 1;
    const reused = happens(0.1) ? sessionIds.filter((id) => !used.has(id)) : [];
    const sessionId = reused.length > 0 ? pick(reused) : `ATUid_${person.phone.slice(1)}_${String(made)}`;
    used.add(sessionId);
    sessionIds.push(sessionId);
    const talk = makeConversation(life);
    const tail = happens(0.2)
      ? Array.from({ length: between(chance, [1, 3]) }, () => pick(["1", "2", "3", "4", "5"]))
      : [];
    const text = tail.join("*");
    call = {
      sessionId,
      talk,
      joins: happens(0.6),
      texts: [],
      typed: [...tail],
      answer: "",
      isKnown: false,
      repeats: 0,
      said: text,
      atMs: nowMs,
    };
    const offered = left !== undefined && nowMs - left.atMs < RESUME_MS ? left.spots : undefined;
    const { expected } = talk.begin(nowMs, tail, offered);
    await say(call, { text, expected, habit: tail.length > 0 ? "dialled at once" : "dialled" });
    left = undefined;
    await afterHop(call);
  }

  /** Hears of an end, and lets the gateway tell of it too. */
  async function afterHop(one: Call): Promise<void> {
    if (one.talk.outcome === undefined) return;
    await hangUp(one, "Success");
  }

  async function hangUp(one: Call, status: string): Promise<void> {
    if (one.talk.outcome === undefined && !one.talk.isElsewhere) left = { spots: one.talk.spots, atMs: one.atMs };
    const { sessionId } = one;
    ended.push({ phone: person.phone, sessionId, outcome: one.talk.outcome });
    call = undefined;
    pause = between(chance, [1, 8]);
    if (happens(0.4)) {
      await door.end({ sessionId, phoneNumber: person.phone, status });
      if (happens(0.3)) await door.end({ sessionId, phoneNumber: person.phone, status });
    }
    // The network held a hop back, and delivers it when all is over.
    if (happens(0.2) && one.talk.outcome !== undefined)
      await send(one, { text: required(one.texts.at(-1)), expected: one.answer, habit: "again after the end" });
  }

  async function goOn(one: Call, nowMs: number): Promise<void> {
    const { talk } = one;
    if (happens(0.05)) return await hangUp(one, "Incomplete");
    if (happens(0.05)) {
      one.atMs = nowMs;
      await send(one, { text: "", expected: one.answer, habit: "the session begun again" });
      one.repeats += 1;
      return;
    }
    const older = one.texts.filter((text) => text !== one.texts.at(-1) && text !== "");
    if (one.joins && one.isKnown && older.length > 0 && happens(0.08)) {
      one.atMs = nowMs;
      await send(one, { text: pick(older), expected: one.answer, habit: "an overtaken hop" });
      return;
    }
    if (happens(0.03)) {
      // The gateway gives the session up, and the person's last word comes after that.
      const { sessionId } = one;
      await door.end({ sessionId, phoneNumber: person.phone, status: "Incomplete" });
      const spots = talk.spots;
      const isElsewhere = talk.isElsewhere;
      await send(one, { text: textOf(one, "1"), expected: one.answer, habit: "a hop after the gateway's end" });
      ended.push({ phone: person.phone, sessionId, outcome: "abandoned" });
      left = isElsewhere ? undefined : { spots, atMs: one.atMs };
      call = undefined;
      pause = between(chance, [1, 8]);
      return;
    }
    // Alone, an empty answer is a session that begins again.
    const typed = inputAt(talk.spots);
    one.atMs = nowMs;
    const inputs = [typed === "" && !one.joins ? "1" : typed];
    // A hop is lost on its way, and the next one tells both.
    if (one.joins && happens(0.06)) inputs.push(pick(["1", "2", "0", "50"]));
    let text = "";
    for (const input of inputs) text = textOf(one, input);
    if (!one.joins && text === one.said && !one.isKnown && one.repeats === 0) {
      // It cannot be told from a repetition yet; the person types it once more.
      await send(one, { text, expected: one.answer, habit: "typed twice, first time" });
      one.repeats += 1;
      return;
    }
    one.isKnown ||= one.said !== "" || inputs.length > 1;
    one.said = text;
    one.repeats = 0;
    const { expected } = talk.hear(nowMs, inputs);
    await say(one, { text, expected, habit: inputs.length > 1 ? "a hop was lost" : "answered" });
    await afterHop(one);
  }

  /** What people type: mostly what is asked for, sometimes not. */
  function inputAt(spots: readonly Spot[]): string {
    if (happens(0.05)) return pick(["0", "00", "8", "#", "hello"]);
    const here = required(spots.at(-1));
    const own = `0${person.phone.slice(4)}`;
    const account = happens(0.2) ? undefined : person.elsewhere?.contracts[0]?.account;
    const pin = happens(0.75) ? life.pins.get((person.customer ?? person.elsewhere)?.id ?? "") : pick(["0007", "12"]);
    const phones = [`07${own.slice(2, 9)}9`, own, "12", "nobody"];
    const words = ["1", "since yesterday", "tangu jana", "il ne marche plus", ""];
    const typed: Readonly<Partial<Record<Spot["at"], readonly string[]>>> = {
      pay_account: [...payees.keys(), "hello", ""],
      identify_account: [account ?? "PG-9999"],
      pay_amount: [...AMOUNTS.keys(), "much"],
      pay_phone: phones,
      refer: phones,
      pin: [pin ?? "2580"],
      identify_pin: [pin ?? "2580"],
      new_pin: ["2580", "1470", "9031", "1111", "12", "1234"],
      fault_note: words,
      person: words,
      lead_name: ["Juma Otieno", "Kitui", "X"],
      lead_place: ["Juma Otieno", "Kitui", "X"],
    };
    return pick(typed[here.at] ?? ["1", "1", "2", "3", "4", "5"]);
  }

  return {
    life,
    heard,
    ended,
    get isDone() {
      return made >= calls && call === undefined;
    },
    async turn(nowMs) {
      if (call !== undefined) return await goOn(call, nowMs);
      if (pause > 0) {
        pause -= 1;
        return;
      }
      if (made < calls) await dial(nowMs);
    },
  };
}
