import { useCallback, useEffect, useState } from "react";
import { api, type PersonView, type StageView } from "./api.ts";
import { Hood } from "./hood.tsx";
import { Lamp } from "./lamp.tsx";
import { useLive } from "./live.ts";
import { Phone } from "./phone.tsx";

const STAGE_EVERY_MS = 5_000;
const LAMP_EVERY_MS = 1_000;
const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });

/** The whole page: whose phone and lamp these are, the phone, the lamp, and what the program does. */
export function Page() {
  const { value: stage, trouble } = useLive(api.stage, STAGE_EVERY_MS);
  const [chosen, choose] = useChosenPhone();
  const person = stage?.people.find(({ phone }) => phone === chosen) ?? stage?.people[0];
  return (
    <>
      <header className="top">
        <a className="skip" href="#phone">
          Skip to the phone
        </a>
        <h1>
          <Sun /> Washa <span className="quiet">simulator</span>
        </h1>
        {stage !== undefined && person !== undefined && (
          <PersonChoice people={stage.people} person={person} choose={choose} />
        )}
        <nav aria-label="Parts of this page">
          <a href="#phone">Phone</a>
          <a href="#lamp">Lamp</a>
          <a href="#hood">Under the hood</a>
        </nav>
      </header>
      <p className="trouble" role="alert" hidden={trouble === undefined}>
        {trouble}
      </p>
      {stage !== undefined && person !== undefined ? (
        <Scene key={person.phone} stage={stage} person={person} />
      ) : (
        trouble === undefined && <p className="loading">One moment …</p>
      )}
    </>
  );
}

function Scene({ stage, person }: { stage: StageView; person: PersonView }) {
  const { serial } = person;
  const lookAtLamp = useCallback(() => api.lamp(serial), [serial]);
  const lamp = useLive(lookAtLamp, LAMP_EVERY_MS);
  return (
    <main>
      <Phone stage={stage} person={person} lamp={lamp} />
      <Lamp serial={serial} lamp={lamp} />
      <Hood person={person} lamp={lamp.value} />
    </main>
  );
}

function PersonChoice({
  people,
  person,
  choose,
}: {
  people: readonly PersonView[];
  person: PersonView;
  choose: (phone: string) => void;
}) {
  return (
    <label className="person">
      <span>You are</span>
      <select value={person.phone} onChange={({ target }) => choose(target.value)}>
        {people.map(({ phone, name, language }) => (
          <option key={phone} value={phone}>
            {`${name}, ${phone} (${LANGUAGES.of(language) ?? language})`}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The phone stands in the address, so that a page can be kept, sent and opened twice. */
function useChosenPhone(): [string, (phone: string) => void] {
  const [phone, setPhone] = useState(fromAddress);
  useEffect(() => {
    const onMove = (): void => {
      const next = fromAddress();
      if (next !== "") setPhone(next);
    };
    window.addEventListener("popstate", onMove);
    return () => window.removeEventListener("popstate", onMove);
  }, []);
  const choose = (next: string): void => {
    window.history.pushState(null, "", `?phone=${encodeURIComponent(next)}`);
    setPhone(next);
  };
  return [phone, choose];
}

const fromAddress = (): string => new URLSearchParams(window.location.search).get("phone") ?? "";

function Sun() {
  return (
    <svg className="sun" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="7" />
      <path d="M16 2v4M16 26v4M2 16h4M26 16h4M6 6l3 3M23 23l3 3M26 6l-3 3M9 23l-3 3" />
    </svg>
  );
}
