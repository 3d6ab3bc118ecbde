import { DAY_MS, HOUR_MS } from "../../src/kernel/time.ts";
import { guess, light, paymentsOf, times, wish, type Life } from "./life.ts";
import { PAYBILL } from "./program.ts";
import { screenOf } from "./screens.ts";
import { BINDING, DAY_MINOR, FAULTS, hasMore, NAMES, PROVEN, type Purpose, type Spot } from "./spots.ts";
import { AMOUNTS, GUESSED, masked, payees, PHONE } from "./typed.ts";
import { money, UNKNOWN, write, type Expected, type Said } from "./texts.ts";
import { required, type Contract, type Customer } from "./village.ts";

/**
 * What a conversation should be, told a second time: from the texts of the screens and the rules of the field alone, as somebody would
 * who only ever held the phone. It shares no line with the program's dialogue.
 */

/** What a hop must be answered with, and where that leaves the conversation. */
export interface Reply {
  readonly expected: Expected;
  readonly outcome: string | undefined;
}

type Turn =
  | { readonly kind: "to"; readonly spot: Spot }
  | { readonly kind: "instead"; readonly spot: Spot }
  | { readonly kind: "note"; readonly note: Said }
  | { readonly kind: "over"; readonly outcome: string; readonly says: readonly Said[] };

const to = (spot: Spot): Turn => ({ kind: "to", spot });
const note = (id: string, values: Said[1] = {}): Turn => ({ kind: "note", note: [id, values] });
const over = (outcome: string, ...says: readonly Said[]): Turn => ({ kind: "over", outcome, says });
const NOT_LISTED = note("again.choice");
const MINIMUM_MINOR = 1_000;

/** One call. */
export interface Conversation {
  readonly spots: readonly Spot[];
  /** Whoever proved an account from a strange phone begins anew in the next call. */
  readonly isElsewhere: boolean;
  readonly outcome: string | undefined;
  /** The first screen, or that of what was dialled at once. */
  begin(nowMs: number, dialled: readonly string[], left: readonly Spot[] | undefined): Reply;
  /** Several where hops were lost on their way. */
  hear(nowMs: number, inputs: readonly string[]): Reply;
}

export function makeConversation(life: Life): Conversation {
  const { person, acts } = life;
  let spots: readonly Spot[] = [{ at: "home" }];
  let proven = false;
  let elsewhere: Customer | undefined;
  let outcome: string | undefined;
  let { language } = life;
  let now = 0;

  const who = (): Customer | undefined => elsewhere ?? person.customer;
  const contracts = (): readonly Contract[] => who()?.contracts ?? [];
  const spot = (): Spot => spots.at(-1) ?? { at: "home" };
  const isStranger = (): boolean => who() === undefined;
  const hasPin = (): boolean => life.pins.has(who()?.id ?? "");

  function show(said?: Said): Expected {
    const here = spot();
    const [lines, choices] = screenOf(here, { life, who: who(), language, nowMs: now });
    const body = [...(said === undefined ? [] : [said]), ...lines].map((one) => write(one, language));
    const listed = choices.map((choice, at) => `${String(at + 1)}. ${write(choice, language)}`);
    const back = `0 ${write(["way.back"], language)}`;
    const foot = spots.length === 1 ? "" : spots.length === 2 ? back : `${back}  00 ${write(["way.home"], language)}`;
    return { isEnd: false, body: [...body, ...listed].join("\n"), foot };
  }

  function withContract(purpose: Purpose): Turn {
    const [first, second] = contracts();
    if (first === undefined) return over("told", ["contract.none"]);
    return second === undefined ? actOn(purpose, first) : to({ at: "choose", purpose, from: 0 });
  }

  function actOn(purpose: Purpose, contract: Contract): Turn {
    const { account } = contract;
    // Days that were lent move from the price to the debt; together they stay the same.
    const owedMinor = contract.outstandingMinor - contract.carriedMinor;
    switch (purpose) {
      case "pay":
        return to({
          at: "pay_amount",
          payee: { account, name: who()?.name ?? "", minimumMinor: MINIMUM_MINOR, dayMinor: DAY_MINOR },
        });
      case "balance": {
        const days = light(life, contract, now);
        return over(
          "told",
          days === 0 ? ["balance.off", { account }] : ["balance.days", { account, days }],
          ["balance.owed", { amount: money(owedMinor) }],
          ["balance.price", { amount: money(DAY_MINOR) }],
        );
      }
      case "tokens":
        return to({ at: "tokens", contract });
      case "borrow": {
        const why = loanRefusal(contract);
        return why === undefined ? to({ at: "borrow", contract, days: [1, 2, 3] }) : over("refused", [why]);
      }
      case "pay_off":
        return to({ at: "pay_off", contract, minor: owedMinor, untilMs: quoted(contract, owedMinor) });
      case "fault":
        return to({ at: "fault", contract });
    }
  }

  function quoted({ id }: Contract, minor: number): number {
    const last = life.quotes.get(id);
    if (last?.minor === minor && last.untilMs >= now) return last.untilMs;
    life.quotes.set(id, { minor, untilMs: now + DAY_MS });
    return now + DAY_MS;
  }

  /** Whoever paid three times, owes no loan and is about to sit in the dark may borrow. */
  function loanRefusal(contract: Contract): string | undefined {
    if (contract.payments.length < 3) return "refused.loan_not_yet";
    if (life.lent.has(contract.id)) return "refused.loan_none_left";
    if ((contract.paidUntilMs ?? now) - now > DAY_MS) return "refused.loan_light_left";
    return undefined;
  }

  function told(contract: Contract): Turn {
    return contract.payments.length === 0
      ? over("refused", ["refused.no_tokens"])
      : over("told", ["tokens.told", { account: contract.account, count: 1, tokens: UNKNOWN.tokens }]);
  }

  function answer(said: string): Turn {
    const here = spot();
    const at = /^[1-5]$/.test(said) ? Number(said) - 1 : -1;
    switch (here.at) {
      case "home":
        if (isStranger())
          return (
            [
              to({ at: "pay_account" }),
              to({ at: "identify_account" }),
              to({ at: "lead_name" }),
              to({ at: "person" }),
              to({ at: "language", from: 0 }),
            ][at] ?? NOT_LISTED
          );
        if (at < 0) return NOT_LISTED;
        return at === 3
          ? to({ at: "help" })
          : at === 4
            ? to({ at: "more" })
            : withContract((["pay", "balance", "tokens"] as const)[at] ?? "pay");
      case "resume":
        if (at === 0 || at === 1) {
          spots = at === 0 ? here.spots : [{ at: "home" }];
          return { kind: "instead", spot: spot() };
        }
        return NOT_LISTED;
      case "more":
        if (at === 0) return withContract("borrow");
        if (at === 1) return withContract("pay_off");
        return (
          [undefined, undefined, to({ at: "pay_account" }), to({ at: "refer" }), to({ at: "settings" })][at] ??
          NOT_LISTED
        );
      case "help":
        if (at === 0) return withContract("fault");
        return [undefined, to({ at: "reports" }), to({ at: "person" })][at] ?? NOT_LISTED;
      case "settings":
        if (at === 2) {
          const fresh: Spot = { at: "new_pin", next: { at: "home" } };
          return to(hasPin() ? { at: "pin", next: fresh } : fresh);
        }
        return [to({ at: "language", from: 0 }), to({ at: "messages" })][at] ?? NOT_LISTED;
      case "language": {
        if (at === 4 && hasMore(NAMES, here.from)) return { kind: "instead", spot: { ...here, from: here.from + 4 } };
        const [chosen] = at < 0 ? [] : (NAMES[here.from + at] ?? []);
        if (chosen === undefined) return NOT_LISTED;
        const customer = who();
        if (customer !== undefined) life.languages.set(customer.id, chosen);
        language = chosen;
        life.language = chosen;
        spots = [{ at: "home" }];
        return { kind: "instead", spot: { at: "home" } };
      }
      case "choose": {
        if (at === 4 && hasMore(contracts(), here.from))
          return { kind: "instead", spot: { ...here, from: here.from + 4 } };
        const contract = at < 0 ? undefined : contracts()[here.from + at];
        return contract === undefined ? NOT_LISTED : actOn(here.purpose, contract);
      }
      case "pay_account": {
        if (said === "") return note("again.account");
        if (times(life, "find_payee", { nowMs: now, windowMs: HOUR_MS }) > 20) return note("refused.too_often");
        const known = payees.get(said);
        if (known === undefined) return note("refused.account_unknown");
        const isOwn = contracts().some(({ account }) => account === said);
        const name = isOwn ? known : masked(known);
        return to({
          at: "pay_amount",
          payee: { account: said, name, minimumMinor: MINIMUM_MINOR, dayMinor: DAY_MINOR },
        });
      }
      case "pay_amount": {
        const minor = AMOUNTS.get(said) ?? (/^\d+$/.test(said) ? Number(said) * 100 : 0);
        if (minor === 0) return note("again.amount", { currency: "KES" });
        if (minor < here.payee.minimumMinor) return note("again.minimum", { amount: money(here.payee.minimumMinor) });
        return to({ at: "pay_confirm", payee: here.payee, minor, phone: person.phone });
      }
      case "pay_confirm": {
        const { payee, minor, phone } = here;
        if (at === 1) return to({ at: "pay_phone", payee, minor });
        if (at === 2)
          return over(
            "told",
            contracts().some(({ account }) => account === payee.account)
              ? ["pay.by_hand", { paybill: PAYBILL, account: payee.account }]
              : ["pay.by_hand_call", { account: payee.account }],
          );
        if (at !== 0) return NOT_LISTED;
        if (times(life, "prompt", { nowMs: now, windowMs: HOUR_MS }) > 10)
          return over("refused", ["refused.too_often"]);
        acts.push({ kind: "prompt", account: payee.account, phone, minor });
        return over("payment_asked", ["pay.asked", { amount: money(minor), phone }]);
      }
      case "pay_phone": {
        const phone = PHONE.test(said) ? `+254${said.slice(1)}` : undefined;
        if (phone === undefined) return note("refused.phone_wrong");
        return { kind: "instead", spot: { at: "pay_confirm", payee: here.payee, minor: here.minor, phone } };
      }
      case "tokens":
        if (at === 0) return told(here.contract);
        if (at !== 1) return NOT_LISTED;
        return here.contract.payments.length === 0
          ? over("refused", ["refused.no_payments"])
          : to({ at: "payments", contract: here.contract });
      case "payments":
        return at >= 0 && at < paymentsOf(life, here.contract).length ? told(here.contract) : NOT_LISTED;
      case "borrow": {
        const days = at < 0 ? undefined : here.days[at];
        if (days === undefined) return NOT_LISTED;
        const next: Spot = { at: "borrow_confirm", contract: here.contract, days };
        return to(proven ? next : { at: hasPin() ? "pin" : "new_pin", next });
      }
      case "borrow_confirm": {
        if (at === 1) return over("left", ["left"]);
        if (at !== 0) return NOT_LISTED;
        const why = loanRefusal(here.contract);
        if (why !== undefined) return over("refused", [why]);
        acts.push({ kind: "loan", contractId: here.contract.id, days: here.days });
        // Days that were lent run on from whatever was left.
        life.lent.set(here.contract.id, {
          untilMs: Math.max(now, here.contract.paidUntilMs ?? now) + here.days * DAY_MS,
          amountMinor: here.days * DAY_MINOR,
          atMs: now,
        });
        const { account } = here.contract;
        return over("borrowed", ["borrow.done", { days: here.days, account, count: 1, tokens: UNKNOWN.tokens }]);
      }
      case "pay_off": {
        if (at !== 0) return NOT_LISTED;
        const payee = {
          account: here.contract.account,
          name: who()?.name ?? "",
          minimumMinor: here.minor,
          dayMinor: here.minor,
        };
        return to({ at: "pay_confirm", payee, minor: here.minor, phone: person.phone });
      }
      case "fault": {
        const fault = FAULTS[at];
        return fault === undefined ? NOT_LISTED : to({ at: "fault_note", contract: here.contract, fault });
      }
      case "fault_note": {
        if (said === "") return note("again.words");
        if (
          !wish(life, { kind: "fault", nowMs: now, category: here.fault, detail: { note: said === "1" ? "" : said } })
        )
          return note("refused.too_often");
        life.reports.unshift({ number: UNKNOWN.report, fault: here.fault, atMs: now });
        return over("reported", ["fault.done", { number: UNKNOWN.report }]);
      }
      case "reports":
        return NOT_LISTED;
      case "person":
        if (said === "") return note("again.words");
        return wish(life, { kind: "call", nowMs: now, detail: { note: said === "1" ? "" : said } })
          ? over("person_asked", ["person.done"])
          : note("refused.too_often");
      case "refer": {
        const phone = PHONE.test(said) ? `+254${said.slice(1)}` : undefined;
        if (phone === undefined || phone === person.phone) return note("refused.phone_wrong");
        return wish(life, { kind: "friend", nowMs: now, detail: { phone } })
          ? over("referred", ["refer.done"])
          : note("refused.too_often");
      }
      case "messages": {
        if (at !== 0 && at !== 1) return NOT_LISTED;
        const has = required(life.consents.get(who()?.id ?? ""));
        if (at === 0) has.service = !has.service;
        else has.marketing = !has.marketing;
        return over("settled", ["messages.done"]);
      }
      case "pin": {
        if (!/^\d{4}$/.test(said)) return note("again.pin");
        const verdict = guess(life, who()?.id ?? "", said);
        if (verdict === "locked") return over("refused", ["refused.pin_locked"]);
        if (verdict === "wrong") return note("refused.pin_wrong");
        proven = true;
        return { kind: "instead", spot: here.next };
      }
      case "new_pin": {
        if (!/^\d{4}$/.test(said) || GUESSED.has(said)) return note("again.new_pin");
        life.pins.set(who()?.id ?? "", said);
        if (elsewhere === undefined) life.pinFailures.delete(who()?.id ?? "");
        proven = true;
        return here.next.at === "home" ? over("settled", ["pin.set"]) : { kind: "instead", spot: here.next };
      }
      case "identify_account":
        return said === "" ? note("again.account") : to({ at: "identify_pin", account: said });
      case "identify_pin": {
        if (!/^\d{4}$/.test(said)) return note("again.pin");
        if (times(life, "identify", { nowMs: now, windowMs: DAY_MS }) > 10)
          return over("refused", ["refused.pin_locked"]);
        const target = person.elsewhere;
        if (target === undefined || target.contracts[0]?.account !== here.account)
          return over("refused", ["refused.pin_wrong"]);
        const verdict = guess(life, target.id, said);
        if (verdict !== undefined) return over("refused", [`refused.pin_${verdict}`]);
        proven = true;
        elsewhere = target;
        spots = [{ at: "home" }];
        return { kind: "instead", spot: { at: "home" } };
      }
      case "lead_name":
        return said.length < 2 ? note("again.words") : to({ at: "lead_place", name: said });
      case "lead_place":
        if (said.length < 2) return note("again.words");
        return wish(life, { kind: "lead", nowMs: now, detail: { name: here.name, place: said } })
          ? over("lead", ["lead.done"])
          : note("refused.too_often");
    }
  }

  /** One input; answers what is shown after it. */
  function hearOne(input: string): Expected {
    const said = input.trim();
    if (said === "00") {
      spots = [{ at: "home" }];
      return show();
    }
    if (said === "0") {
      spots = spots.length > 1 ? spots.slice(0, -1) : spots;
      return show();
    }
    const turn = answer(said);
    switch (turn.kind) {
      case "to":
        spots = [...spots, turn.spot];
        return show();
      case "instead":
        spots = [...spots.slice(0, -1), turn.spot];
        return show();
      case "note":
        return show(turn.note);
      case "over":
        outcome = turn.outcome;
        return { isEnd: true, body: turn.says.map((one) => write(one, language)).join("\n"), foot: "" };
    }
  }

  function hear(nowMs: number, inputs: readonly string[]): Reply {
    now = nowMs;
    let expected = show();
    for (const [at, input] of inputs.entries()) {
      if (outcome !== undefined || (at > 0 && BINDING.has(spot().at))) break;
      expected = hearOne(input);
    }
    return { expected, outcome };
  }

  return {
    get spots() {
      return spots;
    },
    get isElsewhere() {
      return elsewhere !== undefined;
    },
    get outcome() {
      return outcome;
    },
    begin(nowMs, dialled, left) {
      now = nowMs;
      const last = left?.at(-1);
      const stood = last?.at === "resume" ? last.spots : (left ?? []);
      const end = stood.findIndex(({ at }) => PROVEN.has(at));
      const again = end < 0 ? stood : stood.slice(0, end);
      if (dialled.length === 0 && again.length > 1) spots = [{ at: "home" }, { at: "resume", spots: again }];
      return hear(nowMs, dialled);
    },
    hear,
  };
}
