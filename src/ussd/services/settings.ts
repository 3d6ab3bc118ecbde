import { ask, end, go, line, notThere, refusal, wrongAnswer, type Handlers } from "../dialogue/moves.ts";
import { choicesOf, pick } from "../dialogue/listing.ts";
import { menu } from "../dialogue/screen.ts";
import { LANGUAGES } from "../../kernel/language.ts";
import { LANGUAGE_NAMES } from "../texts/texts.ts";

/** How a person wants to be talked to. */
export const settingsHandlers: Handlers<"settings" | "language" | "messages"> = {
  settings: {
    show: () =>
      menu(
        "settings",
        [line("settings.title")],
        [
          { key: "1", label: line("choice.language") },
          { key: "2", label: line("choice.messages") },
          { key: "3", label: line("choice.new_pin") },
        ],
      ),
    hear(_place, said, { caller }) {
      switch (said) {
        case "1":
          return go({ at: "language", from: 0 });
        case "2":
          return go({ at: "messages" });
        case "3":
          return go(
            caller.hasPin
              ? { at: "pin", whose: "customer", next: { at: "new_pin", whose: "customer", next: { at: "home" } } }
              : { at: "new_pin", whose: "customer", next: { at: "home" } },
          );
        default:
          return notThere;
      }
    },
  },

  // Each language by its own name: whoever looks for it may not read the one that is set.
  language: {
    show: ({ from }) =>
      menu(
        "language",
        [line("language.title")],
        choicesOf(LANGUAGES, from, (language) => line("language.name", { name: LANGUAGE_NAMES[language] })),
      ),
    hear: ({ from }, said) =>
      pick(LANGUAGES, said, {
        from,
        next: (next) => ({ at: "language", from: next }),
        chosen: (language) => ask({ kind: "set_language", language }),
      }),
    told(place, answer) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      if (answer.kind !== "language") return wrongAnswer(place, answer);
      return {
        kind: "with",
        session: { language: answer.language, trail: [{ at: "home" }] },
        move: { kind: "instead", place: { at: "home" } },
      };
    },
  },

  messages: {
    show: (_place, { caller }) =>
      menu(
        "messages",
        [line("messages.title", { service: yesNo(caller.takesService), marketing: yesNo(caller.takesMarketing) })],
        [
          { key: "1", label: line(caller.takesService ? "messages.stop_service" : "messages.start_service") },
          { key: "2", label: line(caller.takesMarketing ? "messages.stop_news" : "messages.start_news") },
        ],
      ),
    hear(_place, said, { caller }) {
      if (said === "1") return ask({ kind: "set_messages", which: "service", isWanted: !caller.takesService });
      return said === "2"
        ? ask({ kind: "set_messages", which: "marketing", isWanted: !caller.takesMarketing })
        : notThere;
    },
    told(place, answer) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      return answer.kind === "done" ? end("settled", line("messages.done")) : wrongAnswer(place, answer);
    },
  },
};
const yesNo = (isOn: boolean): string => (isOn ? "yes" : "no");
