import type { Language } from "../../kernel/language.ts";
import type { Said } from "../converse.commands.ts";
import type { Facts } from "../dialogue/facts.ts";
import type { Screen } from "../dialogue/screen.ts";
import { isStranger } from "../services/home.ts";
import { write } from "../texts/texts.ts";
import { nearest, plainWords } from "./closeness.ts";
import type { HeardMessage } from "./heard.ts";
import {
  KEYWORDS,
  languagesFrom,
  MEANINGS,
  SERVICES,
  STOP_WORDS,
  wordsOf,
  type Meaning,
  type Service,
  type WordOf,
} from "./keywords.ts";

/** What a message of a chat means where the conversation stands. */
export type Understood =
  /** No more reminders and news. */
  | { readonly kind: "stop" }
  | { readonly kind: "start" }
  /** Goes to the dialogue. `tellsWords`: the answer says which words work everywhere. */
  | { readonly kind: "said"; readonly said: readonly Said[]; readonly tellsWords: boolean }
  /** A button of an older screen. */
  | { readonly kind: "stale" }
  /** `isForPerson`: somebody has to read it whatever came before, such as an account number that our desk asked for. */
  | { readonly kind: "unclear"; readonly isForPerson: boolean };

export interface Present {
  readonly screen: Screen;
  /** Under which its buttons went out; undefined where the conversation begins now. */
  readonly hop: number | undefined;
  readonly facts: Facts;
  readonly language: Language;
}

const said = (...inputs: readonly Said[]): Understood => ({ kind: "said", said: inputs, tellsWords: false });
const UNCLEAR: Understood = { kind: "unclear", isForPerson: false };
const HOME: Said = { words: "00" };
const STOP_WORDS_MAX = 3;
/** In longer ones our words are there by chance. */
const SENTENCE_WORDS_MAX = 15;

/**
 * Understands a message, in this order: words that hold everywhere, then what the present screen asks for or lists, then words of
 * services in every language, forgiving slips. What could mean two things is unclear. Nothing here binds: services are reached
 * as if their numbers were pressed, and no further than to a screen that asks for confirmation.
 */
export function understand({ kind, text }: Pick<HeardMessage, "kind" | "text">, present: Present): Understood {
  switch (kind) {
    case "choice":
      return chosen(text, present);
    case "text":
      return typed(text, present);
    case "contact":
    case "other":
      return UNCLEAR;
  }
}

/** `<hop>.<key>` of a screen of ours, or `menu:<service>` of a template, which is true for ever. */
function chosen(id: string, { hop, facts }: Present): Understood {
  const [, offered, key] = /^(\d{1,9})\.(0|00|[1-5])$/.exec(id) ?? [];
  if (key === "00") return said(HOME);
  if (key !== undefined) return Number(offered) === hop ? said({ words: key }) : { kind: "stale" };
  const service = SERVICES.find((one) => id === `menu:${one}`);
  return service === undefined ? { kind: "stale" } : routed(service, facts);
}

function typed(text: string, present: Present): Understood {
  const { screen, facts } = present;
  const plain = plainWords(text);
  const everywhere = heldEverywhere(text, plain, present);
  if (everywhere !== undefined) return everywhere;
  if (screen.takes === "text" || screen.takes === "secret") return said({ words: text.trim() });
  // A number that is not there is the dialogue's to refuse.
  if (/^\d{1,2}$/.test(plain)) return said({ words: plain });
  const key = labelled(plain, present);
  if (key !== undefined) return said({ words: key });
  return asked(text, plain, present) ?? { kind: "unclear", isForPerson: isAccount(text, facts) };
}

function heldEverywhere(text: string, plain: string, { screen, facts, language }: Present): Understood | undefined {
  // What Telegram sends by itself when a chat is opened.
  if (/^\/start\b/i.test(text)) return said(HOME);
  const words = plain.split(" ");
  const isFree = screen.takes === "choice" || screen.takes === "nothing";
  const [first = ""] = words;
  // Whoever says it means it: "stop please" too, and never by likeness ("shop").
  if (isFree && words.length <= STOP_WORDS_MAX && exactly(first, ["stop"], language) === "stop")
    return { kind: "stop" };
  // What answers a question may be a name that means this elsewhere.
  if (isFree ? isStopWord(plain, language) : exactly(plain, ["stop"], language) === "stop") return { kind: "stop" };
  const meaning =
    exactly(plain, ["start", "menu", "back", "help"], language) ??
    (isFree ? nearly(plain, ["menu", "back", "help"], language) : undefined);
  switch (meaning) {
    case "start":
      return { kind: meaning };
    case "menu":
      return said(HOME);
    case "back":
      return said({ words: "0" });
    case "help":
      return { ...routed("help", facts), tellsWords: true };
    case undefined:
      return undefined;
  }
}

/** Whether somebody wants no more messages, whatever else is known of them. */
export function isStop(text: string, language: Language): boolean {
  return isStopWord(plainWords(text), language);
}

/** A word of another language counts where it means nothing in those that the person reads. */
function isStopWord(plain: string, language: Language): boolean {
  return STOP_WORDS.has(plain) && (exactly(plain, MEANINGS, language) ?? "stop") === "stop";
}

/** The number of the choice whose label was typed. An account number is never taken for another by likeness. */
function labelled(plain: string, { screen, facts, language }: Present): string | undefined {
  const labels = screen.choices.map(
    ({ key, label }) => [plainWords(write(label, { language, zone: facts.zone })), key] as const,
  );
  if (/\d/.test(plain)) return labels.find(([label]) => label === plain)?.[1];
  return nearest(plain, labels);
}

/** A service by its word, alone or with what it needs, or as the only one in a sentence. */
function asked(text: string, plain: string, { facts, language }: Present): Understood | undefined {
  const alone = exactly(plain, SERVICES, language) ?? nearly(plain, SERVICES, language);
  if (alone !== undefined) return routed(alone, facts);
  const [first = "", ...rest] = plain.split(" ");
  const leading = exactly(first, SERVICES, language) ?? nearly(first, SERVICES, language);
  if (leading === "pay" && /\d/.test(rest.join(""))) return paying(text, facts);
  if (rest.length > SENTENCE_WORDS_MAX) return undefined;
  const padded = ` ${plain} `;
  const mentioned = new Set(
    languagesFrom(language).flatMap((spoken) =>
      SERVICES.filter((service) => KEYWORDS[spoken][service].some((word) => padded.includes(` ${word} `))),
    ),
  );
  const [only, ...others] = mentioned;
  return only === undefined || others.length > 0 ? undefined : routed(only, facts);
}

/** "Lipa 100", "pay 50 PG-10234": as far as to the question whether that is meant. */
function paying(text: string, facts: Facts): Understood {
  const [account] = /\bpg[\s._-]*[0-9oil]{4,9}\b/i.exec(text) ?? [];
  const numbers = (account === undefined ? text : text.replace(account, " ")).match(/\S*\d\S*/g) ?? [];
  const [amount] = numbers;
  const payee = account ?? numbers[1];
  const typedAmount: readonly Said[] = amount === undefined ? [] : [{ words: amount, at: "pay_amount" }];
  if (payee === undefined) return said(...ROUTES.pay[who(facts)], ...typedAmount);
  const toAccount = isStranger(facts) ? ROUTES.pay.stranger : PAY_OTHER;
  return said(...toAccount, { words: payee, at: "pay_account" }, ...typedAmount);
}

function routed(service: Service, facts: Facts): Extract<Understood, { kind: "said" }> {
  return { kind: "said", said: ROUTES[service][who(facts)], tellsWords: false };
}

function who(facts: Facts): "customer" | "stranger" {
  return isStranger(facts) ? "stranger" : "customer";
}

function exactly<Wanted extends Meaning>(
  plain: string,
  wanted: readonly Wanted[],
  language: Language,
): Wanted | undefined {
  for (const spoken of languagesFrom(language)) {
    const found = wordsOf(spoken, wanted).find(([word]) => word === plain);
    if (found !== undefined) return found[1];
  }
  return undefined;
}

function nearly<Wanted extends Meaning>(
  plain: string,
  wanted: readonly Wanted[],
  language: Language,
): Wanted | undefined {
  const words: readonly WordOf<Wanted>[] = languagesFrom(language).flatMap((spoken) => wordsOf(spoken, wanted));
  return nearest(plain, words);
}

function isAccount(text: string, { contracts }: Facts): boolean {
  const isWritten = /^\s*pg[\s._-]*[0-9oil]{4,9}\s*$/i.test(text);
  return isWritten || contracts.some(({ account }) => account.endsWith(text.trim()) && /^\d{4,9}$/.test(text.trim()));
}

/** Numbers to press from the first screen, each at its own place: where a screen lies between, it is shown. */
function route(...steps: readonly (readonly [at: NonNullable<Said["at"]>, words: string])[]): readonly Said[] {
  return [HOME, ...steps.map(([at, words]) => ({ at, words }))];
}

const PAY_OTHER = route(["home", "5"], ["more", "3"]);
/** Whoever we do not know proves an account first. */
const MY_ACCOUNT = route(["home", "2"]);
const PERSON_OF_STRANGER = route(["home", "4"]);

const ROUTES: Readonly<Record<Service, Readonly<Record<"customer" | "stranger", readonly Said[]>>>> = {
  balance: { customer: route(["home", "2"]), stranger: MY_ACCOUNT },
  pay: { customer: route(["home", "1"]), stranger: route(["home", "1"]) },
  token: { customer: route(["home", "3"], ["tokens", "1"]), stranger: MY_ACCOUNT },
  help: { customer: route(["home", "4"]), stranger: route() },
  borrow: { customer: route(["home", "5"], ["more", "1"]), stranger: MY_ACCOUNT },
  pay_off: { customer: route(["home", "5"], ["more", "2"]), stranger: MY_ACCOUNT },
  fault: { customer: route(["home", "4"], ["help", "1"]), stranger: PERSON_OF_STRANGER },
  reports: { customer: route(["home", "4"], ["help", "2"]), stranger: PERSON_OF_STRANGER },
  person: { customer: route(["home", "4"], ["help", "3"]), stranger: PERSON_OF_STRANGER },
  language: { customer: route(["home", "5"], ["more", "5"], ["settings", "1"]), stranger: route(["home", "5"]) },
  messages: { customer: route(["home", "5"], ["more", "5"], ["settings", "2"]), stranger: MY_ACCOUNT },
  refer: { customer: route(["home", "5"], ["more", "4"]), stranger: route() },
  settings: { customer: route(["home", "5"], ["more", "5"]), stranger: MY_ACCOUNT },
};
