import { z } from "zod";
import { InvalidInput } from "../../../kernel/refusal.ts";
import { PATTERN_CHARACTERS_MAX, patternProblem } from "./account-pattern.ts";
import { TIME_FORMATS } from "./times.ts";

const COLUMN_CHARACTERS_MAX = 100;
const KIND_RULES_MAX = 50;
const COMPLETED_VALUES_MAX = 10;

const column = z.string().trim().min(1).max(COLUMN_CHARACTERS_MAX);

/**
 * How a person says what the columns of a bank's or provider's file mean. Column names are compared without regard to
 * case and spacing. Unknown fields are refused, because a misspelled one would be a rule that never works.
 */
const MAPPING = z
  .strictObject({
    columns: z.strictObject({
      /** The provider's name of the transaction: the same on every statement. */
      reference: column,
      time: column,
      /** Where the date stands alone and the clock in a column of its own. */
      timeOfDay: column.optional(),
      /** One column with a sign, or one for money in and one for money out. */
      amount: z.union([z.strictObject({ signed: column }), z.strictObject({ in: column, out: column.optional() })]),
      /** The account number that was paid, or the narration in which `accountPattern` finds it. */
      account: column.optional(),
      payerPhone: column.optional(),
      payerName: column.optional(),
      status: column.optional(),
      /** Of a reversal: the transaction that went back. */
      linked: column.optional(),
      balance: column.optional(),
      details: column.optional(),
    }),
    timeFormat: z.enum(TIME_FORMATS),
    decimalMark: z.enum([".", ","]).default("."),
    thousandsMark: z.enum(["", ",", ".", " ", "'"]).default(""),
    accountPattern: z.string().max(PATTERN_CHARACTERS_MAX).optional(),
    /** The values of the status column that mean that the money moved. */
    completed: z.array(column).min(1).max(COMPLETED_VALUES_MAX).optional(),
    /** What money in is, when no rule says otherwise. */
    paymentType: z.enum(["billpay", "merchantpay", "transfer"]).default("billpay"),
    /** The words before our own account number in the lines above the header, such as "Account number". */
    ownAccountLabel: column.optional(),
    /** The first rule whose column contains its words decides what a line is. */
    kinds: z
      .array(
        z.strictObject({
          when: z.strictObject({ column, contains: column }),
          kind: z.enum(["payment", "reversal", "fee", "disbursement", "settlement", "other"]),
        }),
      )
      .max(KIND_RULES_MAX)
      .default([]),
  })
  .superRefine((mapping, context) => {
    const complain = (message: string, ...path: string[]): void => context.addIssue({ code: "custom", message, path });
    if (mapping.decimalMark === mapping.thousandsMark)
      complain("The thousands mark must differ from the decimal mark.", "thousandsMark");
    if ((mapping.columns.status === undefined) !== (mapping.completed === undefined))
      complain("A status column needs the values that mean completed, and these need the column.", "completed");
    if (mapping.accountPattern !== undefined) {
      const problem = patternProblem(mapping.accountPattern);
      if (problem !== undefined) complain(problem, "accountPattern");
      if (mapping.columns.account === undefined)
        complain("The pattern needs a column to look at.", "columns", "account");
    }
    if (mapping.columns.linked === undefined && mapping.kinds.some(({ kind }) => kind === "reversal"))
      complain("Reversals need the column that names the payment that went back.", "columns", "linked");
  });

export type Mapping = Readonly<z.infer<typeof MAPPING>>;

/** Reads a mapping; throws InvalidInput with one sentence for each mistake. */
export function parseMapping(given: unknown): Mapping {
  const parsed = MAPPING.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.length === 0 ? "" : `${path.join(".")}: `}${message}`,
  );
  throw new InvalidInput(`This mapping cannot be used. ${problems.join(" ")}`, "mapping");
}

/** Every column that a mapping names: a file without one of them is refused as a whole. */
export function columnsOf({ columns, kinds }: Mapping): readonly string[] {
  const { amount, ...others } = columns;
  const named = [
    ...Object.values(others),
    ...("signed" in amount ? [amount.signed] : [amount.in, amount.out]),
    ...kinds.map(({ when }) => when.column),
  ];
  return [...new Set(named.filter((name) => name !== undefined))];
}
