import type { Texts } from "./texts.ts";

const daysOf = (days: string): string => (days === "1" ? "1 day" : `${days} days`);

export const english: Texts = {
  token_received: ({ amount, token, days, account }) =>
    `Received ${amount}. Token: ${token}. Enter it on your device for ${daysOf(days)}. Account ${account}.`,
  tokens_received: ({ amount, tokens, days, account }) =>
    `Received ${amount}. Tokens: ${tokens}. Enter them in this order for ${daysOf(days)}. Account ${account}.`,
  light_coming: ({ amount, days, account }) =>
    `Received ${amount}. Your light for ${daysOf(days)} comes by itself: there is nothing to type. Account ${account}.`,
  light_did_not_come: ({ tokens, days, account }) =>
    `We could not reach your device. Please type it in for ${daysOf(days)}. Tokens: ${tokens}. Account ${account}.`,
  payment_held: ({ amount, missing, account }) =>
    `Received ${amount} for account ${account}. It is too little for a token and is kept as your credit. Pay ${missing} more to get light.`,
  unlocked: ({ amount, token, account }) =>
    `Received ${amount}. Account ${account} is fully paid! Token: ${token}. Enter it and your device stays on for ever. Thank you.`,
  payment_debt: ({ amount, debt, account }) =>
    `Received ${amount} for account ${account}. It went towards what you owe. ${debt} is left to pay before new days start.`,
  account_unknown: ({ amount, reference }) =>
    `Received ${amount}, but there is no account ${reference}. Your money is safe. Please call us with your account number.`,
  payment_refundable: ({ amount, account }) =>
    `Received ${amount} for account ${account}, which is already paid off. You can have this money back: please call us.`,
  payment_taken_back: ({ amount, account }) =>
    `${amount} that was paid for account ${account} went back to its payer. Nothing is owed for it.`,
  payment_taken_back_debt: ({ amount, debt, account }) =>
    `${amount} that was paid for account ${account} went back to its payer. You owe ${debt}: your next payment settles it first. Your light stays on.`,
  payment_moved: ({ amount, account }) =>
    `${amount} that had come to account ${account} by mistake was taken off it again. Nothing is owed for it.`,
  payment_moved_debt: ({ amount, debt, account }) =>
    `${amount} that had come to account ${account} by mistake was taken off it again. You owe ${debt}: your next payment settles it first. Your light stays on.`,
  ask_account: ({ amount }) =>
    `We got ${amount} from you and do not know for which account. Your money is safe. Please reply with your account number, such as PG-10234.`,
  ask_to_call: ({ amount }) =>
    `We got ${amount} from you and have a question about it. Your money is safe. Please call us.`,
  refund_coming: ({ amount }) => `We are sending ${amount} back to you. It may take a day to arrive.`,
  days_lent: ({ tokens, days, debt, account }) =>
    `${daysOf(days)} of light lent to account ${account}. Tokens: ${tokens}. You owe ${debt}: your next payment settles it first.`,
  token_again: ({ token, account }) => `Account ${account}: here is your last token again. Token: ${token}.`,
  alert_device: ({ problem, device, place }) => `Alert: ${problem}. Device ${device}, ${place}.`,
  alert_group: ({ count, place }) =>
    `Alert: ${count} devices are silent together, ${place}. Look at network and power there first.`,
  alert_digest: ({ count, names }) => `${count} new alerts, among them ${names}. See the list of alerts.`,
  reminder_low: ({ days, account }) =>
    `The light of account ${account} ends ${days === "1" ? "tomorrow" : `in ${daysOf(days)}`}. Pay in time and it stays on. Thank you.`,
  reminder_locked: ({ account }) =>
    `The light of account ${account} has ended. Pay any day and it comes back at once. We are glad to help: just call us.`,
  reminder_locked_long: ({ days, account }) =>
    `Account ${account} has been without light for ${daysOf(days)}. A payment brings it back at once. If something is wrong, please call us.`,
  reminder_paid_off: ({ account }) =>
    `Congratulations! Account ${account} is fully paid and the system is yours. Thank you for staying with us.`,
  ticket_opened: ({ ticket }) =>
    `Thank you for your report. Its number is ${ticket}. We will take care of it and write to you.`,
  ticket_in_work: ({ ticket }) => `We are working on your report ${ticket}. Somebody may call you about it.`,
  ticket_done: ({ ticket }) =>
    `Your report ${ticket} is settled. If the fault comes back, please tell us again. Thank you.`,
};
