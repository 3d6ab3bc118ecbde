import { localDateOf, localTimeOf, type Clock, type LocalDate } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { takeTurns, type Turn } from "./limits.store.ts";
import type { MessageSettings } from "./message-settings.ts";
import type { Manners, Messaging, NewMessage } from "./messaging.ts";
import { quietUntil } from "./quiet-hours.ts";
import type { Language } from "../kernel/language.ts";
import type { Template } from "./texts.ts";

export type ReminderKind = "low_3" | "low_1" | "locked" | "locked_3" | "locked_7" | "paid_off";

/** Something to remind somebody of, found once for the day on which light ends. */
export interface DueReminder {
  readonly kind: ReminderKind;
  readonly contractId: string;
  readonly customerId: string;
  /** As it is written for customers. */
  readonly account: string;
  readonly endsOn: LocalDate;
}

/** Where and how somebody may be reminded. */
export interface Reminded {
  readonly phone: string | undefined;
  readonly language: Language;
  readonly wantsService: boolean;
}

const TEXTS: Readonly<Record<ReminderKind, { readonly template: Template; readonly days?: string }>> = {
  low_3: { template: "reminder_low", days: "3" },
  low_1: { template: "reminder_low", days: "1" },
  locked: { template: "reminder_locked" },
  locked_3: { template: "reminder_locked_long", days: "3" },
  locked_7: { template: "reminder_locked_long", days: "7" },
  paid_off: { template: "reminder_paid_off" },
};

const BATCH_MAX = 1_000;

export interface Reminders {
  /** Writes every reminder that is due in a zone where it is late enough and not yet quiet; answers how many messages. */
  once(): Promise<number>;
}

/**
 * Reminders that customers need not ask for. Finding and writing are one transaction, so that any number of workers tell each of
 * them once; one that consent or a limit stands against is not told later either, since it would not be true then.
 */
export function makeReminders({
  db,
  clock,
  settings,
  manners,
  zones,
  messaging,
  takeDue,
  peopleOf,
}: {
  db: Db;
  clock: Clock;
  settings: MessageSettings;
  manners: Pick<Manners, "zoneOf">;
  /** Where contracts are at home. */
  zones: readonly string[];
  messaging: Pick<Messaging, "append">;
  /** Takes what is due in a zone and was not taken before; fewer than the limit mean that there are no more. */
  takeDue(tx: Tx, wish: { zone: string; now: Date; limit: number }): Promise<readonly DueReminder[]>;
  peopleOf(tx: Tx, customerIds: readonly string[]): Promise<ReadonlyMap<string, Reminded>>;
}): Reminders {
  async function remind(tx: Tx, zone: string): Promise<{ found: number; told: number }> {
    const now = clock.now();
    const due = await takeDue(tx, { zone, now, limit: BATCH_MAX });
    const people = await peopleOf(tx, [...new Set(due.map(({ customerId }) => customerId))]);
    const wanted = due.filter(({ customerId }) => {
      const person = people.get(customerId);
      return person?.wantsService === true && person.phone !== undefined;
    });
    const since = localDateOf(now, zone);
    const turns = new Map(
      wanted.map(({ contractId }): [string, Turn] => [contractId, { who: contractId, what: "reminder", since }]),
    );
    const heard = await takeTurns(tx, [...turns.values()], settings.remindersADay);
    const messages = wanted.flatMap((one) => {
      const person = people.get(one.customerId);
      return person?.phone === undefined || !heard.has(one.contractId)
        ? []
        : [messageOf(one, { ...person, phone: person.phone })];
    });
    await messaging.append(tx, messages);
    return { found: due.length, told: messages.length };
  }

  function messageOf(due: DueReminder, { phone, language }: Reminded & { phone: string }): NewMessage {
    const { contractId, customerId, account, kind, endsOn } = due;
    const { template, days } = TEXTS[kind];
    return {
      key: `reminder:${contractId}:${kind}:${endsOn}`,
      toPhone: phone,
      language,
      template,
      values: { account, ...(days === undefined ? {} : { days }) },
      about: { contractId, customerId },
      notBefore: quietUntil(clock.now(), manners.zoneOf(phone), settings.quietHours),
    };
  }

  return {
    async once() {
      let told = 0;
      for (const zone of zones) {
        const isEarly = localTimeOf(clock.now(), zone) < settings.remindersFrom;
        if (isEarly || quietUntil(clock.now(), zone, settings.quietHours) !== undefined) continue;
        for (let more = true; more;) {
          const done = await db.transaction((tx) => remind(tx, zone));
          told += done.told;
          more = done.found === BATCH_MAX;
        }
      }
      return told;
    },
  };
}
