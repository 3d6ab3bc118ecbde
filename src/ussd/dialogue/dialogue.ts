import { accountHandlers } from "../services/account.ts";
import { agentHandlers } from "../services/agent.ts";
import { faultHandlers } from "../services/fault.ts";
import { homeHandlers } from "../services/home.ts";
import { identityHandlers } from "../services/identity.ts";
import { loanHandlers } from "../services/loan.ts";
import { payHandlers } from "../services/pay.ts";
import { resumeHandlers } from "../services/resume.ts";
import { settingsHandlers } from "../services/settings.ts";
import type { Line } from "../texts/texts.ts";
import type { Answer, Ask } from "./asks.ts";
import type { Facts } from "./facts.ts";
import { line, type Handler, type Handlers, type Move, type Outcome } from "./moves.ts";
import type { Place, Session } from "./place.ts";
import type { Screen } from "./screen.ts";

/** What comes next: something to show, or something to find out first and then `resume` with. */
export type Step =
  | { readonly kind: "screen"; readonly session: Session; readonly screen: Screen; readonly note: Line | undefined }
  | { readonly kind: "ask"; readonly session: Session; readonly ask: Ask }
  | { readonly kind: "end"; readonly session: Session; readonly screen: Screen; readonly outcome: Outcome };

const HANDLERS: Handlers<Place["at"]> = {
  ...homeHandlers,
  ...resumeHandlers,
  ...accountHandlers,
  ...payHandlers,
  ...loanHandlers,
  ...faultHandlers,
  ...settingsHandlers,
  ...identityHandlers,
  ...agentHandlers,
};

/** No service goes deeper; a trail that would is cut in its middle, so that "home" still is home. */
const TRAIL_MAX = 12;

/** A new conversation, before anything was said. */
export function openSession(facts: Facts): Session {
  return { language: facts.caller.language, trail: [{ at: "home" }], isProven: false, provenCustomerId: undefined };
}

/** Shows where the conversation stands. */
export function show(session: Session, facts: Facts, note?: Line): Extract<Step, { kind: "screen" }> {
  const place = placeOf(session);
  return { kind: "screen", session, screen: handlerOf(place).show(place, facts), note };
}

/** What a person said. "0" leads back, "00" home, wherever they are. */
export function hear(session: Session, said: string, facts: Facts): Step {
  const words = said.trim();
  if (words === "00") return show({ ...session, trail: [{ at: "home" }] }, facts);
  if (words === "0") return show(backFrom(session), facts);
  const place = placeOf(session);
  return follow(session, handlerOf(place).hear(place, words, facts), facts);
}

/** The answer to what the last step asked. */
export function resume(session: Session, answer: Answer, facts: Facts): Step {
  const place = placeOf(session);
  const { told } = handlerOf(place);
  if (told === undefined) throw new Error(`Bug: ${place.at} asks nothing.`);
  return follow(session, told(place, answer, facts), facts);
}

function follow(session: Session, move: Move, facts: Facts): Step {
  switch (move.kind) {
    case "go":
      return show(
        { ...session, trail: [...session.trail.slice(0, 1), ...session.trail.slice(1).slice(-TRAIL_MAX), move.place] },
        facts,
      );
    case "instead":
      return show({ ...session, trail: [...session.trail.slice(0, -1), move.place] }, facts);
    case "ask":
      return { kind: "ask", session, ask: move.ask };
    case "again":
      return show(session, facts, move.note);
    case "with":
      return follow({ ...session, ...move.session }, move.move, facts);
    case "end": {
      const ended: Session = { ...session, ...move.session, trail: [{ at: "home" }] };
      const screen: Screen = { at: "end", lines: move.lines, choices: [], takes: "nothing", isBinding: false };
      return { kind: "end", session: ended, screen, outcome: move.outcome };
    }
  }
}

function backFrom(session: Session): Session {
  return { ...session, trail: session.trail.length > 1 ? session.trail.slice(0, -1) : [{ at: "home" }] };
}

function placeOf({ trail }: Session): Place {
  return trail.at(-1) ?? { at: "home" };
}

/** The one place where the union of places meets the table of handlers; TypeScript cannot follow that each fits its own. */
function handlerOf(place: Place): Handler<Place> {
  return HANDLERS[place.at] as Handler<Place>;
}

/** "0 Back" and "00 Home", where there is a way back. */
export function ways(session: Session): readonly { readonly key: "0" | "00"; readonly label: Line }[] {
  if (session.trail.length <= 1) return [];
  if (session.trail.length === 2) return [{ key: "0", label: line("way.back") }];
  return [
    { key: "0", label: line("way.back") },
    { key: "00", label: line("way.home") },
  ];
}
