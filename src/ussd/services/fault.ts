import { choicesOf, pickOnly } from "../dialogue/listing.ts";
import {
  again,
  ask,
  end,
  go,
  line,
  notThere,
  refusal,
  unlessRefused,
  wrongAnswer,
  type Handlers,
} from "../dialogue/moves.ts";
import { FAULTS } from "../dialogue/place.ts";
import { menu, question } from "../dialogue/screen.ts";

/** What is wrong, whom to talk to, and whom else to tell. */
export const faultHandlers: Handlers<"fault" | "fault_note" | "reports" | "person" | "refer"> = {
  fault: {
    show: () =>
      menu(
        "fault",
        [line("fault.title")],
        choicesOf(FAULTS, 0, (fault) => line(`fault.${fault}`)),
      ),
    hear: ({ contractId }, said) => pickOnly(FAULTS, said, (fault) => go({ at: "fault_note", contractId, fault })),
  },

  fault_note: {
    show: () => question("fault_note", [line("fault.note")]),
    // "1" is how somebody without words goes on.
    hear: ({ contractId, fault }, said) =>
      said === ""
        ? again("again.words")
        : ask({ kind: "report_fault", contractId, fault, note: said === "1" ? "" : said }),
    told: (place, answer) =>
      unlessRefused(answer, (done) =>
        done.kind === "done"
          ? end("reported", line("fault.done", { number: done.number ?? "" }))
          : wrongAnswer(place, done),
      ),
  },

  reports: {
    show: (_place, { tickets }) =>
      menu(
        "reports",
        tickets.length === 0
          ? [line("reports.none")]
          : tickets
              .slice(0, TICKETS_SHOWN)
              .map(({ number, fault, state, openedAtMs }) =>
                line("reports.one", { number, fault, state, on: { atMs: openedAtMs } }),
              ),
        [],
      ),
    hear: () => notThere,
  },

  person: {
    show: () => question("person", [line("person.title")]),
    hear: (_place, said) =>
      said === "" ? again("again.words") : ask({ kind: "call_me", note: said === "1" ? "" : said }),
    told: (place, answer) =>
      unlessRefused(answer, (done) =>
        done.kind === "done" ? end("person_asked", line("person.done")) : wrongAnswer(place, done),
      ),
  },

  refer: {
    show: () => question("refer", [line("refer.title")]),
    hear: (_place, said) => ask({ kind: "refer", phone: said }),
    told: (place, answer) => {
      if (answer.kind === "refused") return { kind: "again", note: refusal(answer) };
      return answer.kind === "done" ? end("referred", line("refer.done")) : wrongAnswer(place, answer);
    },
  },
};
const TICKETS_SHOWN = 3;
