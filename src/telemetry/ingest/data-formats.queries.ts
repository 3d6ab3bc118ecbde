import { NotAllowedNow } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import { makeTwoAges } from "../../platform/two-ages.ts";
import { findDataFormats, saveDataFormat } from "./data-formats.store.ts";

export interface DataFormats {
  /** From memory, the same object every time; null when there is none of this number, undefined when it has to be loaded first. */
  peek(id: number): unknown;
  /** Brings formats into memory. Rejects when the database is away. */
  load(ids: readonly number[]): Promise<void>;
  /**
   * Registers a format that was checked, and answers its number; one that is there keeps its own. Throws FormatsFull where it would be
   * one more than `formatsMax` (FORMATS_MAX).
   */
  register(document: unknown, options?: { readonly formatsMax: number }): Promise<number>;
}

/** A maker has a handful of formats, and none is ever removed. All of them fit into memory. */
export const FORMATS_MAX = 2_000;
/** Numbers that nobody registered, sent at random. */
const MISSING_MAX = 10_000;
/** What is missing may be registered in the next moment, by another process. */
const MISSING_FOR_MS = 5_000;
const ID_MAX = 2_147_483_647;

/** As many formats are registered as are taken. */
export class FormatsFull extends NotAllowedNow {
  constructor(formatsMax: number) {
    super(
      `${String(formatsMax)} data formats are registered, and no further one is taken ${formatsMax < FORMATS_MAX ? "without a session of the office (Authorization: Bearer): ask the operator to register it" : "at all"}. Those that are registered go on, and a format may be sent inline (data_format) with each request.`,
    );
  }
}

/** Data formats that devices refer to by number. A registered one never changes, so it is remembered for good. */
export function makeDataFormats({ database, clock }: { database: Database; clock: Clock }): DataFormats {
  const known = makeTwoAges<number, unknown>(FORMATS_MAX);
  const missing = makeTwoAges<number, number>(MISSING_MAX);
  const isId = (id: number): boolean => Number.isInteger(id) && id > 0 && id <= ID_MAX;
  return {
    peek(id) {
      if (!isId(id)) return null;
      const found = known.get(id);
      if (found !== undefined) return found;
      const until = missing.get(id);
      return until !== undefined && until > clock.now().getTime() ? null : undefined;
    },
    async load(ids) {
      const wanted = ids.filter(isId);
      if (wanted.length === 0) return;
      const found = await findDataFormats(database.db, wanted);
      const until = clock.now().getTime() + MISSING_FOR_MS;
      for (const id of wanted) {
        if (found.has(id)) known.set(id, found.get(id));
        else missing.set(id, until);
      }
    },
    async register(document, { formatsMax } = { formatsMax: FORMATS_MAX }) {
      const id = await saveDataFormat(database.db, { document, registeredAt: clock.now(), formatsMax });
      if (id === undefined) throw new FormatsFull(formatsMax);
      missing.delete(id);
      return id;
    },
  };
}
