import fc from "fast-check";

/** What is thrown at the door: the bytes, and what a sender could know about them. */
export interface Thrown {
  readonly kind: "valid" | "duplicate" | "conflict" | "malformed" | "wrong_type" | "hostile" | "huge" | "lost";
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/** Texts that have broken something somewhere: SQL, array literals, format strings, half characters, other scripts. */
const HOSTILE = [
  "'; drop table payments.receipts; --",
  "{}",
  '{"a","b"}',
  "NULL",
  "null",
  '"',
  "\\",
  "\\x00",
  "\\u0000",
  "%s%n",
  "${jndi:ldap://x}",
  "<script>alert(1)</script>",
  "\u0000",
  "\ud800",
  "\udfff\ud800",
  "\u202e101-GP",
  "👩🏾‍🌾💡",
  "ﷺ".repeat(60),
  "a".repeat(200),
  "a".repeat(201),
  "\t\r\n",
  "\u2028",
  "\ufeff",
  "١٢٣٤٥",
  "=1+1",
  "0x1F",
  "1e9",
  "-0",
  "NaN",
  "__proto__",
  "constructor",
  "",
] as const;

const FIELDS = [
  "TransID",
  "TransTime",
  "TransAmount",
  "BusinessShortCode",
  "BillRefNumber",
  "MSISDN",
  "FirstName",
  "LastName",
  "Currency",
  "Unknown",
] as const;

/** How many payments the valid bodies are about; the rest of the ten thousand repeats, contradicts or garbles them. */
const PAYMENTS = 4_000;

/** Callbacks about the given accounts, from a seed; the same seed gives the same bytes. */
export function generateCallbacks({
  seed,
  count,
  accounts,
  phones,
  shortcode,
}: {
  seed: number;
  count: number;
  accounts: readonly string[];
  phones: readonly string[];
  shortcode: string;
}): readonly Thrown[] {
  const account = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...accounts) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(...accounts).map((text) => ` ${text.toLowerCase().replaceAll("0", "o")} `),
    },
    { weight: 2, arbitrary: fc.stringMatching(/^[0-9]{4,9}$/) },
    { weight: 1, arbitrary: fc.constant("") },
  );
  const amount = fc.oneof(
    fc.integer({ min: 1, max: 3_000 }).map(String),
    fc.integer({ min: 1, max: 300_000 }).map((cents) => (cents / 100).toFixed(2)),
  );
  const payer = fc.oneof(
    fc.constantFrom(...phones),
    fc.constant("2547 ***** 126"),
    fc.stringMatching(/^[0-9a-f]{64}$/),
  );
  const payment = fc.record({ account, amount, payer, minute: fc.nat(599) });
  const payments = fc.sample(payment, { numRuns: PAYMENTS, seed });

  const bodyOf = (at: number, changes: Record<string, unknown> = {}): Record<string, unknown> => {
    const about = payments[at % payments.length] ?? { account: "", amount: "1", payer: "", minute: 0 };
    const [hour, minute] = [Math.floor(about.minute / 60), about.minute % 60];
    return {
      TransactionType: "Pay Bill",
      TransID: `G${String(at).padStart(9, "0")}`,
      TransTime: `20260301${String(hour).padStart(2, "0")}${String(minute).padStart(2, "0")}00`,
      TransAmount: about.amount,
      BusinessShortCode: shortcode,
      BillRefNumber: about.account,
      OrgAccountBalance: "25.00",
      MSISDN: about.payer,
      FirstName: "WANJIRU",
      ...changes,
    };
  };
  const about = fc.nat(PAYMENTS - 1);
  const field = fc.constantFrom(...FIELDS);
  const said = (kind: Thrown["kind"], body: fc.Arbitrary<Thrown["body"]>): fc.Arbitrary<Thrown> =>
    body.map((bytes) => ({ kind, body: bytes }));
  const json = (value: unknown): string => JSON.stringify(value);

  const thrown = fc.oneof(
    {
      weight: 46,
      arbitrary: said(
        "valid",
        about.map((at) => json(bodyOf(at))),
      ),
    },
    {
      weight: 10,
      arbitrary: said(
        "duplicate",
        fc.tuple(about, payer).map(([at, dress]) => json(bodyOf(at, { MSISDN: dress, OrgAccountBalance: "" }))),
      ),
    },
    {
      weight: 10,
      arbitrary: said(
        "conflict",
        fc.tuple(about, amount).map(([at, other]) => json(bodyOf(at, { TransAmount: other }))),
      ),
    },
    {
      weight: 6,
      arbitrary: said(
        "malformed",
        fc.tuple(about, fc.nat(200)).map(([at, length]) => json(bodyOf(at)).slice(0, length)),
      ),
    },
    {
      weight: 6,
      arbitrary: said(
        "malformed",
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
      ),
    },
    {
      weight: 10,
      arbitrary: said(
        "wrong_type",
        fc
          .tuple(about, field, fc.jsonValue({ maxDepth: 2 }))
          .map(([at, name, value]) => json(bodyOf(at, { [name]: value }))),
      ),
    },
    {
      weight: 10,
      arbitrary: said(
        "hostile",
        fc
          .tuple(about, field, fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary", maxLength: 60 })))
          .map(([at, name, value]) => json(bodyOf(at, { [name]: value }))),
      ),
    },
    {
      weight: 1,
      arbitrary: said(
        "huge",
        about.map((at) => json(bodyOf(at, { Unknown: "x".repeat(17_000) }))),
      ),
    },
    {
      weight: 1,
      arbitrary: said(
        "lost",
        about.map((at) => json(bodyOf(at))),
      ),
    },
  );
  return fc.sample(thrown, { numRuns: count, seed });
}
