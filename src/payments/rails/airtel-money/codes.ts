/**
 * Airtel answers in three layers: its gateway (ROUTER…), its service bus (ESB…, `result_code`) and the product (DP…,
 * `response_code`). What each code means for money, from the error tables of the Open API's documentation.
 */
export type CodeMeaning =
  | "in_progress"
  | "success"
  | "refused"
  | "duplicate"
  | "not_found"
  /** Airtel may or may not have acted: "please do a transaction enquiry". */
  | "unclear";

/** The bus did its own work; that says nothing yet about the money. */
type Meaning = CodeMeaning | "carried";

const CODES: Readonly<Record<Meaning, string>> = {
  carried: "ESB000010",
  success: "DP00800001001 DP00900001001",
  in_progress: "DP00800001006 DP00900001006",
  refused: `
    ROUTER001 ROUTER003 ROUTER005 ROUTER006 ROUTER007 ROUTER112 ROUTER114 ROUTER115 ROUTER116 ROUTER119
    ESB000011 ESB000033 ESB000034 ESB000035 ESB000036 ESB000039
    DP00800001002 DP00800001003 DP00800001004 DP00800001005 DP00800001007
    DP00800001008 DP00800001009 DP00800001010 DP00800001029
    DP00900001003 DP00900001004 DP00900001005 DP00900001007 DP00900001009
    DP00900001010 DP00900001012 DP00900001013`,
  duplicate: "ESB000041 DP00900001011 DP00900001017",
  not_found: "ESB000045 DP00800001025 DP00900001015",
  unclear: `
    ROUTER117 ESB000001 ESB000004 ESB000008 ESB000014 0000900
    DP00800001000 DP00800001024 DP00900001000 DP00900001014`,
};

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  (Object.keys(CODES) as Meaning[]).flatMap((meaning) =>
    CODES[meaning]
      .trim()
      .split(/\s+/)
      .map((code) => [code, meaning] as const),
  ),
);

/**
 * What both layers together say. The product's word counts, unless the bus says the opposite: then nothing is clear.
 * A code that is in no table leaves open whether Airtel acted.
 */
export function meaningOf(codes: {
  readonly product: string | undefined;
  readonly bus: string | undefined;
}): CodeMeaning {
  const product = MEANINGS.get(codes.product ?? "");
  const bus = MEANINGS.get(codes.bus ?? "");
  if (product === undefined && codes.product !== undefined) return bus === "duplicate" ? "duplicate" : "unclear";
  if (product === undefined || product === "carried")
    return bus === undefined || bus === "carried" ? carriedOnly() : bus;
  if (bus === undefined || bus === "carried" || bus === product) return product;
  if (bus === "duplicate") return "duplicate";
  return isGood(product) === isGood(bus) ? product : "unclear";

  function carriedOnly(): CodeMeaning {
    return product === "carried" || bus === "carried" ? "in_progress" : "unclear";
  }
}

function isGood(meaning: CodeMeaning): boolean {
  return meaning === "in_progress" || meaning === "success";
}
