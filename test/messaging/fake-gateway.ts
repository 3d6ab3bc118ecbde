import type { Outgoing, Gateway } from "../../src/messaging/gateway.ts";
import type { GatewayUnderTest } from "./gateway-contract.ts";

/** A gateway made by hand, which passes the contract of the real one. `onSend` runs when a message was taken. */
export function makeFakeGateway(
  onSend: (providerId: string) => Promise<void> | void = () => undefined,
): GatewayUnderTest & {
  readonly gateway: Gateway;
  readonly sent: readonly Outgoing[];
} {
  const sent: Outgoing[] = [];
  const faults: string[] = [];
  return {
    sent,
    received: (number) => sent.filter(({ to }) => to === number).map(({ text }) => text),
    failNext: (fault) => void faults.push(fault),
    close: () => Promise.resolve(),
    gateway: {
      async send(sms) {
        const fault = faults.shift();
        if (fault === "http_500") return { accepted: false, reason: "HTTP 500", permanent: false };
        if (fault === "refuse_recipient" || !/^\+\d{7,15}$/.test(sms.to)) {
          return { accepted: false, reason: "403 InvalidPhoneNumber", permanent: true };
        }
        sent.push(sms);
        const providerId = `fake-${String(sent.length)}`;
        await onSend(providerId);
        if (fault === "silent_after_accepting") return { accepted: false, reason: "no answer", permanent: false };
        return { accepted: true, providerId, costText: "KES 0.8000" };
      },
    },
  };
}
