import type { E164 } from "../customers/customers.ts";
import { HOUR_MS, MINUTE_MS, type Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { AsksDeps } from "./asks.commands.ts";
import type { CallersDeps, KnownCaller } from "./callers.queries.ts";
import { MORE_KEY, renderUssd } from "./channels/render-ussd.ts";
import { readHop } from "./channels/ussd-hop.ts";
import { makeConverse, type Settled } from "./converse.commands.ts";
import { countOnce } from "./counts.store.ts";
import { ways } from "./dialogue/dialogue.ts";
import { line } from "./dialogue/moves.ts";
import type { Session } from "./dialogue/place.ts";
import type { Screen } from "./dialogue/screen.ts";
import { isTooFast, SESSIONS_AN_HOUR } from "./limits.ts";
import type { SimSwaps } from "./sim-swap.commands.ts";
import type { TalkSeal } from "./sessions/sealing.ts";
import {
  lockSession,
  saveRepetition,
  saveSession,
  type SessionKey,
  type StoredSession,
} from "./sessions/sessions.store.ts";

/** One hop of a USSD session, as its gateway told it. */
export interface UssdHop {
  /** The gateway's name for the session. */
  readonly sessionId: string;
  readonly phone: E164;
  readonly text: string;
}

export interface UssdAnswer {
  readonly text: string;
  /** The session is over: the phone shows the text and hangs up. */
  readonly isEnd: boolean;
  /** Whether a conversation began with it. */
  readonly isFirst?: boolean;
  /** How the conversation ended with it. */
  readonly outcome?: string | undefined;
}

export interface Talk {
  /**
   * Answers one hop. A hop that comes again is answered byte for byte and does nothing. Everything of a hop is one transaction: what was
   * asked for, the conversation and its answer are kept together or not at all.
   */
  answerUssd(hop: UssdHop): Promise<UssdAnswer>;
}

/** What was answered, with the pages that are still to be seen. */
interface Shown extends UssdAnswer {
  readonly rest: readonly string[];
  /** Whether nothing follows the last page. */
  readonly endsAfter: boolean;
}

/** Gateways end a session after three minutes; a little more, so that it is not given up before them. */
const USSD_SESSION_MS = 4 * MINUTE_MS;

export function makeTalk({
  db,
  seal,
  simSwaps,
  stopwatch = () => performance.now(),
  ...rest
}: { db: Db; clock: Clock; seal: TalkSeal; simSwaps: SimSwaps; stopwatch?: () => number } & CallersDeps &
  AsksDeps): Talk {
  const deps = { ...rest, simSwaps };
  const { clock } = deps;
  const converse = makeConverse(deps);

  async function answerUssd({ sessionId, phone, text }: UssdHop): Promise<UssdAnswer> {
    const key: SessionKey = { channel: "ussd", phone, key: sessionId };
    const bound = `ussd ${phone} ${sessionId}`;
    const began = stopwatch();
    return await db.transaction(async (tx) => {
      const now = clock.now();
      const stored = await lockSession(tx, key);
      const sinceAnswerMs = stored === undefined ? 0 : now.getTime() - stored.touchedAt.getTime();
      const reading = readHop(stored?.hops, text, { mark: seal.mark, sinceAnswerMs });
      const before = stored === undefined ? undefined : readShown(seal.open(bound, stored.answer));
      // What ended stays ended: a late hop sees the last words again.
      if (
        stored !== undefined &&
        before !== undefined &&
        (reading.kind === "repeated" || stored.outcome !== undefined)
      ) {
        await saveRepetition(tx, key, { hops: reading.memory, now });
        return before;
      }
      const inputs = reading.kind === "said" ? reading.inputs : [];
      // Acts are named by it in the books: no phone number may be read there.
      const name = `ussd:${seal.mark(bound)}`;
      const isTooMuch = await isBeyondLimits(tx, { stored, phone, now });
      const talked = isTooMuch ? stopped(stored) : await talk(tx, { stored, before, inputs, phone, key: name });
      await saveSession(tx, key, {
        state: talked.session,
        hops: reading.memory,
        answer: seal.seal(bound, JSON.stringify(talked.shown)),
        screen: talked.screen,
        hopCount: (stored?.hopCount ?? 0) + 1,
        startedAt: stored?.startedAt ?? now,
        touchedAt: now,
        expiresAt: new Date(now.getTime() + USSD_SESSION_MS),
        outcome: talked.outcome,
        oursMs: stopwatch() - began,
      });
      return { ...talked.shown, isFirst: stored === undefined, outcome: talked.outcome };
    });
  }

  /** A kind word and the end, without looking anybody up. */
  function stopped(stored: StoredSession | undefined): Talked {
    const language = stored?.state.language ?? deps.language;
    const session = stored?.state ?? {
      language,
      trail: [{ at: "home" }],
      isProven: false,
      provenCustomerId: undefined,
    };
    const screen: Screen = {
      at: "end",
      lines: [line("refused.too_often")],
      choices: [],
      takes: "nothing",
      isBinding: false,
    };
    const [text = ""] = renderUssd(screen, { note: undefined, ways: [], language, zone: deps.zone }).pages;
    return { session, shown: { text, rest: [], endsAfter: true, isEnd: true }, screen: "end", outcome: "refused" };
  }

  async function talk(tx: Tx, { stored, before, inputs, phone, key }: Hearing): Promise<Talked> {
    // The next page of what was said already needs nothing of the dialogue.
    const [only, ...others] = inputs;
    if (stored !== undefined && before !== undefined && before.rest.length > 0 && others.length === 0) {
      if (only === MORE_KEY || before.endsAfter) {
        const shown = nextPage(before);
        return { session: stored.state, shown, screen: stored.screen, outcome: shown.isEnd ? TOLD : undefined };
      }
    }
    const begun = await converse.begin(tx, {
      phone,
      session: stored?.state,
      // What was dialled by heart means the same every time.
      mayResume: stored === undefined && inputs.length === 0,
    });
    const { caller, step } = await converse.goOn(tx, begun, {
      said: inputs.map((words) => ({ words })),
      key: `${key}:${String((stored?.hopCount ?? 0) + 1)}`,
      through: "ussd",
    });
    const shown = render(step, caller);
    const outcome = step.kind === "end" && shown.isEnd ? step.outcome : undefined;
    return { session: step.session, shown, screen: step.screen.at, outcome };
  }

  function render(step: Settled, { facts }: KnownCaller): Shown {
    const { language } = step.session;
    const note = step.kind === "screen" ? step.note : undefined;
    const on = step.kind === "end" ? [] : ways(step.session);
    const { pages } = renderUssd(step.screen, { note, ways: on, language, zone: facts.zone });
    const [text = "", ...rest] = pages;
    const endsAfter = step.kind === "end";
    return { text, rest, endsAfter, isEnd: endsAfter && rest.length === 0 };
  }

  // The network may be asked about a SIM card before a hop begins anew, never in the middle of it.
  return { answerUssd: (hop) => simSwaps.askingFirst(() => answerUssd(hop)) };
}

interface Talked {
  readonly session: Session;
  readonly shown: Shown;
  readonly screen: string;
  readonly outcome: string | undefined;
}

/** Whether a session goes faster, or a number dials more often, than any person does. */
async function isBeyondLimits(
  tx: Tx,
  { stored, phone, now }: { stored: StoredSession | undefined; phone: E164; now: Date },
): Promise<boolean> {
  if (stored !== undefined)
    return isTooFast({ hopCount: stored.hopCount, ageMs: now.getTime() - stored.startedAt.getTime() });
  return (await countOnce(tx, { key: `sessions:${phone}`, now, windowMs: HOUR_MS })) > SESSIONS_AN_HOUR;
}

const TOLD = "told";

interface Hearing {
  readonly stored: StoredSession | undefined;
  readonly before: Shown | undefined;
  readonly inputs: readonly string[];
  readonly phone: E164;
  /** Names this conversation; with the number of the hop it names an act. */
  readonly key: string;
}

function nextPage({ rest: [text = "", ...rest], endsAfter }: Shown): Shown {
  return { text, rest, endsAfter, isEnd: endsAfter && rest.length === 0 };
}

function readShown(sealed: string): Shown {
  return JSON.parse(sealed) as Shown;
}
