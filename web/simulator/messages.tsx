import { useEffect, useRef, useState, type SubmitEvent } from "react";
import { api, type LampView, type PersonView, type SmsView, type StageView } from "./api.ts";
import { follow, type Live } from "./live.ts";

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
/** Slow enough to be watched. */
const KEY_MS = 130;
/** Groups of digits that people read as one token: nine or more digits in all. */
const TOKEN = /\d{2,}(?: \d{2,})+/g;

/** The inbox, with what the person wrote themselves, and a field to write. */
export function Messages({
  stage: { hearsSms },
  person,
  messages,
  lamp,
}: {
  stage: StageView;
  person: PersonView;
  messages: readonly SmsView[];
  lamp: Live<LampView>;
}) {
  const end = useRef<HTMLLIElement>(null);
  const count = messages.length;
  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [count]);
  return (
    <div className="messages">
      {count === 0 ? (
        <p className="hint">No messages yet. Pay, and the token comes here.</p>
      ) : (
        // A list that scrolls can be reached by keyboard.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <ol aria-label="Messages" tabIndex={0}>
          {messages.map((message, at) => (
            <li key={message.id} className={message.direction} ref={at === count - 1 ? end : undefined}>
              <p lang={person.language}>{message.text}</p>
              <footer>
                <span>{message.direction === "in" ? message.with : "You"}</span>
                <time dateTime={message.at}>{TIME.format(new Date(message.at))}</time>
                {message.direction === "in" && <TypeTokens text={message.text} serial={person.serial} lamp={lamp} />}
              </footer>
            </li>
          ))}
        </ol>
      )}
      <Compose phone={person.phone} hearsSms={hearsSms} />
    </div>
  );
}

/** Types a message's tokens on the lamp, key by key, for whoever does not want to. */
function TypeTokens({ text, serial, lamp }: { text: string; serial: string; lamp: Live<LampView> }) {
  const [isTyping, setTyping] = useState(false);
  const [words, setWords] = useState("Type it on the lamp");
  const tokens = tokensIn(text);
  if (tokens.length === 0) return null;
  async function type(): Promise<void> {
    setTyping(true);
    try {
      for (const key of tokens.flatMap((token) => `*${token}#`.split(""))) {
        lamp.show(await api.press(serial, key));
        await new Promise((resolve) => setTimeout(resolve, KEY_MS));
      }
    } finally {
      setTyping(false);
    }
  }
  return (
    <button type="button" className="small" disabled={isTyping} onClick={() => follow(type(), setWords)}>
      {isTyping ? "Typing …" : words}
    </button>
  );
}

function tokensIn(text: string): readonly string[] {
  return [...text.matchAll(TOKEN)].map(([digits]) => digits.replaceAll(" ", "")).filter(({ length }) => length >= 9);
}

function Compose({ phone, hearsSms }: { phone: string; hearsSms: boolean }) {
  const [text, setText] = useState("");
  const [words, setWords] = useState("");
  if (!hearsSms) return <p className="hint foot">Washa does not read messages to this number yet.</p>;
  async function send(): Promise<void> {
    const outcome = await api.writeSms(phone, text);
    setWords(outcome.isDone ? "" : outcome.words);
    if (outcome.isDone) setText("");
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    follow(send(), setWords);
  };
  return (
    <form className="compose" onSubmit={submit}>
      <label>
        <span className="unseen">Message to Washa</span>
        <input value={text} placeholder="BALANCE" maxLength={480} onChange={({ target }) => setText(target.value)} />
      </label>
      <button type="submit" disabled={text.trim() === ""}>
        Send
      </button>
      <p role="status">{words}</p>
    </form>
  );
}
