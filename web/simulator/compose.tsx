import { useState, type SubmitEvent } from "react";
import type { Outcome } from "./api.ts";
import { follow } from "./live.ts";

/** A field to write to Washa. What was not sent stays in it. */
export function Compose({ example, send }: { example: string; send: (text: string) => Promise<Outcome> }) {
  const [text, setText] = useState("");
  const [words, setWords] = useState("");
  async function sendOff(): Promise<void> {
    const outcome = await send(text);
    setWords(outcome.isDone ? "" : outcome.words);
    if (outcome.isDone) setText("");
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    follow(sendOff(), setWords);
  };
  return (
    <form className="compose" onSubmit={submit}>
      <label>
        <span className="unseen">Message to Washa</span>
        <input value={text} placeholder={example} maxLength={480} onChange={({ target }) => setText(target.value)} />
      </label>
      <button type="submit" disabled={text.trim() === ""}>
        Send
      </button>
      <p role="status">{words}</p>
    </form>
  );
}
