import { expect } from "vitest";
import { TEST_USSD_SECRET, type TestApp } from "../support/app.ts";

/** Somebody at a phone, whose gateway joins the answers as Africa's Talking does. */
export interface Call {
  readonly sessionId: string;
  /** All that was typed until now, as the gateway joins it. */
  readonly text: string;
  /** Sends a hop as it is given, such as one that was sent before. */
  hop(text: string): Promise<string>;
  open(): Promise<string>;
  /** A few seconds later the person types something. */
  says(input: string): Promise<string>;
  /** The same for several things, one after the other; answers the last screen. */
  saysAll(...inputs: readonly string[]): Promise<string>;
}

/** Calls through the real door. */
export function makeDialler(program: { readonly current: TestApp }) {
  let sessions = 0;

  return function dial(phone: string, { tail = "" }: { tail?: string } = {}): Call {
    const sessionId = `ATUid_${String((sessions += 1))}`;
    let text = tail;
    const hop = async (given: string): Promise<string> => {
      const response = await fetch(`${program.current.url}/ussd/africastalking/${TEST_USSD_SECRET}`, {
        method: "POST",
        body: new URLSearchParams({
          sessionId,
          phoneNumber: phone,
          serviceCode: "*384*123#",
          networkCode: "63902",
          text: given,
        }),
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
      return await response.text();
    };
    const says = async (input: string): Promise<string> => {
      program.current.clock.advance(3_000);
      text = text === "" ? input : `${text}*${input}`;
      return await hop(text);
    };
    return {
      sessionId,
      hop,
      says,
      open: () => hop(text),
      async saysAll(...inputs) {
        let screen = "";
        for (const input of inputs) screen = await says(input);
        return screen;
      },
      get text() {
        return text;
      },
    };
  };
}
