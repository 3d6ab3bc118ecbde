import { between, type Chance } from "./chance.ts";
import type { OutgoingDelivery } from "./face.ts";
import type { Happens } from "./payers.ts";

/** Who or what sends it: the provider, the provider once more, the provider hours later, or somebody else. */
export type SendingKind = "genuine" | "copy" | "replay" | "tampered" | "forged";

/** One delivery, and when it goes out. */
export interface Sending {
  readonly kind: SendingKind;
  readonly delivery: OutgoingDelivery;
  readonly afterMs: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

const USUAL_MS = [50, SECOND_MS] as const;
const OVERTAKEN_MS = [20 * SECOND_MS, 5 * MINUTE_MS] as const;
const DELAY_MS = [5 * MINUTE_MS, 6 * HOUR_MS] as const;
const DUPLICATE_MS = [SECOND_MS, 10 * MINUTE_MS] as const;
const REPLAY_MS = [2 * HOUR_MS, 30 * HOUR_MS] as const;
const TAMPER_MS = [-MINUTE_MS, 10 * MINUTE_MS] as const;
/** Two notifications of one transaction follow each other so closely. */
const NEXT_MS = 400;

export interface PlannedNews {
  readonly sendings: readonly Sending[];
  /** Never sent. */
  readonly dropped: readonly OutgoingDelivery[];
}

/** When each notification of one piece of news goes out, and what goes out besides. Pure in its chance. */
export function planNews({
  deliveries,
  happens,
  chance,
  heldBackMs = 0,
}: {
  deliveries: readonly OutgoingDelivery[];
  happens: Happens;
  chance: Chance;
  heldBackMs?: number;
}): PlannedNews {
  const sendings: Sending[] = [];
  const dropped: OutgoingDelivery[] = [];
  const startMs = heldBackMs + between(chance, USUAL_MS);
  for (const [index, delivery] of deliveries.entries()) {
    if (happens("drop")) {
      dropped.push(delivery);
      continue;
    }
    const once = { ...delivery, retriesMax: 0 };
    // Whoever overheard it cannot sign anew.
    const overheard = { ...once, headersNow: undefined };
    let afterMs = startMs + index * NEXT_MS;
    if (happens("reorder")) afterMs += between(chance, OVERTAKEN_MS);
    if (happens("delay")) afterMs += between(chance, DELAY_MS);
    if (happens("tamper") && delivery.isPrivate !== true) {
      const delivery = { ...overheard, body: tamper(once.body, chance) };
      sendings.push({ kind: "tampered", delivery, afterMs: Math.max(0, afterMs + between(chance, TAMPER_MS)) });
    }
    sendings.push({ kind: "genuine", delivery, afterMs });
    if (happens("duplicate_at_once")) sendings.push({ kind: "copy", delivery: once, afterMs });
    if (happens("duplicate")) {
      sendings.push({ kind: "copy", delivery: once, afterMs: afterMs + between(chance, DUPLICATE_MS) });
    }
    if (happens("replay")) {
      sendings.push({ kind: "replay", delivery: overheard, afterMs: afterMs + between(chance, REPLAY_MS) });
    }
  }
  return { sendings, dropped };
}

/** One letter or digit becomes another of its kind, so that the body can still be read. */
export function tamper(body: string, chance: Chance): string {
  const places = [...body.matchAll(/[0-9A-Za-z]/g)].map(({ index }) => index);
  const place = places[between(chance, [0, places.length - 1])];
  const old = place === undefined ? undefined : body[place];
  if (place === undefined || old === undefined) return `${body}.`;
  const signs = /[0-9]/.test(old) ? "0123456789" : "abcdefghijklmnopqrstuvwxyz";
  const others = signs.split("").filter((sign) => sign !== old);
  return body.slice(0, place) + (others[between(chance, [0, others.length - 1])] ?? "") + body.slice(place + 1);
}
