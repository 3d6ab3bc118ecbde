import { useEffect, useRef, useState, type SubmitEvent } from "react";
import { api, type PromptView } from "./api.ts";
import { follow } from "./live.ts";

/** A request for money that comes over whatever the phone shows, and waits for the PIN. */
export function Prompt({
  phone,
  prompt: { id, amount, account, paybill },
  onDecided,
}: {
  phone: string;
  prompt: PromptView;
  onDecided: () => void;
}) {
  const [pin, setPin] = useState("");
  const [words, setWords] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // A phone's prompt takes the phone over; somebody who is busy elsewhere on the page is left alone.
    const phonePart = field.current?.closest("#phone");
    if (document.activeElement === document.body || phonePart?.contains(document.activeElement) === true)
      field.current?.focus({ preventScroll: true });
  }, []);

  const decide = (decision: Parameters<typeof api.decide>[2]): void =>
    follow(api.decide(phone, id, decision).finally(onDecided), setWords);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    decide({ pin });
  };
  return (
    <div className="prompt">
      <form role="alertdialog" aria-labelledby={`${id}-title`} aria-describedby={`${id}-text`} onSubmit={submit}>
        <h3 id={`${id}-title`}>Mobile money</h3>
        <p id={`${id}-text`}>
          Pay <b>{amount}</b> to {paybill}, account <b>{account}</b>?
        </p>
        <label>
          <span>PIN (any four digits here)</span>
          <input
            ref={field}
            value={pin}
            onChange={({ target }) => setPin(target.value.replaceAll(/\D/g, ""))}
            type="password"
            inputMode="numeric"
            autoComplete="off"
            maxLength={4}
          />
        </label>
        <p role="status">{words}</p>
        <div className="calls">
          <button type="submit" className="call" disabled={pin.length < 4}>
            Pay
          </button>
          <button type="button" className="end" onClick={() => decide({ refuses: true })}>
            Refuse
          </button>
        </div>
      </form>
    </div>
  );
}
