import type { MakeId, PlanId, PlanVersionId } from "../kernel/ids.ts";
import { InvalidInput, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import * as store from "./plans.store.ts";
import { checkTerms, type PlanVersion, type Terms } from "./terms.ts";

export interface NewPlan {
  /** Short and stable, such as "home-60". */
  readonly code: string;
  readonly name: string;
  readonly terms: Terms;
  readonly effectiveAt?: Date | undefined;
}

export interface Plans {
  /** Refuses a code in use and terms that cannot be sold. */
  create(tx: Tx, plan: NewPlan): Promise<PlanVersion>;
  /** Adds a version from an instant on; contracts sold before keep theirs. */
  change(tx: Tx, change: { code: string; terms: Terms; effectiveAt: Date }): Promise<PlanVersion>;
  /** The version under which a sale at this instant is made. */
  requireInForce(db: Db | Tx, code: string, at: Date): Promise<PlanVersion>;
  /** Versions never change, so they are remembered. */
  versions(db: Db | Tx, ids: readonly PlanVersionId[]): Promise<ReadonlyMap<PlanVersionId, PlanVersion>>;
  list(db: Db | Tx): Promise<readonly PlanVersion[]>;
}

const VERSIONS_REMEMBERED_MAX = 10_000;

export function makePlans({ clock, makeId }: { clock: Clock; makeId: MakeId }): Plans {
  const remembered = new Map<PlanVersionId, PlanVersion>();

  async function versions(
    db: Db | Tx,
    ids: readonly PlanVersionId[],
  ): Promise<ReadonlyMap<PlanVersionId, PlanVersion>> {
    const wanted = [...new Set(ids)];
    const found = new Map<PlanVersionId, PlanVersion>();
    for (const id of wanted) {
      const version = remembered.get(id);
      if (version !== undefined) found.set(id, version);
    }
    const missing = wanted.filter((id) => !found.has(id));
    if (missing.length === 0) return found;
    if (remembered.size > VERSIONS_REMEMBERED_MAX) remembered.clear();
    for (const version of await store.findVersions(db, missing)) {
      remembered.set(version.id, version);
      found.set(version.id, version);
    }
    return found;
  }

  async function create(tx: Tx, { code, name, terms, effectiveAt }: NewPlan): Promise<PlanVersion> {
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(code))
      throw new InvalidInput("A plan's code has small letters, digits and hyphens.", "code");
    if (name.trim() === "") throw new InvalidInput("A plan needs a name.", "name");
    checkTerms(terms);
    const now = clock.now();
    const version: PlanVersion = {
      ...terms,
      id: makeId(),
      planId: makeId<"Plan">() as PlanId,
      code,
      name: name.trim(),
      version: 1,
      effectiveAt: effectiveAt ?? now,
    };
    if (!(await store.insertPlan(tx, { version, createdAt: now })))
      throw new InvalidInput(`There is a plan "${code}" already.`, "code");
    await store.insertVersion(tx, version);
    return version;
  }

  async function change(
    tx: Tx,
    { code, terms, effectiveAt }: { code: string; terms: Terms; effectiveAt: Date },
  ): Promise<PlanVersion> {
    checkTerms(terms);
    const latest = await store.lockLatest(tx, code);
    if (latest === undefined) throw new NotFound("plan", "code");
    if (effectiveAt <= latest.effectiveAt)
      throw new InvalidInput("A change takes effect after the version before it.", "effectiveAt");
    if (terms.currency !== latest.currency)
      throw new InvalidInput("A plan keeps its currency; make another plan.", "currency");
    const version: PlanVersion = {
      ...terms,
      id: makeId(),
      planId: latest.planId,
      code,
      name: latest.name,
      version: latest.version + 1,
      effectiveAt,
    };
    await store.insertVersion(tx, version);
    return version;
  }

  return {
    create,
    change,
    async requireInForce(db, code, at) {
      const version = await store.findInForce(db, { code, at });
      if (version === undefined) throw new NotFound("plan in force", "planCode");
      return version;
    },
    versions,
    list: store.listVersions,
  };
}
