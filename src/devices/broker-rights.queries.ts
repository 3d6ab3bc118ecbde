import { sql } from "drizzle-orm";
import { column, type Db } from "../platform/database.ts";
import { brokerPassword } from "./claim-code.ts";
import { DEVICE_STATES, maySpeak } from "./life-cycle.ts";

/** A device that may sign in at a broker outside, with what it signs in with. */
export interface BrokerAccount {
  readonly serial: string;
  readonly password: string;
  readonly generation: number;
}

/** Who may sign in, for brokers that keep accounts of their own. */
export interface BrokerRights {
  /** In the order of serials (by code point), after one; fewer than `limit` at the end. */
  page(query: { after: string | undefined; limit: number }): Promise<readonly BrokerAccount[]>;
  /** Those of the serials that may sign in now; the others may not. */
  find(serials: readonly string[]): Promise<readonly BrokerAccount[]>;
}

interface Row extends Record<string, unknown> {
  serial: string;
  generation: number;
}

/** The same rule as for signing in at our own gateway: claimed, and in a state in which it may speak. */
const SPEAKING = DEVICE_STATES.filter(maySpeak);

export function makeBrokerRights({ db, sealingKey }: { db: Db; sealingKey: Uint8Array }): BrokerRights {
  const accountOf = ({ serial, generation }: Row): BrokerAccount => ({
    serial,
    generation,
    password: brokerPassword(sealingKey, { serial, generation }),
  });
  const speaking = sql`
    select c.serial, c.generation from devices.credentials c join devices.devices d on d.id = c.device_id
    where c.state = 'claimed' and d.state = any(${column(SPEAKING, "text")})`;
  return {
    async page({ after, limit }) {
      // Serials sort by their bytes here and everywhere, whatever the database's collation.
      const rows = await db.execute<Row>(sql`
        ${speaking} and c.serial collate "C" > ${after ?? ""} order by c.serial collate "C" limit ${limit}`);
      return rows.map(accountOf);
    },
    async find(serials) {
      const rows = await db.execute<Row>(sql`${speaking} and c.serial = any(${column(serials, "text")})`);
      return rows.map(accountOf);
    },
  };
}
