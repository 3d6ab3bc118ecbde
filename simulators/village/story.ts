import { makeC2bCaller, makeTransId } from "../c2b/caller.ts";
import { makePhone } from "../phone/phone.ts";
import type { ApiClient } from "./client.ts";
import type { Household } from "./village.ts";

const WAIT_MAX_MS = 30_000;
const POLL_MS = 25;

interface ReceiptView {
  readonly id: string;
  readonly providerId: string;
  readonly postings: readonly PostingView[];
  readonly tokens: readonly { readonly digits: string; readonly count: number; readonly units: number }[];
}

interface PostingView {
  readonly accountCode: string;
  readonly amount: { readonly amountMinor: string; readonly currency: string };
}

async function until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> {
  const deadline = performance.now() + WAIT_MAX_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`The story waited ${WAIT_MAX_MS / 1000} s for ${what}, in vain.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A lamp on the air has its token before the SMS is read. */
const TYPED: Readonly<Record<string, string>> = { VALID: "accepted", ALREADY_USED: "used already, it came by air" };

const shown = (days: number | "unlimited"): string => (days === "unlimited" ? "for ever" : days.toFixed(1));

const money = (minor: string, currency: string): string => `${currency} ${(Number(minor) / 100).toFixed(2)}`;

/**
 * Plays one payment from the payer's phone to the light, over the public doors alone, and tells each step with the time
 * since the payment. `tell` prints a line. Throws when a step does not come.
 */
export async function playStory({
  api,
  household,
  doorUrl,
  shortcode,
  smsGatewayUrl,
  tell,
}: {
  api: ApiClient;
  household: Household;
  doorUrl: string;
  shortcode: string;
  smsGatewayUrl: string;
  tell: (line: string) => void;
}): Promise<void> {
  const phone = makePhone({ gatewayUrl: smsGatewayUrl, number: household.phone });
  const smsBefore = (await phone.inbox()).length;
  const daysBefore = household.lamp.face().daysLeft;
  const startedAt = performance.now();
  const step = (name: string, text: string): void =>
    tell(`  ${`+${((performance.now() - startedAt) / 1000).toFixed(3)} s`.padStart(10)}  ${name.padEnd(9)} ${text}`);
  const caller = makeC2bCaller({ doorUrl, shortcode });
  const transId = makeTransId();
  step(
    "payment",
    `${household.name} pays KES 150.00 to paybill ${shortcode}, account ${household.accountNumber}: M-Pesa posts ${transId}`,
  );
  const answer = await caller.confirm({
    transId,
    account: household.accountNumber,
    amount: "150.00",
    msisdn: household.phone.slice(1),
    paidAt: new Date(),
    firstName: household.name.split(" ")[0] ?? "",
  });
  if (!answer.isSuccess) throw new Error(`The door answered ${answer.status} ${answer.body}`);
  step("stored", `committed, and only then answered: ${answer.body}`);
  const receipt = await until("the receipt", async () => {
    const { receipts } = await api.ask<{ receipts: { edges: { node: ReceiptView }[] } }>(
      `query ($search: String) { receipts(search: $search, first: 1) { edges { node { id providerId postings { accountCode amount { amountMinor currency } } tokens { digits count units } } } } }`,
      { search: transId },
    );
    return receipts.edges[0]?.node;
  });
  step("receipt", `${receipt.providerId} is booked`);
  for (const { accountCode, amount } of receipt.postings) {
    const account = accountCode.replace(/^contract\/[^/]+\//, "contract/");
    step("posting", `${account.padEnd(36)} ${money(amount.amountMinor, amount.currency).padStart(12)}`);
  }
  for (const { digits, count, units } of receipt.tokens)
    step("token", `${digits.replace(/\B(?=(\d{3})+$)/g, " ")} (count ${count}, ${units} days)`);
  const sms = await until("the SMS", async () => (await phone.inbox())[smsBefore]);
  step("SMS", `${household.phone} reads: ${sms.text}`);
  for (const token of await phone.tokens()) {
    const event = household.lamp.enter(token);
    step(
      "lamp",
      `${token} typed: ${TYPED[event.kind] ?? event.kind}; days left ${shown(daysBefore)} -> ${shown(household.lamp.face().daysLeft)}, light ${household.lamp.face().relayOn ? "on" : "off"}`,
    );
  }
}
