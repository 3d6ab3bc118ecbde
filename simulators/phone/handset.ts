import { randomUUID } from "node:crypto";

/** One USSD screen as the phone shows it. */
export interface UssdScreen {
  readonly text: string;
  /** False when the network has ended the call: there is nothing to answer. */
  readonly isOpen: boolean;
}

export interface Handset {
  readonly number: string;
  /** Dials such as `*384*123#`, or further along by `*384*123*2#`. A call that was open is given up. */
  dial(code: string): Promise<UssdScreen>;
  /** Answers the screen that is open. */
  answer(input: string): Promise<UssdScreen>;
  hangUp(): void;
}

const HOP_TIMEOUT_MS = 15_000;
/** What networks say of a code that nobody serves. */
const NO_SUCH_CODE: UssdScreen = { text: "Connection problem or invalid MMI code.", isOpen: false };
const NO_CALL: UssdScreen = { text: "There is no call. Dial first.", isOpen: false };

/** A phone on a gateway of Africa's Talking's kind: answers are joined by `*`, and each hop is a form to `ussdUrl`. */
export function makeHandset({
  number,
  ussdUrl,
  serviceCode,
}: {
  number: string;
  ussdUrl: string;
  serviceCode: string;
}): Handset {
  let call: { readonly sessionId: string; readonly text: string } | undefined;

  async function hop(next: { sessionId: string; text: string }): Promise<UssdScreen> {
    const fields = { ...next, phoneNumber: number, serviceCode, networkCode: "63902" };
    const response = await fetch(ussdUrl, {
      method: "POST",
      body: new URLSearchParams(fields),
      signal: AbortSignal.timeout(HOP_TIMEOUT_MS),
    });
    const [, kind, text = ""] = /^(CON|END) ([^]*)$/.exec(await response.text()) ?? [];
    // Anything else ends the call, as networks do it.
    if (!response.ok || kind === undefined) {
      call = undefined;
      return { text: "External application down.", isOpen: false };
    }
    call = kind === "CON" ? next : undefined;
    return { text, isOpen: kind === "CON" };
  }

  return {
    number,
    async dial(code) {
      call = undefined;
      const text = tailOf(code, serviceCode);
      return text === undefined ? NO_SUCH_CODE : await hop({ sessionId: `ATUid_${randomUUID()}`, text });
    },
    async answer(input) {
      if (call === undefined) return NO_CALL;
      return await hop({ ...call, text: call.text === "" ? input : `${call.text}*${input}` });
    },
    hangUp() {
      call = undefined;
    },
  };
}

/** What follows the service code in a dialled string; undefined when another service was dialled. */
function tailOf(code: string, serviceCode: string): string | undefined {
  const dialled = code.replaceAll(/\s/g, "");
  const begin = serviceCode.slice(0, -1);
  if (dialled === serviceCode) return "";
  return dialled.startsWith(`${begin}*`) && dialled.endsWith("#") ? dialled.slice(begin.length + 1, -1) : undefined;
}
