import { useEffect, useRef, type ReactNode } from "react";

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

interface ThreadMessage {
  readonly id: string;
  readonly direction: "in" | "out";
}

/** Messages one below the other, the newest in sight. */
export function Thread<Message extends ThreadMessage>({
  name,
  messages,
  children,
}: {
  name: string;
  messages: readonly Message[];
  children: (message: Message) => ReactNode;
}) {
  const end = useRef<HTMLLIElement>(null);
  const count = messages.length;
  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [count]);
  return (
    // A list that scrolls can be reached by keyboard.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <ol aria-label={name} tabIndex={0}>
      {messages.map((message, at) => (
        <li key={message.id} className={message.direction} ref={at === count - 1 ? end : undefined}>
          {children(message)}
        </li>
      ))}
    </ol>
  );
}

export function Time({ at }: { at: string }) {
  return <time dateTime={at}>{TIME.format(new Date(at))}</time>;
}
