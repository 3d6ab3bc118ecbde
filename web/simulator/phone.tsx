import { useCallback, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { api, type LampView, type PersonView, type PhoneView, type StageView } from "./api.ts";
import { Chat, unreadIn } from "./chat.tsx";
import { Dialler } from "./dialler.tsx";
import { useLive, type Live } from "./live.ts";
import { Messages } from "./messages.tsx";
import { Money } from "./money.tsx";
import { Prompt } from "./prompt.tsx";

const PHONE_EVERY_MS = 700;

type Place = "dial" | "messages" | "chat" | "money";

/** A person's phone: dialling, messages, mobile money, and the prompts that come over everything else. */
export function Phone({ stage, person, lamp }: { stage: StageView; person: PersonView; lamp: Live<LampView> }) {
  const { phone } = person;
  const look = useCallback(() => api.phone(phone), [phone]);
  const live = useLive(look, PHONE_EVERY_MS);
  const [place, setPlace] = useState<Place>("dial");
  const unread = useUnread(live.value, place === "messages");
  const chat = live.value?.chat ?? [];
  const [prompt] = live.value?.prompts ?? [];
  const part = useRef<HTMLElement>(null);
  const takeBack = (): void => {
    live.refresh();
    part.current?.focus({ preventScroll: true });
  };
  const rooms: Record<Place, { name: string; badge: number; room: ReactNode }> = {
    dial: { name: "Dial", badge: 0, room: <Dialler stage={stage} person={person} /> },
    messages: {
      name: "Messages",
      badge: unread,
      room: <Messages stage={stage} person={person} messages={live.value?.messages ?? []} lamp={lamp} />,
    },
    chat: {
      name: "Chat",
      badge: place === "chat" ? 0 : unreadIn(chat),
      room: <Chat stage={stage} person={person} messages={chat} lamp={lamp} live={live} isOpen={place === "chat"} />,
    },
    money: { name: "Money", badge: 0, room: <Money stage={stage} person={person} /> },
  };
  return (
    <section className="part" id="phone" ref={part} aria-labelledby="phone-title" tabIndex={-1}>
      <h2 id="phone-title">Phone</h2>
      <div className="handset">
        <div className="bar" aria-hidden="true">
          <span>{phone}</span>
          <span className="speaker" />
          <span>{live.trouble === undefined ? "▂▄▆" : "no network"}</span>
        </div>
        {/* What lies under a prompt cannot be reached, as on a real phone. */}
        <div inert={prompt !== undefined}>
          <Tabs rooms={rooms} place={place} go={setPlace} />
        </div>
        {prompt !== undefined && <Prompt key={prompt.id} phone={phone} prompt={prompt} onDecided={takeBack} />}
      </div>
      <NewsForListeners view={live.value} />
    </section>
  );
}

function Tabs({
  rooms,
  place,
  go,
}: {
  rooms: Readonly<Record<Place, { name: string; badge: number; room: ReactNode }>>;
  place: Place;
  go: (place: Place) => void;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const places = Object.keys(rooms) as Place[];
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = places.at((places.indexOf(place) + step) % places.length);
    if (step === 0 || next === undefined) return;
    event.preventDefault();
    go(next);
    list.current?.querySelector<HTMLElement>(`[data-place="${next}"]`)?.focus();
  };
  return (
    <>
      <div className="tabs" role="tablist" aria-label="What to do with the phone" ref={list}>
        {places.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`${id}-${one}`}
            data-place={one}
            aria-selected={one === place}
            aria-controls={`${id}-room`}
            tabIndex={one === place ? 0 : -1}
            onClick={() => go(one)}
            onKeyDown={onKeyDown}
          >
            {rooms[one].name}
            {rooms[one].badge > 0 && (
              <span className="badge">
                {rooms[one].badge}
                <span className="unseen"> new</span>
              </span>
            )}
          </button>
        ))}
      </div>
      {places.map((one) => (
        <div
          key={one}
          className="room"
          role="tabpanel"
          id={one === place ? `${id}-room` : undefined}
          aria-labelledby={`${id}-${one}`}
          hidden={one !== place}
        >
          {rooms[one].room}
        </div>
      ))}
    </>
  );
}

const received = <Message extends { readonly direction: "in" | "out" }>(messages: readonly Message[] = []) =>
  messages.filter(({ direction }) => direction === "in");

/** How many messages came since the inbox was last looked at. What was there when the page opened is old. */
function useUnread(view: PhoneView | undefined, isReading: boolean): number {
  const [read, setRead] = useState<number>();
  const count = received(view?.messages).length;
  const isKnown = view !== undefined;
  if (isKnown && (isReading || read === undefined) && read !== count) setRead(count);
  return read === undefined || isReading ? 0 : Math.max(0, count - read);
}

/** Says new messages aloud to whoever listens instead of looking. */
function NewsForListeners({ view }: { view: PhoneView | undefined }) {
  const sms = useNews(view === undefined ? undefined : received(view.messages));
  const chat = useNews(view === undefined ? undefined : received(view.chat));
  return (
    <>
      <p className="unseen" role="status">
        {sms === undefined ? "" : `New message from ${sms.with}: ${sms.text}`}
      </p>
      <p className="unseen" role="status">
        {chat === undefined ? "" : `New in the chat: ${chat.text}`}
      </p>
    </>
  );
}

/** The last message, where it was not there already when the page opened. */
function useNews<Message extends { readonly id: string }>(
  messages: readonly Message[] | undefined,
): Message | undefined {
  const last = messages?.at(-1);
  const [oldest, setOldest] = useState<string>();
  if (messages !== undefined && oldest === undefined) setOldest(last?.id ?? "none");
  return last !== undefined && oldest !== undefined && last.id !== oldest ? last : undefined;
}
