import { sql } from "drizzle-orm";
import type { Audience, Manners } from "../../src/messaging/messaging.ts";

/** A house that knows nobody, where all phones are in Nairobi: for tests of messages that ask nothing about people. */
export const strangers: { readonly manners: Manners; readonly audience: Audience } = {
  manners: {
    zone: "Africa/Nairobi",
    zoneOf: () => "Africa/Nairobi",
    consents: () => Promise.resolve(new Map()),
    chatsOf: () => Promise.resolve(new Map()),
  },
  audience: {
    select: () => sql`select null::uuid as customer_id, null::text as phone, null::uuid as contract_id where false`,
    peopleOf: () => Promise.resolve(new Map()),
  },
};
