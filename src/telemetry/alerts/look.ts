import type { ClearedBy } from "./alert.ts";
import { decideStanding, type Standing } from "./hysteresis.ts";
import { isVoid, measure, type MeasureContext, type Subject } from "./measures.ts";
import { DEFINITIONS, RULES, settingsFor, type Rule, type RuleBook } from "./rules.ts";

/** A live alert of a device, as a look finds it. */
export interface LiveAlert {
  readonly id: bigint;
  readonly device: number;
  readonly rule: Rule;
  readonly standing: Standing;
  readonly value: number;
}

/** What a look changes. Values that only drift are not written: an alert's row would be rewritten with every look. */
export type Change =
  | {
      readonly kind: "rise";
      readonly device: number;
      readonly rule: Rule;
      readonly value: number;
      readonly raised: boolean;
    }
  | { readonly kind: "raise"; readonly id: bigint; readonly rule: Rule; readonly value: number }
  /** It was seen, but not for long enough: as if it had never been. */
  | { readonly kind: "forget"; readonly id: bigint }
  | { readonly kind: "calm"; readonly id: bigint; readonly calmSince: Date | undefined }
  | { readonly kind: "clear"; readonly id: bigint; readonly by: ClearedBy };

/**
 * What one look at a device changes about its alerts. `subject` is undefined for one that left: nobody has it, so its
 * alerts end. A rule that was turned off, or that asks nothing of the device any more, ends its alerts too. Looking twice changes nothing the second time.
 */
export function decideLook(
  { subject, live }: { subject: Subject | undefined; live: readonly LiveAlert[] },
  { book, context }: { book: RuleBook; context: MeasureContext },
): readonly Change[] {
  if (subject === undefined) return live.map((alert) => end(alert, "left"));
  return RULES.flatMap((rule) => {
    const settings = settingsFor(book, rule, subject.model);
    const alert = live.find((one) => one.rule === rule);
    if (!settings.enabled || isVoid(rule, { subject, settings, context }))
      return alert === undefined ? [] : [end(alert, "disabled")];
    const value = measure(rule, { subject, settings, context });
    const was: Standing = alert?.standing ?? { kind: "calm" };
    const next = decideStanding(
      { ...settings, direction: DEFINITIONS[rule].direction },
      { was, value, now: context.now },
    );
    return value === undefined ? [] : changeOf({ alert, next, value, device: subject.device, rule });
  });
}

function end({ id, standing }: LiveAlert, by: ClearedBy): Change {
  return standing.kind === "rising" ? { kind: "forget", id } : { kind: "clear", id, by };
}

function changeOf({
  alert,
  next,
  value,
  device,
  rule,
}: {
  alert: LiveAlert | undefined;
  next: Standing;
  value: number;
  device: number;
  rule: Rule;
}): readonly Change[] {
  if (alert === undefined)
    return next.kind === "calm" ? [] : [{ kind: "rise", device, rule, value, raised: next.kind === "raised" }];
  switch (next.kind) {
    case "calm":
      return [end(alert, "rule")];
    case "rising":
      return [];
    case "raised":
      if (alert.standing.kind !== "raised") return [{ kind: "raise", id: alert.id, rule, value }];
      return alert.standing.calmSince?.getTime() === next.calmSince?.getTime()
        ? []
        : [{ kind: "calm", id: alert.id, calmSince: next.calmSince }];
  }
}
