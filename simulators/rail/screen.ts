import { formatAmount } from "./currency.ts";
import type { SimulatedTransaction } from "./face.ts";
import { FAULT_KINDS, faultKinds } from "./faults.ts";
import type { DeliveryRecord } from "./postman.ts";
import type { Counts } from "./rail-simulator.ts";

export const COMMANDS = `pay CHANNEL ACCOUNT AMOUNT PHONE [NAME]  a payer pays unasked; - as ACCOUNT pays without one
prompts                                  who has been asked to pay and has not decided
approve N [AMOUNT]                       the payer of prompt N pays
cancel N [WHY]                           the payer declines; WHY: timed_out, unreachable, insufficient_funds
reverse ID [AMOUNT]                      a completed payment goes back
list [CHANNEL]                           the providers' transactions: the truth
deliveries                               what was posted to the program lately, and its answers
statement CHANNEL [FILE]                 the provider's file of the last 48 hours, here or into FILE
fault KIND SHARE [CHANNEL]               from now on; SHARE from 0 to 1
next KIND CHANNEL                        the next occasion meets this fault
faults                                   every kind and what it means
counts                                   how often which fault struck, and how deliveries ended
rails                                    the rails file once more
help, quit`;

const time = (at: Date | undefined): string => (at === undefined ? "" : at.toISOString().slice(11, 19));

export function transactionLine(transaction: SimulatedTransaction): string {
  const { channel, id, kind, status, amountMinor, currency, reference, phone, failure, original } = transaction;
  const outcome = failure === undefined ? status : `${status} (${failure.replaceAll("_", " ")})`;
  const whose = original === undefined ? "" : ` of ${original}`;
  const account = reference === "" ? "no account" : reference;
  const at = time(transaction.endedAt ?? transaction.beganAt);
  return `${at} ${channel} ${kind} ${id}${whose}: ${formatAmount(amountMinor, currency)}, ${account}, +${phone}, ${outcome}`;
}

export function promptLine(
  number: number,
  { channel, requestedMinor, currency, reference, phone }: SimulatedTransaction,
) {
  const amount = formatAmount(requestedMinor, currency);
  return `Prompt ${String(number)} on ${channel}: +${phone} is asked for ${amount} to ${reference}. Type: approve ${String(number)}`;
}

export function deliveryLine({ channel, kind, delivery, transactionId, ...record }: DeliveryRecord): string {
  const what = `${kind === "genuine" ? "news" : `${kind} news`} of ${transactionId ?? "something else"}`;
  // The path holds the channel's secret, so only what follows it is shown.
  const door = new URL(delivery.url).pathname.split("/").slice(4).join("/");
  const tried = record.attempts > 1 ? `, attempt ${String(record.attempts)}` : "";
  const answer = record.status === undefined ? "" : ` ${String(record.status)}`;
  return `${time(record.lastAt)} ${channel} ${what} to ${door}: ${record.result}${answer}${tried}`;
}

export function faultLines(): string {
  return faultKinds.map((kind) => `${kind.padEnd(22)}${FAULT_KINDS[kind]}`).join("\n");
}

export function countLines({ faults, deliveries, attempts }: Counts): string {
  const struck = faultKinds.filter((kind) => faults[kind] > 0).map((kind) => `${kind}: ${String(faults[kind])}`);
  const ended = Object.entries(deliveries).map(([how, times]) => `${how}: ${String(times)}`);
  return [
    `Faults: ${struck.length === 0 ? "none" : struck.join(", ")}`,
    `Deliveries: ${ended.length === 0 ? "none" : ended.join(", ")} (${String(attempts)} attempts)`,
  ].join("\n");
}
