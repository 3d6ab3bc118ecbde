/**
 * What a device does with a command. It trusts nobody but tokens: a broker that sends it something else can cost it an hour
 * of its interval, never a day of its light.
 */
export interface Controls {
  readonly intervalSeconds: number;
  readonly firmwareVersion: string;
}

export interface Answer {
  readonly id: string;
  readonly outcome: "done" | "refused" | "failed";
  readonly detail?: string;
}

export interface Obeyed {
  readonly controls: Controls;
  readonly answer: Answer;
  /** Unix seconds by the device's clock: send again what is remembered of this span; undefined: nothing is asked. */
  readonly fetch?: { readonly from: number; readonly to: number };
  /** It was answered before: answered once more, and nothing done. */
  readonly isRepetition?: boolean;
  /** A new firmware starts the device anew. */
  readonly restarts?: boolean;
}

/** What the device's own keeper of tokens says to one; it has taken effect then. */
export type EnterToken = (token: string) => "VALID" | "ALREADY_USED" | "INVALID";

const INTERVAL_SECONDS = { least: 10, most: 7 * 86_400 };
const TOKENS_MAX = 10;
const ANSWERS_REMEMBERED = 32;

/** Undefined for what is no command: without an id there is nothing to answer to. */
export function obey(
  payload: Uint8Array,
  controls: Controls,
  { enter, nowMs, answered }: { enter: EnterToken; nowMs: number; answered: ReadonlyMap<string, Answer> },
): Obeyed | undefined {
  const command = parse(payload);
  if (command === undefined) return undefined;
  const { id } = command;
  const before = answered.get(id);
  if (before !== undefined) return { controls, answer: before, isRepetition: true };
  const answer = (outcome: Answer["outcome"], detail?: string): Obeyed => ({
    controls,
    answer: { id, outcome, ...(detail === undefined ? {} : { detail }) },
  });
  if (typeof command["expires"] === "number" && nowMs >= command["expires"] * 1_000)
    return answer("refused", "expired");
  switch (command["kind"]) {
    case "set_days":
    case "lock":
    case "unlock":
    case "deliver_tokens":
      return { controls, answer: enterTokens(command, enter) };
    case "set_interval": {
      const { seconds } = command;
      if (typeof seconds !== "number" || !(seconds >= INTERVAL_SECONDS.least && seconds <= INTERVAL_SECONDS.most))
        return answer("refused", "interval out of range");
      return { ...answer("done"), controls: { ...controls, intervalSeconds: Math.round(seconds) } };
    }
    case "fetch_data": {
      const { from = 0, to = Number.MAX_SAFE_INTEGER } = command;
      if (typeof from !== "number" || typeof to !== "number") return answer("refused", "no span of time");
      return { ...answer("done"), fetch: { from, to } };
    }
    case "offer_firmware":
      return takeFirmware(command, controls);
    default:
      return answer("refused", "unknown kind of command");
  }
}

/** Remembers an answer, and forgets the oldest that is more than a small memory holds. */
export function rememberAnswer(answered: Map<string, Answer>, answer: Answer): void {
  answered.set(answer.id, answer);
  const [oldest] = answered.keys();
  if (answered.size > ANSWERS_REMEMBERED && oldest !== undefined) answered.delete(oldest);
}

type Command = { readonly id: string } & Readonly<Record<string, unknown>>;

function parse(payload: Uint8Array): Command | undefined {
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isCommand(content) ? content : undefined;
}

const isCommand = (content: unknown): content is Command =>
  typeof content === "object" && content !== null && "id" in content && typeof content.id === "string";

/** In order, as if typed; but a radio does not mistype, so the keypad's lock-out has no part in it. */
function enterTokens({ id, tokens }: Command, enter: EnterToken): Answer {
  const texts = Array.isArray(tokens) ? tokens.filter((token) => typeof token === "string").slice(0, TOKENS_MAX) : [];
  if (texts.length === 0) return { id, outcome: "refused", detail: "no token" };
  const outcomes = texts.map(enter);
  const accepted = outcomes.filter((outcome) => outcome === "VALID").length;
  if (!outcomes.includes("INVALID")) {
    return accepted > 0 ? { id, outcome: "done" } : { id, outcome: "refused", detail: "token already used" };
  }
  if (accepted === 0) return { id, outcome: "refused", detail: "token not valid" };
  return { id, outcome: "failed", detail: `${String(accepted)} of ${String(texts.length)} tokens accepted` };
}

/** The image is not fetched: a simulated device speaks nothing but MQTT. It starts anew as if it had been. */
function takeFirmware({ id, version, sha256 }: Command, controls: Controls): Obeyed {
  if (typeof version !== "string" || version === "" || version.length > 40)
    return { controls, answer: { id, outcome: "refused", detail: "no version" } };
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    return { controls, answer: { id, outcome: "refused", detail: "no checksum" } };
  if (version === controls.firmwareVersion)
    return { controls, answer: { id, outcome: "refused", detail: "already installed" } };
  return { controls: { ...controls, firmwareVersion: version }, answer: { id, outcome: "done" }, restarts: true };
}
