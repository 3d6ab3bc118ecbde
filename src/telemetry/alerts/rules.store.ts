import { sql } from "drizzle-orm";
import { SECOND_MS } from "../../kernel/time.ts";
import type { Db, Tx } from "../../platform/database.ts";
import { instant } from "../states/state-sql.ts";
import { isRule, type BatteryQuantity, type Rule, type RuleSettings } from "./rules.ts";

interface Row extends Record<string, unknown> {
  rule: string;
  model: string;
  enabled: boolean;
  quantity: BatteryQuantity | null;
  raise_at: number;
  clear_at: number;
  raise_after_seconds: number;
  clear_after_seconds: number;
  urgent: boolean;
  told: boolean;
  changed_by: string;
  changed_at: string;
}

export interface StoredSettings {
  readonly rule: Rule;
  /** '' for all models. */
  readonly model: string;
  readonly settings: RuleSettings;
  readonly changedBy: string;
  readonly changedAt: Date;
}

/** What staff changed; rules of another version of the program are left out. */
export async function readSettings(db: Db | Tx): Promise<readonly StoredSettings[]> {
  const rows = await db.execute<Row>(sql`
    select rule, model, enabled, quantity, raise_at, clear_at, raise_after_seconds, clear_after_seconds, urgent, told, changed_by, changed_at
    from telemetry.rule_settings order by rule, model`);
  return rows.flatMap((row) =>
    !isRule(row.rule)
      ? []
      : [
          {
            rule: row.rule,
            model: row.model,
            settings: {
              enabled: row.enabled,
              quantity: row.quantity ?? undefined,
              raiseAt: row.raise_at,
              clearAt: row.clear_at,
              raiseAfterMs: row.raise_after_seconds * SECOND_MS,
              clearAfterMs: row.clear_after_seconds * SECOND_MS,
              urgent: row.urgent,
              told: row.told,
            },
            changedBy: row.changed_by,
            changedAt: new Date(row.changed_at),
          },
        ],
  );
}

export async function saveSettings(tx: Tx, { rule, model, settings, changedBy, changedAt }: StoredSettings) {
  const { enabled, quantity, raiseAt, clearAt, raiseAfterMs, clearAfterMs, urgent, told } = settings;
  await tx.execute(sql`
    insert into telemetry.rule_settings (rule, model, enabled, quantity, raise_at, clear_at, raise_after_seconds, clear_after_seconds, urgent, told, changed_by, changed_at)
    values (${rule}, ${model}, ${enabled}, ${quantity ?? null}, ${raiseAt}, ${clearAt}, ${Math.round(raiseAfterMs / SECOND_MS)},
      ${Math.round(clearAfterMs / SECOND_MS)}, ${urgent}, ${told}, ${changedBy}, ${instant(changedAt)})
    on conflict (rule, model) do update set enabled = excluded.enabled, quantity = excluded.quantity, raise_at = excluded.raise_at,
      clear_at = excluded.clear_at, raise_after_seconds = excluded.raise_after_seconds, clear_after_seconds = excluded.clear_after_seconds,
      urgent = excluded.urgent, told = excluded.told, changed_by = excluded.changed_by, changed_at = excluded.changed_at`);
}

export interface Expectation {
  readonly model: string;
  readonly intervalSeconds: number | undefined;
  readonly firmwareMinimum: string | undefined;
}

export async function readExpectations(db: Db | Tx): Promise<readonly Expectation[]> {
  const rows = await db.execute<{ model: string; interval_seconds: number | null; firmware_minimum: string | null }>(
    sql`select model, interval_seconds, firmware_minimum from telemetry.expectations order by model`,
  );
  return rows.map((row) => ({
    model: row.model,
    intervalSeconds: row.interval_seconds ?? undefined,
    firmwareMinimum: row.firmware_minimum ?? undefined,
  }));
}

export async function saveExpectation(tx: Tx, { model, intervalSeconds, firmwareMinimum }: Expectation): Promise<void> {
  await tx.execute(sql`
    insert into telemetry.expectations (model, interval_seconds, firmware_minimum)
    values (${model}, ${intervalSeconds ?? null}, ${firmwareMinimum ?? null})
    on conflict (model) do update set interval_seconds = excluded.interval_seconds, firmware_minimum = excluded.firmware_minimum`);
}
