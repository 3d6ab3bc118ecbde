import type { E164 } from "../customers/customers.ts";
import { MINUTE_MS } from "../kernel/time.ts";
import type { Intent } from "../payments/payments.ts";
import type { Tx } from "../platform/database.ts";
import { makeAsks, type AsksDeps } from "./asks.commands.ts";
import { findCaller, type CallersDeps, type KnownCaller } from "./callers.queries.ts";
import { ACTS } from "./dialogue/asks.ts";
import { hear, openSession, resume, show, type Step } from "./dialogue/dialogue.ts";
import type { Place, Session } from "./dialogue/place.ts";
import { offerToResume } from "./services/resume.ts";
import { findUnfinished } from "./sessions/sessions.store.ts";

/** What can be shown: a screen or an end, never a question to the house. */
export type Settled = Exclude<Step, { kind: "ask" }>;

/** Somebody, and where they stand in the dialogue. */
export interface Standing {
  readonly caller: KnownCaller;
  readonly step: Settled;
}

/** One thing that a person said. With `at` it is heard at that place alone: what comes elsewhere ends what was said. */
export interface Said {
  readonly words: string;
  readonly at?: Place["at"];
}

export interface Converse {
  /**
   * Looks the caller up and shows where the conversation stands. Without a session it begins at home, or where `mayResume` by asking
   * whether to go on with what was left a short while ago, on whatever channel.
   */
  begin(tx: Tx, who: { phone: E164; session: Session | undefined; mayResume?: boolean }): Promise<Standing>;
  /**
   * Hears what was said, in order, and lets the house answer what the dialogue asks. Several things at once go no further than
   * to a screen that binds. `key` names the hop: each act is one in the books however often it comes.
   */
  goOn(
    tx: Tx,
    standing: Standing,
    hop: { said: readonly Said[]; key: string; through: Intent["askedThrough"] },
  ): Promise<Standing>;
}

/** Whoever calls or writes again so soon means to go on. */
const RESUME_MS = 15 * MINUTE_MS;
/** No screen needs more to be shown. */
const ASKS_MAX = 5;

/** The one dialogue, with the house behind it: what USSD and all chats have in common. */
export function makeConverse(deps: CallersDeps & AsksDeps): Converse {
  const asks = makeAsks(deps);

  /** Lets the house answer what the dialogue asks, until there is something to show. */
  async function settle(
    tx: Tx,
    first: Step,
    { caller, key, through }: { caller: KnownCaller; key: string; through: Intent["askedThrough"] },
  ): Promise<Settled> {
    let step = first;
    let known = caller;
    for (let asked = 0; step.kind === "ask"; asked++) {
      if (asked === ASKS_MAX) throw new Error(`Bug: the dialogue asks on and on (${step.ask.kind}).`);
      const { session } = step;
      const asking = { caller: known, session, key: `${key}.${String(asked)}`, through };
      const answer = await asks.answer(tx, step.ask, asking);
      // Whoever just proved who they are sees their own first screen, not that of the stranger they were.
      const learned = answer.kind === "person" ? { ...session, provenCustomerId: answer.customerId } : session;
      if (ACTS.has(step.ask.kind)) known = await findCaller(tx, { phone: known.phone, session: learned }, deps);
      step = resume(session, answer, known.facts);
    }
    return step;
  }

  async function openOrResume(tx: Tx, { phone, facts }: KnownCaller): Promise<Session> {
    const left = await findUnfinished(tx, { phone, since: new Date(deps.clock.now().getTime() - RESUME_MS) });
    const fresh = openSession(facts);
    return left === undefined ? fresh : offerToResume(fresh, left);
  }

  return {
    async begin(tx, { phone, session, mayResume = false }) {
      const caller = await findCaller(tx, { phone, session }, deps);
      const opened = session ?? (mayResume ? await openOrResume(tx, caller) : openSession(caller.facts));
      return { caller, step: show(opened, caller.facts) };
    },
    async goOn(tx, standing, { said, key, through }) {
      let { caller, step } = standing;
      for (const [at, { words, at: where }] of said.entries()) {
        if (step.kind === "end" || (at > 0 && step.screen.isBinding)) break;
        if (where !== undefined && step.screen.at !== where) break;
        step = await settle(tx, hear(step.session, words, caller.facts), {
          caller,
          key: `${key}.${String(at)}`,
          through,
        });
        if (at < said.length - 1) caller = await findCaller(tx, { phone: caller.phone, session: step.session }, deps);
      }
      return { caller, step };
    },
  };
}
