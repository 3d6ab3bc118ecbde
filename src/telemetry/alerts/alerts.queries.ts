import { InvalidInput } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import type { Alert, AlertChange, AlertFilter, AlertNews, AlertState } from "./alert.ts";
import * as store from "./alerts.store.ts";
import { DEFINITIONS, isRule, RULES, type Rule, type RuleDefinition, type RuleSettings } from "./rules.ts";
import { readExpectations, readSettings, type Expectation } from "./rules.store.ts";
import { listReaders, toldTo, type AlertReader } from "./telling.store.ts";

export const ALERT_PAGE_MAX = 101;

/** A rule as it stands for all models (model '') or for one. `changedBy` is undefined while it has the program's defaults. */
export interface RuleView extends Pick<RuleDefinition, "direction" | "unit"> {
  readonly rule: Rule;
  readonly model: string;
  readonly settings: RuleSettings;
  readonly changedBy: string | undefined;
  readonly changedAt: Date | undefined;
}

export interface AlertQueries {
  /** Newest first, those before `before`. What waits for a person, unless the filter says all. At most 101 a page. */
  list(query: { filter?: AlertFilter; first: number; before?: bigint | undefined }): Promise<readonly Alert[]>;
  find(id: bigint): Promise<Alert | undefined>;
  /** Those that are there, by id. */
  findMany(ids: readonly bigint[]): Promise<ReadonlyMap<bigint, Alert>>;
  /** The alerts that a group holds, newest first. */
  members(query: { group: bigint; first: number; before?: bigint | undefined }): Promise<readonly Alert[]>;
  /** Who was told of which alert, by message. */
  toldTo(ids: readonly bigint[]): Promise<ReadonlyMap<bigint, readonly string[]>>;
  rules(): Promise<readonly RuleView[]>;
  expectations(): Promise<readonly Expectation[]>;
  readers(): Promise<readonly AlertReader[]>;
  /**
   * Calls `onNews` for what changes from now on, in this process or another, once it is committed; `missed` after every
   * (re)connect, and when too much changed at once to be told singly. Answers what ends it.
   */
  subscribe(onNews: (news: AlertNews) => void): Promise<() => Promise<void>>;
}

export function makeAlertQueries({ database, clock }: { database: Database; clock: Clock }): AlertQueries {
  const { db } = database;
  const checkPage = (first: number): void => {
    if (!Number.isInteger(first) || first < 1 || first > ALERT_PAGE_MAX)
      throw new InvalidInput(`A page holds 1 to ${ALERT_PAGE_MAX} alerts.`, "first");
  };
  return {
    async list({ filter = {}, first, before }) {
      checkPage(first);
      return await store.listAlerts(db, { filter, before, limit: first, now: clock.now() });
    },
    async find(id) {
      return (await store.findAlerts(db, [id]))[0];
    },
    async findMany(ids) {
      return ids.length === 0 ? new Map() : new Map((await store.findAlerts(db, ids)).map((one) => [one.id, one]));
    },
    async members({ group, first, before }) {
      checkPage(first);
      return await store.listMembers(db, { group, before, limit: first });
    },
    toldTo: (ids) => toldTo(db, ids),
    async rules() {
      const stored = await readSettings(db);
      return RULES.flatMap((rule): RuleView[] => {
        const { direction, unit, defaults } = DEFINITIONS[rule];
        const own = stored.filter((one) => one.rule === rule);
        const views = own.map((one) => ({ ...one, direction, unit }));
        return own.some(({ model }) => model === "")
          ? views
          : [
              { rule, model: "", direction, unit, settings: defaults, changedBy: undefined, changedAt: undefined },
              ...views,
            ];
      });
    },
    expectations: () => readExpectations(db),
    readers: () => listReaders(db),
    subscribe: (onNews) => database.listen(store.ALERT_CHANNEL, (payload) => onNews(newsOf(payload))),
  };
}

const STATES: readonly AlertState[] = ["rising", "open", "acknowledged", "closed", "cleared"];

/** What a notification says. Anything unreadable, as from another version of the program, is something missed. */
export function newsOf(payload: string): AlertNews {
  if (payload === "") return { kind: "missed" };
  let parsed: unknown;
  try {
    parsed = JSON.parse(payload);
  } catch {
    return { kind: "missed" };
  }
  const alerts = Array.isArray(parsed) ? parsed.map(changeOf) : [undefined];
  return alerts.every((one) => one !== undefined) ? { kind: "changed", alerts } : { kind: "missed" };
}

function changeOf(given: unknown): AlertChange | undefined {
  if (!Array.isArray(given)) return undefined;
  const [id, rule, state, area]: unknown[] = given;
  const known = STATES.find((one) => one === state);
  if (typeof id !== "string" || !/^\d{1,19}$/.test(id) || typeof rule !== "string" || !isRule(rule)) return undefined;
  return known === undefined || typeof area !== "string" ? undefined : { id: BigInt(id), rule, state: known, area };
}
