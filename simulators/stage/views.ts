/** What the simulated world shows of itself, as JSON: to the page in the browser and to the phone at the terminal. */

export interface PersonView {
  readonly name: string;
  /** E.164. */
  readonly phone: string;
  readonly language: string;
  /** The account number that they pay to. */
  readonly account: string;
  /** Of the lamp on their wall. */
  readonly serial: string;
}

export interface StageView {
  readonly people: readonly PersonView[];
  /** What customers dial, such as `*384*123#`. */
  readonly serviceCode: string;
  readonly paybill: string;
  /** Whether there is a door for messages that customers write. */
  readonly hearsSms: boolean;
  /** Whether WhatsApp is played here. */
  readonly hasChat: boolean;
}

export interface ScreenView {
  readonly text: string;
  readonly isOpen: boolean;
}

export interface SmsView {
  readonly id: string;
  readonly direction: "in" | "out";
  /** The other side's name or number. */
  readonly with: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Something to press below a message of a chat. */
export interface ChatButtonView {
  readonly id: string;
  readonly label: string;
}

export interface ChatMessageView {
  readonly id: string;
  readonly direction: "in" | "out";
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
  /**
   * Of what the person wrote: `delivered` when the program's door took it. Of what came: how far the program was told that it
   * has come.
   */
  readonly state: "accepted" | "sent" | "delivered" | "read";
  readonly buttons: readonly ChatButtonView[];
  /** What stands on the button that opens the choices, where they are a list; null where they lie below the message. */
  readonly list: string | null;
}

/** A mobile-money prompt that waits for the PIN. */
export interface PromptView {
  readonly id: string;
  /** "KES 150.00" */
  readonly amount: string;
  readonly account: string;
  readonly paybill: string;
}

export interface PhoneView {
  /** Oldest first. */
  readonly messages: readonly SmsView[];
  /** WhatsApp, oldest first. */
  readonly chat: readonly ChatMessageView[];
  readonly prompts: readonly PromptView[];
}

export interface LampEventView {
  /** Unix milliseconds of the lamp's own clock. */
  readonly happenedAt: number;
  readonly kind: string;
  readonly token?: string;
  readonly type?: string;
  readonly value?: number;
  readonly count?: number;
}

export interface LampView {
  readonly serial: string;
  /** The lamp's own clock, Unix milliseconds. */
  readonly shownAt: number;
  /** By how much it is ahead of the wall clock. */
  readonly aheadMs: number;
  readonly relayOn: boolean;
  readonly led: "green" | "amber" | "red" | "blue" | "red-blinking";
  readonly daysLeft: number | "unlimited";
  readonly typed: string;
  readonly count: number;
  readonly invalidStreak: number;
  readonly lockedUntil: number | null;
  /** Whether its modem has a network; without one it hears nothing but its keypad. */
  readonly isCovered: boolean;
  /** Newest first. */
  readonly events: readonly LampEventView[];
}

export interface HoodPayment {
  readonly receiptId: string;
  /** The provider's number. */
  readonly providerId: string;
  readonly amount: string;
  readonly paidAt: string;
}

export interface HoodStep {
  readonly at: string;
  readonly kind: string;
  readonly text: string;
  readonly detail: unknown;
}

/** One payment from the provider's bytes to the lamp, as the program tells it. */
export interface HoodView {
  /** Newest first. */
  readonly payments: readonly HoodPayment[];
  /** Of the payment that was asked for, else of the newest; null where nothing was paid. */
  readonly story: {
    readonly receiptId: string;
    readonly callback: string | null;
    readonly steps: readonly HoodStep[];
    readonly tokens: readonly { readonly digits: string; readonly count: number; readonly units: number }[];
  } | null;
  /** What the program knows of the lamp. */
  readonly device: {
    readonly tokenCount: number;
    readonly paidUntil: string | null;
    readonly connection: string | null;
    readonly daysLeftByDevice: number | null;
    readonly lastSeenAt: string | null;
  };
}
