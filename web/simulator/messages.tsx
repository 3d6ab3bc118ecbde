import { useState } from "react";
import { api, type LampView, type PersonView, type SmsView, type StageView } from "./api.ts";
import { Compose } from "./compose.tsx";
import { follow, type Live } from "./live.ts";
import { Thread, Time } from "./thread.tsx";

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
  return (
    <div className="messages">
      {messages.length === 0 ? (
        <p className="hint">No messages yet. Pay, and the token comes here.</p>
      ) : (
        <Thread name="Messages" messages={messages}>
          {(message) => (
            <>
              <p lang={person.language}>{message.text}</p>
              <footer>
                <span>{message.direction === "in" ? message.with : "You"}</span>
                <Time at={message.at} />
                {message.direction === "in" && <TypeTokens text={message.text} serial={person.serial} lamp={lamp} />}
              </footer>
            </>
          )}
        </Thread>
      )}
      {hearsSms ? (
        <Compose example="BALANCE" send={(text) => api.writeSms(person.phone, text)} />
      ) : (
        <p className="hint foot">Washa does not read messages to this number yet.</p>
      )}
    </div>
  );
}

/** Types a message's tokens on the lamp, key by key, for whoever does not want to. */
export function TypeTokens({ text, serial, lamp }: { text: string; serial: string; lamp: Live<LampView> }) {
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
