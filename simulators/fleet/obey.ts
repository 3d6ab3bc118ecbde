/**
 * What a device does with a command. It trusts nobody but tokens: a broker that sends it something else can cost it an hour
 * of its interval, never a day of its light.
 */
import { acceptToken, type DeviceState, type TokenDevice } from "../../src/devices/tokens/openpaygo.ts";

export interface Controls {
  readonly tokenState: DeviceState;
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
  /** A new firmware starts the device anew. */
  readonly restarts?: boolean;
}

const INTERVAL_SECONDS = { least: 10, most: 7 * 86_400 };
const TOKENS_MAX = 10;

/** Undefined for what is no command: without an id there is nothing to answer to. */
export function obey(
  payload: Uint8Array,
  controls: Controls,
  { device, nowMs }: { device: TokenDevice; nowMs: number },
): Obeyed | undefined {
  const command = parse(payload);
  if (command === undefined) return undefined;
  const { id } = command;
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
      return enterTokens(command, controls, { device, nowMs });
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
function enterTokens(
  { id, tokens }: Command,
  controls: Controls,
  { device, nowMs }: { device: TokenDevice; nowMs: number },
): Obeyed {
  const texts = Array.isArray(tokens) ? tokens.filter((token) => typeof token === "string").slice(0, TOKENS_MAX) : [];
  let { tokenState } = controls;
  let accepted = 0;
  let invalid = 0;
  for (const token of texts) {
    const decision = acceptToken(device, tokenState, { token, nowAt: nowMs });
    tokenState = decision.state;
    if (decision.outcome === "VALID") accepted += 1;
    if (decision.outcome === "INVALID") invalid += 1;
  }
  const obeyed = { ...controls, tokenState };
  if (texts.length === 0) return { controls, answer: { id, outcome: "refused", detail: "no token" } };
  if (invalid > 0) {
    const detail = accepted > 0 ? `${String(accepted)} of ${String(texts.length)} tokens accepted` : "token not valid";
    return { controls: obeyed, answer: { id, outcome: accepted > 0 ? "failed" : "refused", detail } };
  }
  if (accepted === 0) return { controls, answer: { id, outcome: "refused", detail: "token already used" } };
  return { controls: obeyed, answer: { id, outcome: "done" } };
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
