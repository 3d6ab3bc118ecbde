import { z } from "zod";
import { sql } from "drizzle-orm";
import type { Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";

export interface Takeover {
  /** A device signed in here: whichever other gateway still holds an older connection of it lets go. */
  connected(serial: string): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const CHANNEL = "telemetry_connected";
/** Devices that reconnect together are told together. */
const GATHER_MS = 50;
/** PostgreSQL takes 8,000 bytes in one notice, and a serial has 256 at most. */
const TOLD_AT_ONCE = 25;

const noticeSchema = z.object({ gateway: z.string(), at: z.number(), serials: z.array(z.string()) });

/** One session a device across all gateways behind one address, as one broker would hold it. */
export function makeTakeover({
  database,
  clock,
  gatewayId,
  disconnect,
  onFault,
}: {
  database: Database;
  clock: Clock;
  /** Of this process; any text that no other has. */
  gatewayId: string;
  disconnect(serial: string, options: { movedBefore: Date }): void;
  onFault(error: unknown): void;
}): Takeover {
  let waiting: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let telling: Promise<unknown> = Promise.resolve();
  let unlisten: (() => Promise<void>) | undefined;

  function tell(): void {
    timer = undefined;
    const serials = waiting;
    waiting = [];
    const at = clock.now().getTime();
    const notices: string[] = [];
    for (let from = 0; from < serials.length; from += TOLD_AT_ONCE)
      notices.push(JSON.stringify({ gateway: gatewayId, at, serials: serials.slice(from, from + TOLD_AT_ONCE) }));
    // Unheard, the other gateway finds out by its keep-alive; until then commands may go the old way and are sent again.
    telling = database.db
      .execute(
        sql`select pg_notify(${CHANNEL}, notice) from jsonb_array_elements_text(${JSON.stringify(notices)}::jsonb) as notice`,
      )
      .catch(onFault);
  }

  function hear(payload: string): void {
    if (payload === "") return;
    const notice = noticeSchema.safeParse(JSON.parse(payload));
    if (!notice.success || notice.data.gateway === gatewayId) return;
    const movedBefore = new Date(notice.data.at);
    for (const serial of notice.data.serials) disconnect(serial, { movedBefore });
  }

  return {
    connected(serial) {
      waiting.push(serial);
      timer ??= setTimeout(tell, GATHER_MS);
    },
    async start() {
      unlisten = await database.listen(CHANNEL, hear);
    },
    async stop() {
      clearTimeout(timer);
      await telling;
      await unlisten?.();
    },
  };
}
