import { useState, type SubmitEvent } from "react";
import { api, type Outcome, type PersonView, type StageView } from "./api.ts";
import { follow } from "./live.ts";

/** Mobile money by hand: the paybill, the account as it is typed, the amount. */
export function Money({ stage: { paybill }, person }: { stage: StageView; person: PersonView }) {
  const [account, setAccount] = useState(person.account);
  const [amount, setAmount] = useState("150");
  const [isPaying, setPaying] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();

  async function pay(): Promise<void> {
    setPaying(true);
    try {
      setOutcome(await api.pay(person.phone, { account, amount }));
    } finally {
      setPaying(false);
    }
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    follow(pay(), (words) => setOutcome({ isDone: false, words }));
  };
  return (
    <form className="money" onSubmit={submit}>
      <h3>Pay Bill</h3>
      <label>
        <span>Business number</span>
        <input value={paybill} readOnly />
      </label>
      <label>
        <span>Account number</span>
        <input value={account} onChange={({ target }) => setAccount(target.value)} maxLength={40} required />
      </label>
      <label>
        <span>Amount in KES</span>
        <input
          value={amount}
          onChange={({ target }) => setAmount(target.value)}
          inputMode="decimal"
          pattern="\d{1,7}(\.\d{1,2})?"
          title="An amount such as 150"
          required
        />
      </label>
      <button type="submit" className="call" disabled={isPaying}>
        {isPaying ? "Paying …" : `Pay KES ${amount}`}
      </button>
      <p className={outcome?.isDone === false ? "words bad" : "words"} role="status">
        {outcome?.words}
      </p>
      <p className="hint">Type another account, or a slip in it, to see what the provider is told.</p>
    </form>
  );
}
