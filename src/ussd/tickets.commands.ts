import type { Id, MakeId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import * as store from "./wishes.store.ts";
import type { TellTicket, Ticket, TicketFilter, TicketNote } from "./wishes.store.ts";

export type { Ticket, TicketFilter, TicketNote, WishKind } from "./wishes.store.ts";

/** What people asked for, as those work on it who can help. */
export interface Tickets {
  /** Newest first. */
  list(
    db: Db | Tx,
    filter: TicketFilter,
    page: { first: number; after?: Id<"Wish"> | undefined },
  ): Promise<readonly Ticket[]>;
  find(db: Db | Tx, id: Id<"Wish">): Promise<Ticket | undefined>;
  /** In the order in which they were written; as many as a person reads. */
  notesOf(db: Db | Tx, id: Id<"Wish">): Promise<readonly TicketNote[]>;
  /** Somebody works on it now; whoever reported a fault is told. Throws `NotAllowedNow` for one that is settled. */
  take(tx: Tx, order: { id: Id<"Wish">; by: string }): Promise<Ticket>;
  /** Ends it; whoever reported a fault is told. Settled twice is settled. */
  settle(tx: Tx, order: { id: Id<"Wish">; by: string }): Promise<Ticket>;
  /** Throws `InvalidInput` for a note without words or with too many. */
  note(tx: Tx, order: { id: Id<"Wish">; note: string; by: string }): Promise<Ticket>;
}

const NOTE_CHARACTERS_MAX = 1_000;
const NOTES_SHOWN_MAX = 200;

export function makeTickets({
  clock,
  makeId,
  tellTicket,
}: {
  clock: Clock;
  makeId: MakeId;
  tellTicket: TellTicket;
}): Tickets {
  async function lock(tx: Tx, id: Id<"Wish">): Promise<Ticket> {
    const ticket = await store.findTicket(tx, id, { isLocked: true });
    if (ticket === undefined) throw new NotFound("ticket", "id");
    return ticket;
  }

  async function move(tx: Tx, ticket: Ticket, { state, by }: { state: "in_work" | "done"; by: string }) {
    const at = clock.now();
    await store.setTicketState(tx, ticket.id, { state, by, at });
    if (ticket.kind === "fault")
      await tellTicket(tx, {
        state,
        phone: ticket.phone,
        language: ticket.language,
        number: ticket.number,
      });
    return { ...ticket, state, stateAt: at, stateBy: by };
  }

  return {
    list: store.listTickets,
    find: (db, id) => store.findTicket(db, id),
    notesOf: (db, id) => store.notesOf(db, id, NOTES_SHOWN_MAX),
    async take(tx, { id, by }) {
      const ticket = await lock(tx, id);
      if (ticket.state === "done") throw new NotAllowedNow("This ticket is settled.");
      return ticket.state === "in_work" && ticket.stateBy === by
        ? ticket
        : await move(tx, ticket, { state: "in_work", by });
    },
    async settle(tx, { id, by }) {
      const ticket = await lock(tx, id);
      return ticket.state === "done" ? ticket : await move(tx, ticket, { state: "done", by });
    },
    async note(tx, { id, note, by }) {
      const words = note.trim();
      if (words === "" || words.length > NOTE_CHARACTERS_MAX)
        throw new InvalidInput(`A note has 1 to ${NOTE_CHARACTERS_MAX} characters.`, "note");
      const ticket = await lock(tx, id);
      await store.insertNote(tx, id, { id: makeId<"WishNote">(), note: words, by, at: clock.now() });
      return ticket;
    },
  };
}
