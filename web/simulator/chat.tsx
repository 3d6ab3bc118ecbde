import { useEffect, useState } from "react";
import { api, type ChatMessageView, type LampView, type PersonView, type PhoneView, type StageView } from "./api.ts";
import { Compose } from "./compose.tsx";
import { follow, type Live } from "./live.ts";
import { TypeTokens } from "./messages.tsx";
import { Thread, Time } from "./thread.tsx";

/** As WhatsApp draws them; the word stands beside. */
const TICKS: Readonly<Record<ChatMessageView["state"], string>> = {
  accepted: "◷",
  sent: "✓",
  delivered: "✓✓",
  read: "✓✓",
};

/** WhatsApp: what was said, what came with something to press below it, and a field to write. */
export function Chat({
  stage: { hasChat },
  person,
  messages,
  lamp,
  live,
  isOpen,
}: {
  stage: StageView;
  person: PersonView;
  messages: readonly ChatMessageView[];
  lamp: Live<LampView>;
  live: Live<PhoneView>;
  isOpen: boolean;
}) {
  const { phone, language, serial } = person;
  const [words, setWords] = useState("");
  const unread = unreadIn(messages);
  useEffect(() => {
    // Washa is told that its messages were read when somebody has them before their eyes.
    if (isOpen && unread > 0) follow(api.readChat(phone), setWords);
  }, [isOpen, unread, phone]);

  if (!hasChat) return <p className="hint">WhatsApp is connected to a real account here, so it is not played.</p>;

  async function say(said: Parameters<typeof api.chat>[1]) {
    const outcome = await api.chat(phone, said);
    live.refresh();
    return outcome;
  }
  async function press(messageId: string, buttonId: string): Promise<void> {
    const outcome = await say({ messageId, buttonId });
    setWords(outcome.isDone ? "" : outcome.words);
  }
  return (
    <div className="messages chat">
      {messages.length === 0 ? (
        <p className="hint">
          Nobody has written yet. Write <b>MENU</b> to Washa, <b>BALANCE</b>, or <b>PAY 100</b>. <b>STOP</b> ends
          reminders.
        </p>
      ) : (
        <Thread name="Chat" messages={messages}>
          {(message) => (
            <>
              <p lang={language}>{message.text}</p>
              <footer>
                <span>{message.direction === "in" ? "Washa" : "You"}</span>
                <Time at={message.at} />
                <span className={`state ${message.state}`}>
                  <span aria-hidden="true">{TICKS[message.state]}</span> {message.state}
                </span>
                {message.direction === "in" && <TypeTokens text={message.text} serial={serial} lamp={lamp} />}
              </footer>
              <Choices message={message} language={language} press={(id) => follow(press(message.id, id), setWords)} />
            </>
          )}
        </Thread>
      )}
      <p className="trouble" role="status">
        {words}
      </p>
      <Compose example="MENU" send={(text) => say({ text })} />
    </div>
  );
}

/** How many messages came that nobody has looked at. */
export function unreadIn(messages: readonly ChatMessageView[]): number {
  return messages.filter(({ direction, state }) => direction === "in" && state !== "read").length;
}

/** Buttons below a message, or a list that opens. They stay, and what is pressed too late is told so. */
function Choices({
  message: { buttons, list },
  language,
  press,
}: {
  message: ChatMessageView;
  language: string;
  press: (id: string) => void;
}) {
  const [isOpen, setOpen] = useState(false);
  if (buttons.length === 0) return null;
  const choices = (
    <div className="choices" lang={language}>
      {buttons.map(({ id, label }) => (
        <button
          key={id}
          type="button"
          onClick={() => {
            setOpen(false);
            press(id);
          }}
        >
          {label}
        </button>
      ))}
    </div>
  );
  if (list === null) return choices;
  return (
    <details className="list" open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{list}</summary>
      {choices}
    </details>
  );
}
