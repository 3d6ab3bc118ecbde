import type { E164 } from "../../customers/customers.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Db } from "../../platform/database.ts";
import { lockSession, noteGatewayEnd, type GatewayEnd, type SessionKey } from "./sessions.store.ts";

export interface SessionEnds {
  /**
   * A gateway says how its session ended; only its first word counts. Answers how a conversation that still ran ended with it,
   * undefined where we knew of its end, or of none at all. A hop that comes later changes nothing any more.
   */
  note(
    end: GatewayEnd & { readonly sessionId: string; readonly phone: E164 },
  ): Promise<"abandoned" | "failed" | undefined>;
}

export function makeSessionEnds({ db, clock }: { db: Db; clock: Clock }): SessionEnds {
  return {
    async note({ sessionId, phone, ...end }) {
      const key: SessionKey = { channel: "ussd", phone, key: sessionId };
      return await db.transaction(async (tx) => {
        // A hop that is being answered ends first: what it says would otherwise be written over this.
        const stored = await lockSession(tx, key);
        if (stored === undefined) return undefined;
        const isNews = await noteGatewayEnd(tx, key, { ...end, now: clock.now() });
        if (!isNews || stored.outcome !== undefined) return undefined;
        return end.status === "failed" ? "failed" : "abandoned";
      });
    },
  };
}
