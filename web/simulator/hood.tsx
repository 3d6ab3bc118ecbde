import { useCallback, useState, type ReactNode } from "react";
import { api, type HoodStep, type HoodView, type LampView, type PersonView } from "./api.ts";
import { useLive } from "./live.ts";

const HOOD_EVERY_MS = 1_500;
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** What the settle loop writes at once. */
const ONE_COMMIT: readonly string[] = ["receipt", "posting", "allocation", "token", "message"];

type Story = NonNullable<HoodView["story"]>;

/** What the program did with a payment, station by station, as its own API tells it. */
export function Hood({ person: { phone }, lamp }: { person: PersonView; lamp: LampView | undefined }) {
  const [chosen, choose] = useState<string>();
  const look = useCallback(() => api.hood(phone, chosen), [phone, chosen]);
  const { value: view, trouble } = useLive(look, HOOD_EVERY_MS);
  return (
    <section className="part" id="hood" aria-labelledby="hood-title" tabIndex={-1}>
      <h2 id="hood-title">Under the hood</h2>
      <div className="hood">
        {trouble !== undefined && <p className="trouble">{trouble}</p>}
        {view !== undefined && (
          <>
            <Payments view={view} chosen={chosen} choose={choose} />
            {view.story === null ? <Expected /> : <Stations story={view.story} device={view.device} lamp={lamp} />}
          </>
        )}
      </div>
    </section>
  );
}

/** What will be seen, before there is anything to see. */
function Expected() {
  return (
    <>
      <p className="hint">Nothing was paid yet. Each station of a payment shows here as it happens:</p>
      <ol className="stations">
        {EXPECTED.map(([name, words]) => (
          <li key={name} className="waiting">
            <h3>{name}</h3>
            <p className="quiet">{words}</p>
          </li>
        ))}
      </ol>
    </>
  );
}

const EXPECTED = [
  ["Callback", "The provider tells that money came. It is stored, and only then answered."],
  ["Receipt", "One for each payment, however often the provider tells of it."],
  ["Postings", "Double entry: every currency sums to zero."],
  ["Days", "What the money buys on the customer's plan."],
  ["Token", "A number that only this lamp takes, and only once."],
  ["Message", "The token, in the customer's language."],
  ["Device", "The lamp takes the token from the keypad or by air, and says so."],
] as const;

function Payments({
  view: { payments, story },
  chosen,
  choose,
}: {
  view: HoodView;
  chosen: string | undefined;
  choose: (receiptId: string | undefined) => void;
}) {
  if (payments.length === 0) return null;
  return (
    <label className="payments">
      <span>Payment</span>
      <select
        value={chosen === undefined ? "" : (story?.receiptId ?? "")}
        onChange={({ target }) => choose(target.value === "" ? undefined : target.value)}
      >
        <option value="">the newest, always</option>
        {payments.map(({ receiptId, providerId, amount, paidAt }) => (
          <option key={receiptId} value={receiptId}>
            {`${amount}, ${DAY.format(new Date(paidAt))}, ${providerId}`}
          </option>
        ))}
      </select>
    </label>
  );
}

function Stations({
  story: { steps, callback, tokens },
  device,
  lamp,
}: {
  story: Story;
  device: HoodView["device"];
  lamp: LampView | undefined;
}) {
  const startAt = Math.min(...steps.map(({ at }) => Date.parse(at)));
  // Everything that a payment brings about is one transaction: each part was written at its own moment, and all of it exists since the last.
  const committedAt = Math.max(
    ...steps.filter(({ kind }) => ONE_COMMIT.includes(kind)).map(({ at }) => Date.parse(at)),
  );
  const sinceStart = (at: number): string => sinceText(at - startAt);
  const of = (...kinds: readonly string[]): readonly HoodStep[] => steps.filter(({ kind }) => kinds.includes(kind));
  const station = (name: string, some: readonly HoodStep[], body?: ReactNode): ReactNode => {
    const [first] = some;
    if (first === undefined) return null;
    const isCommitted = ONE_COMMIT.includes(first.kind);
    const when = isCommitted ? sinceStart(committedAt) : sinceStart(Date.parse(first.at));
    const words = !isCommitted ? when : first.kind === "receipt" ? `${when}, one commit` : "same commit";
    return <Station key={name} name={name} steps={some} when={words} body={body} />;
  };
  return (
    <ol className="stations">
      {station("Request", of("request"))}
      {station(
        "Callback",
        of("callback", "notice"),
        callback !== null && <Raw name="The provider's bytes" text={callback} />,
      )}
      {station("Receipt", of("receipt"))}
      {station("Postings", of("posting"), <Postings steps={of("posting")} />)}
      {station("Days", of("allocation"))}
      {station("Token", of("token"), <Tokens tokens={tokens} />)}
      {station("Message", of("message"), <Texts steps={of("message")} sinceStart={sinceStart} />)}
      <DeviceStation device={device} lamp={lamp} />
    </ol>
  );
}

function Station({
  name,
  steps,
  when,
  body,
}: {
  name: string;
  steps: readonly HoodStep[];
  when: string;
  body: ReactNode;
}) {
  return (
    <li>
      <h3>{name}</h3>
      <p className="when">{when}</p>
      {steps.map(({ at, text }) => (
        <p key={`${at} ${text}`}>{readable(text)}</p>
      ))}
      {body}
    </li>
  );
}

/** Both counts must be the same once the lamp has the token, however it came there. */
function DeviceStation({ device, lamp }: { device: HoodView["device"]; lamp: LampView | undefined }) {
  const { tokenCount, connection, daysLeftByDevice, lastSeenAt } = device;
  const isSame = lamp?.count === tokenCount;
  return (
    <li className={isSame ? "done" : "waiting"}>
      <h3>Device</h3>
      <p>
        {lamp === undefined
          ? "The lamp was not asked yet."
          : isSame
            ? `The lamp has every token: both count ${String(tokenCount)}.`
            : `The program counts ${String(tokenCount)}, the lamp ${String(lamp.count)}: a token waits to be typed.`}
      </p>
      <p className="quiet">
        {lastSeenAt === null
          ? "The fleet does not know its reports yet."
          : `By its last report (${DAY.format(new Date(lastSeenAt))}) ${daysText(daysLeftByDevice)}; ${connection ?? "unknown"}.`}
      </p>
    </li>
  );
}

interface PostingLine {
  readonly account: string;
  readonly amountMinor: string;
}

function Postings({ steps }: { steps: readonly HoodStep[] }) {
  const lines = steps.flatMap(({ detail }) => (detail as { lines?: readonly PostingLine[] }).lines ?? []);
  if (lines.length === 0) return null;
  const sum = lines.reduce((total, { amountMinor }) => total + BigInt(amountMinor), 0n);
  return (
    <table>
      <caption className="unseen">Postings in minor units</caption>
      <thead>
        <tr>
          <th scope="col">Account</th>
          <th scope="col">Amount</th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ account, amountMinor }, at) => (
          <tr key={`${account} ${String(at)}`}>
            <td>{account.replace(/\/[0-9a-f-]{36}\//, "/…/")}</td>
            <td>{decimal(BigInt(amountMinor))}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">Sum</th>
          <td>{decimal(sum)}</td>
        </tr>
      </tfoot>
    </table>
  );
}

function Tokens({ tokens }: { tokens: Story["tokens"] }) {
  return (
    <ul className="digits">
      {tokens.map(({ digits, count, units }) => (
        <li key={digits}>
          <b>{digits.replaceAll(/(\d{3})(?=\d)/g, "$1 ")}</b>{" "}
          <span>{`count ${String(count)}, ${String(units)} ${units === 1 ? "day" : "days"}`}</span>
        </li>
      ))}
    </ul>
  );
}

function Texts({ steps, sinceStart }: { steps: readonly HoodStep[]; sinceStart: (at: number) => string }) {
  return steps.map(({ at, detail }) => {
    const { text, sentAt } = detail as { text: string | null; sentAt: string | null };
    if (text === null) return null;
    return (
      <blockquote key={at}>
        <p>{text}</p>
        {sentAt !== null && (
          <footer className="quiet">{`taken by the gateway ${sinceStart(Date.parse(sentAt))}`}</footer>
        )}
      </blockquote>
    );
  });
}

function Raw({ name, text }: { name: string; text: string }) {
  return (
    <details>
      <summary>{name}</summary>
      {/* Long lines scroll, which a keyboard must reach too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0}>{pretty(text)}</pre>
    </details>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

const daysText = (days: number | null): string =>
  days === null ? "it told no days" : `${days.toFixed(1)} days are left`;
/** Who is named by a long id is one of the house's own rows, which nobody reads aloud. */
const readable = (text: string): string =>
  text.replace(/^customer:[0-9a-f-]{36} asked/, "The customer asked").replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "…");
const sinceText = (ms: number): string => (ms < 10_000 ? `+${String(ms)} ms` : `+${(ms / 1_000).toFixed(1)} s`);

/** All currencies of the demonstration have two decimals. */
function decimal(minor: bigint): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(3, "0");
  return `${minor < 0n ? "−" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
