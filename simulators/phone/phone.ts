/** An SMS as the phone's inbox shows it. */
export interface ReceivedSms {
  readonly from: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface SimulatedPhone {
  readonly number: string;
  /** Oldest first. */
  inbox(): Promise<readonly ReceivedSms[]>;
  /** Every token of every message, in the order a person would type them: digits only. */
  tokens(): Promise<readonly string[]>;
}

/** A phone with a number, which reads its messages from the simulated gateway. */
export function makePhone({ gatewayUrl, number }: { gatewayUrl: string; number: string }): SimulatedPhone {
  async function inbox(): Promise<readonly ReceivedSms[]> {
    const url = new URL("/simulator/messages", gatewayUrl);
    url.searchParams.set("number", number);
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`The simulated gateway answered ${String(response.status)}.`);
    return (await response.json()) as ReceivedSms[];
  }
  return {
    number,
    inbox,
    tokens: async () => (await inbox()).flatMap(({ text }) => readTokens(text)),
  };
}

const TOKEN_LIST = /\b(?:tokens?|tokeni|codes?|codigos?)\s*:\s*((?:\d[\d -]*\d)(?:\s*,\s*\d[\d -]*\d)*)/giu;

/** What a person reads as tokens: groups of digits after the word and a colon, several with commas between them. */
export function readTokens(text: string): string[] {
  return [...text.matchAll(TOKEN_LIST)]
    .flatMap((match) => (match[1] ?? "").split(","))
    .map((token) => token.replace(/\D/g, ""))
    .filter((token) => token.length >= 8);
}
