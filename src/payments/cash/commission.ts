import type { StaffId } from "../../kernel/ids.ts";
import { AMOUNT_MINOR_MAX, type Currency } from "../../kernel/money.ts";
import { floorOf, rational, type Rational } from "../../kernel/rational.ts";
import { InvalidInput } from "../../kernel/refusal.ts";

export type CommissionKind = "sale" | "collection";

/** What a sale or a collection earns its agent: a ratio of the amount, and a fixed part. */
export interface CommissionTerms {
  readonly kind: CommissionKind;
  /** Null: every agent without a rule of their own. */
  readonly agentId: StaffId | null;
  readonly currency: Currency;
  readonly ratio: Rational;
  readonly fixedMinor: bigint;
  /** For what is sold or collected from then on. */
  readonly effectiveAt: Date;
}

export interface CommissionRule extends CommissionTerms {
  readonly id: string;
  readonly setAt: Date;
}

/** Twelve decimals of a ratio are more than any contract states, and fit the column. */
const DENOMINATOR_MAX = 1_000_000_000_000n;

/** Refuses terms that would pay more than was collected, or that cannot be kept exactly. */
export function requireCommissionTerms({ ratio, fixedMinor }: Pick<CommissionTerms, "ratio" | "fixedMinor">): void {
  if (ratio.numerator < 0n || ratio.numerator > ratio.denominator)
    throw new InvalidInput("A commission is a ratio from 0 to 1, such as 0.025 for 2.5 percent.", "ratio");
  if (ratio.denominator > DENOMINATOR_MAX) throw new InvalidInput("This ratio has more than twelve decimals.", "ratio");
  if (fixedMinor < 0n || fixedMinor > AMOUNT_MINOR_MAX)
    throw new InvalidInput("The fixed part of a commission is zero or more.", "fixedMinor");
}

/** The newest rule of the agent that was in force at an instant, else the newest for everybody; of two of one instant the later word. */
export function ruleInForce(rules: readonly CommissionRule[], at: Date): CommissionRule | undefined {
  const known = rules.filter(({ effectiveAt }) => effectiveAt <= at);
  const own = known.filter(({ agentId }) => agentId !== null);
  return (own.length > 0 ? own : known).reduce<CommissionRule | undefined>(
    (newest, rule) => (newest === undefined || isNewer(rule, newest) ? rule : newest),
    undefined,
  );
}

function isNewer(rule: CommissionRule, than: CommissionRule): boolean {
  return (
    rule.effectiveAt > than.effectiveAt ||
    (rule.effectiveAt.getTime() === than.effectiveAt.getTime() && rule.setAt > than.setAt)
  );
}

/**
 * What one act earns under a rule, or gives back when `sign` is -1. Rounded down; the part of a minor unit that rounding
 * keeps back is carried, over the ratio's denominator, so that however many small acts there are and in whatever order some
 * are taken back, the sum is the exact ratio of the sum, rounded down once (and the fixed parts).
 */
export function earn(
  { ratio, fixedMinor }: Pick<CommissionTerms, "ratio" | "fixedMinor">,
  { baseMinor, carriedFraction, sign }: { baseMinor: bigint; carriedFraction: bigint; sign: 1n | -1n },
): { readonly amountMinor: bigint; readonly carriedFraction: bigint } {
  const exact = sign * baseMinor * ratio.numerator + carriedFraction;
  const whole = floorOf(rational(exact, ratio.denominator));
  return { amountMinor: whole + sign * fixedMinor, carriedFraction: exact - whole * ratio.denominator };
}
