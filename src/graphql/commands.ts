import { actorOf, maySee, type AuditEntry, type Staff } from "../access/access.ts";
import type { Id } from "../kernel/ids.ts";
import { NotFound } from "../kernel/refusal.ts";
import type { Db, Tx } from "../platform/database.ts";
import { once, type Json } from "../platform/idempotency.ts";
import { parseId } from "./builder.ts";
import { requireActor, type GraphqlContext } from "./context.ts";

/** What a mutation is given to act with, all in one transaction. */
export interface Command {
  readonly tx: Tx;
  readonly staff: Staff;
  /** For `actor` columns. */
  readonly actor: string;
  /** Writes the audit row of this act. */
  audit(entry: Omit<AuditEntry, "actor">): Promise<void>;
}

/** Acts in one transaction: what is done and its audit row stay or go together. */
export function act<Outcome>(context: GraphqlContext, work: (command: Command) => Promise<Outcome>): Promise<Outcome> {
  const staff = requireActor(context);
  return context.db.transaction((tx) => work(commandOf(context, staff, tx)));
}

/**
 * The same for a mutation that must not happen twice. `input` is all that the client asked for; a repeat with the same
 * key gets the first one's outcome, which is therefore small: ids to read the result by.
 */
export function actOnce<Outcome extends Json>(
  context: GraphqlContext,
  { mutation, key, input }: { mutation: string; key: string; input: object },
  work: (command: Command) => Promise<Outcome>,
): Promise<Outcome> {
  return act(context, (command) =>
    once(command.tx, { actor: command.actor, key, input: { mutation, input }, now: context.clock.now() }, () =>
      work(command),
    ),
  );
}

/** Acts once on a thing that the person may see, with its audit row; answers how it stands then. */
export async function actOnVisible<Kind extends string, Thing extends { readonly area: string }>(
  context: GraphqlContext,
  {
    what,
    mutation,
    action,
    key,
    input,
    find,
    detailOf,
  }: {
    /** How people call it, and the audit too. */
    what: string;
    mutation: string;
    action: string;
    key: string;
    input: { readonly id: string };
    find: (db: Db | Tx, id: Id<Kind>) => Promise<Thing | undefined>;
    detailOf: (thing: Thing) => Json;
  },
  work: (command: Command, id: Id<Kind>) => Promise<unknown>,
): Promise<Thing> {
  const id = parseId<Kind>(input.id, what);
  await actOnce(context, { mutation, key, input }, async (command) => {
    const seen = requireVisible(command.staff, await find(command.tx, id), what);
    await work(command, id);
    await command.audit({ action, subjectKind: what, subjectId: id, detail: detailOf(seen) });
    return { id };
  });
  const found = await find(context.db, id);
  if (found === undefined) throw new Error(`The ${what} ${id} was worked on and is missing.`);
  return found;
}

function commandOf(context: GraphqlContext, staff: Staff, tx: Tx): Command {
  const actor = actorOf(staff);
  return { tx, staff, actor, audit: (entry) => context.services.access.audit(tx, { ...entry, actor }) };
}

/** The thing, when it exists and lies where the person may look; otherwise `NotFound`, which does not tell which. */
export function requireVisible<Thing extends { readonly area: string }>(
  staff: Staff,
  thing: Thing | undefined,
  what: string,
): Thing {
  if (thing === undefined || !maySee(staff, thing.area)) throw new NotFound(what);
  return thing;
}
