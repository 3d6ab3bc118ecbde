import { useRef, useState, type SubmitEvent } from "react";
import { api, type PersonView, type ScreenView, type StageView } from "./api.ts";
import { Keypad } from "./keypad.tsx";
import { follow } from "./live.ts";

/** USSD: dial a code, read a screen, answer it. The keys type into the field, which a keyboard can use as well. */
export function Dialler({ stage: { serviceCode }, person }: { stage: StageView; person: PersonView }) {
  const { phone, language } = person;
  const [screen, setScreen] = useState<ScreenView>();
  const [typed, setTyped] = useState(serviceCode);
  const [isWaiting, setWaiting] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const isOpen = screen?.isOpen === true;

  async function step(asked: Parameters<typeof api.call>[1]): Promise<void> {
    setWaiting(true);
    try {
      const next = await api.call(phone, asked);
      setScreen("hangUp" in asked ? undefined : next);
      setTyped(next.isOpen ? "" : serviceCode);
    } finally {
      setWaiting(false);
      field.current?.focus();
    }
  }

  const take = (asked: Parameters<typeof api.call>[1]): void =>
    follow(step(asked), (text) => setScreen({ text, isOpen: false }));

  function send(event: SubmitEvent): void {
    event.preventDefault();
    if (isWaiting) return;
    take(isOpen ? { answer: typed } : { dial: typed });
  }

  return (
    <form className="dialler" onSubmit={send}>
      <div
        className={isOpen ? "ussd open" : "ussd"}
        role="status"
        aria-label="Screen"
        aria-busy={isWaiting}
        lang={language}
      >
        {screen === undefined ? (
          <p className="hint" lang="en">
            Dial <b>{serviceCode}</b> to talk with Washa.
            <br />
            Further along at once: <b>{serviceCode.replace("#", "*2#")}</b>
          </p>
        ) : (
          <p>{screen.text}</p>
        )}
        {screen !== undefined && !isOpen && (
          <p className="over" lang="en">
            The call has ended.
          </p>
        )}
      </div>
      <label className="line">
        <span className="unseen">{isOpen ? "Your answer" : "Number to dial"}</span>
        <input
          ref={field}
          value={typed}
          placeholder={isOpen ? "Your answer" : serviceCode}
          onChange={({ target }) => setTyped(target.value)}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          maxLength={160}
        />
        <button type="button" className="wipe" onClick={() => setTyped(typed.slice(0, -1))} disabled={typed === ""}>
          <span aria-hidden="true">⌫</span>
          <span className="unseen">Delete the last letter</span>
        </button>
      </label>
      <div className="calls">
        <button type="submit" className="call" disabled={isWaiting || typed === ""}>
          {isOpen ? "Send" : "Call"}
        </button>
        <button type="button" className="end" disabled={screen === undefined} onClick={() => take({ hangUp: true })}>
          {isOpen ? "Hang up" : "Clear"}
        </button>
      </div>
      <Keypad label="Keys of the phone" press={(key) => setTyped((before) => before + key)} />
    </form>
  );
}
