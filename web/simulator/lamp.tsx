import { useState, type ReactNode } from "react";
import { api, type LampEventView, type LampView } from "./api.ts";
import { Keypad } from "./keypad.tsx";
import { LampDrawing } from "./lamp-drawing.tsx";
import { follow, type Live } from "./live.ts";

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LEAPS = [
  { name: "1 hour", hours: 1 },
  { name: "1 day", hours: 24 },
  { name: "7 days", hours: 168 },
] as const;
const LED_WORDS: Readonly<Record<LampView["led"], string>> = {
  green: "green, paid",
  amber: "amber, less than a day left",
  red: "red, nothing left",
  blue: "blue, unlocked for good",
  "red-blinking": "red and blinking, the keypad waits",
};

/** The lamp on the wall: its light, its keypad and display, its network, and the clock that one may move. */
export function Lamp({ serial, lamp }: { serial: string; lamp: Live<LampView> }) {
  const { value: view, show } = lamp;
  const [trouble, setTrouble] = useState("");
  async function showAnswer(answer: Promise<LampView>): Promise<void> {
    show(await answer);
    setTrouble("");
  }
  const act = (answer: Promise<LampView>): void => follow(showAnswer(answer), setTrouble);
  return (
    <section className="part" id="lamp" aria-labelledby="lamp-title" tabIndex={-1}>
      <h2 id="lamp-title">Lamp</h2>
      {view === undefined ? (
        <div className="wall" />
      ) : (
        <div className={view.relayOn ? "wall lit" : "wall"}>
          <LampDrawing isLit={view.relayOn} />
          <div className="unit">
            <Display view={view} />
            <TokenField press={(keys) => act(api.press(serial, keys))} />
            <Keypad
              label="Keys of the lamp"
              names={{ "*": "clear", "#": "enter" }}
              press={(key) => act(api.press(serial, key))}
            />
          </div>
          <p className="trouble" role="alert" hidden={trouble === ""}>
            {trouble}
          </p>
          <Surroundings
            view={view}
            cover={(is) => act(api.cover(serial, is))}
            advance={(h) => act(api.advance(serial, h))}
          />
          <Log events={view.events} />
        </div>
      )}
    </section>
  );
}

function Display({ view }: { view: LampView }) {
  const { led, daysLeft, typed, relayOn, lockedUntil, shownAt, events } = view;
  const [last] = events;
  return (
    <div className="display">
      <p className={`led ${led}`}>
        <span className="dot" aria-hidden="true" />
        <span className="unseen">LED {LED_WORDS[led]}</span>
      </p>
      <p className="days">
        <b>{typed === "" ? daysText(daysLeft) : spaced(typed)}</b>
        <span>{typed === "" ? (daysLeft === "unlimited" ? "unlocked" : "days left") : "typed"}</span>
      </p>
      <p className="said" role="status">
        {lockedUntil === null
          ? `Light ${relayOn ? "on" : "off"}.${last === undefined ? "" : ` ${eventText(last)}`}`
          : `After a wrong token the keypad waits ${waitText(lockedUntil - shownAt)}.`}
      </p>
    </div>
  );
}

/** The keypad for a keyboard: a whole token at once. */
function TokenField({ press }: { press: (keys: string) => void }) {
  const [token, setToken] = useState("");
  const digits = token.replaceAll(/\D/g, "");
  return (
    <form
      className="line token"
      onSubmit={(event) => {
        event.preventDefault();
        if (digits === "") return;
        press(`*${digits}#`);
        setToken("");
      }}
    >
      <label>
        <span className="unseen">Token to type on the lamp</span>
        <input
          value={token}
          onChange={({ target }) => setToken(target.value)}
          placeholder="Token"
          inputMode="numeric"
          autoComplete="off"
          maxLength={30}
        />
      </label>
      <button type="submit" disabled={digits === ""}>
        Enter
      </button>
    </form>
  );
}

function Surroundings({
  view: { isCovered, shownAt, aheadMs },
  cover,
  advance,
}: {
  view: LampView;
  cover: (isCovered: boolean) => void;
  advance: (hours: number) => void;
}) {
  return (
    <div className="surroundings">
      <Row
        name="Network"
        words={isCovered ? "Tokens come by air, before the message." : "None: somebody must type the token."}
      >
        <button
          type="button"
          className="switch"
          role="switch"
          aria-checked={isCovered}
          onClick={() => cover(!isCovered)}
        >
          <span className="unseen">The lamp has a network</span>
          <span className="knob" aria-hidden="true" />
        </button>
      </Row>
      <Row
        name="Its clock"
        words={`${CLOCK.format(shownAt)}${aheadMs < HOUR_MS ? "" : `, ${aheadText(aheadMs)} ahead`}`}
      >
        <div className="leaps" role="group" aria-label="Move the lamp's clock on">
          {LEAPS.map(({ name, hours }) => (
            <button key={name} type="button" className="small" onClick={() => advance(hours)}>
              +{name}
            </button>
          ))}
        </div>
      </Row>
    </div>
  );
}

function Row({ name, words, children }: { name: string; words: string; children: ReactNode }) {
  return (
    <div className="row">
      <p>
        <b>{name}</b>
        <span>{words}</span>
      </p>
      {children}
    </div>
  );
}

function Log({ events }: { events: readonly LampEventView[] }) {
  if (events.length === 0) return null;
  return (
    <details className="log">
      <summary>What the lamp remembers</summary>
      <ol>
        {events.map((event, at) => (
          <li key={`${String(event.happenedAt)} ${event.kind} ${String(at)}`}>
            <time>{CLOCK.format(event.happenedAt)}</time> {eventText(event)}
          </li>
        ))}
      </ol>
    </details>
  );
}

function eventText({ kind, value, type }: LampEventView): string {
  switch (kind) {
    case "VALID":
      if (type === "DISABLE_PAYG") return "Token taken: unlocked for good.";
      return `Token taken: ${String(value ?? 0)} ${value === 1 ? "day" : "days"}.`;
    case "ALREADY_USED":
      return "This token was used before, by air or by hand.";
    case "INVALID":
      return "This is no token of this lamp.";
    case "MALFORMED":
      return "A token has nine digits or more.";
    case "LOCKED_OUT":
      return "The keypad waits; the token was not looked at.";
    case "LIGHT_ON":
      return "The light may go on.";
    case "LIGHT_OFF":
      return "The paid days are over.";
    default:
      return kind;
  }
}

const daysText = (daysLeft: number | "unlimited"): string =>
  daysLeft === "unlimited" ? "∞" : daysLeft < 10 ? daysLeft.toFixed(1) : String(Math.round(daysLeft));
const spaced = (digits: string): string => digits.replaceAll(/(\d{3})(?=\d)/g, "$1 ");
const aheadText = (ms: number): string =>
  ms < DAY_MS ? `${String(Math.round(ms / HOUR_MS))} h` : `${(ms / DAY_MS).toFixed(1).replace(".0", "")} d`;
function waitText(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  return minutes < 90 ? `${String(minutes)} min` : `${String(Math.ceil(minutes / 60))} h`;
}
