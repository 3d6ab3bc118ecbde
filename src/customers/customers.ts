import { LANGUAGES, type Language } from "../kernel/language.ts";
import type { CustomerId, MakeId } from "../kernel/ids.ts";
import { InvalidInput, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import * as store from "./customers.store.ts";
import { hashPhone, parsePhone, type E164 } from "./phone.ts";

export { countryOf, type E164 } from "./phone.ts";

export interface Customer {
  readonly id: CustomerId;
  readonly name: string;
  readonly language: Language;
  /** What an agent may see is decided by it. */
  readonly area: string;
  readonly place: string | null;
  readonly latitude: number | null;
  readonly longitude: number | null;
  /** The first one is where messages go. */
  readonly phones: readonly E164[];
  readonly serviceConsentAt: Date | null;
  readonly marketingConsentAt: Date | null;
  readonly registeredAt: Date;
}

/** Where and how to write to a customer. */
export interface Contact {
  readonly customerId: CustomerId;
  readonly phone: E164 | undefined;
  readonly language: Language;
}

export interface NewCustomer {
  readonly name: string;
  readonly language: string;
  readonly area: string;
  readonly place?: string | undefined;
  readonly latitude?: number | undefined;
  readonly longitude?: number | undefined;
  readonly phones: readonly string[];
  /** Where phones without prefix are from, when not from the operator's own country. */
  readonly country?: string | undefined;
  readonly serviceConsent: boolean;
  readonly marketingConsent: boolean;
  readonly actor: string;
}

export interface CustomerFilter {
  /** Start of a name, or a phone number in any form. */
  readonly search?: string | undefined;
  readonly area?: string | undefined;
}

export interface Page {
  readonly first: number;
  readonly after?: string | undefined;
}

export interface Customers {
  /** Refuses an empty name, an unknown language, a phone that is none. One person may share a phone with another. */
  register(tx: Tx, input: NewCustomer): Promise<Customer>;
  find(db: Db | Tx, id: CustomerId): Promise<Customer | undefined>;
  findMany(db: Db | Tx, ids: readonly CustomerId[]): Promise<ReadonlyMap<CustomerId, Customer>>;
  /** Ordered by id; asks for one more than `first` is the caller's business. */
  list(db: Db | Tx, filter: CustomerFilter, page: Page): Promise<readonly Customer[]>;
  /** Everybody who has this number, by the time of registration; a family may share one. */
  findByPhone(db: Db | Tx, phone: E164): Promise<readonly Customer[]>;
  /** Refuses an unknown customer and an unknown language. */
  setLanguage(tx: Tx, id: CustomerId, language: string): Promise<void>;
  /** Writes down when consent was given, or that there is none any more. Service is about the own system, marketing is all else. */
  setConsent(tx: Tx, id: CustomerId, consent: { which: "service" | "marketing"; isGiven: boolean }): Promise<void>;
  contacts(tx: Tx, ids: readonly CustomerId[]): Promise<ReadonlyMap<CustomerId, Contact>>;
  /** Whose phone has this hash; several people may share one. */
  findByPhoneHashes(
    tx: Db | Tx,
    hashes: readonly Uint8Array[],
  ): Promise<readonly { customerId: CustomerId; hash: Uint8Array }[]>;
  require(db: Db | Tx, id: CustomerId): Promise<Customer>;
  /** `country`: where a number without prefix is from, when not from the operator's own. Refuses what is no number. */
  parsePhone(text: string, country?: string): E164;
}

/** People, their phones, languages, places and consent. `country` is where numbers without prefix are from. */
export function makeCustomers({
  clock,
  makeId,
  country,
}: {
  clock: Clock;
  makeId: MakeId;
  country: string;
}): Customers {
  async function register(tx: Tx, input: NewCustomer): Promise<Customer> {
    const name = input.name.trim();
    if (name.length === 0 || name.length > 200) throw new InvalidInput("A name has 1 to 200 characters.", "name");
    if (input.area.trim().length === 0)
      throw new InvalidInput("An area is needed: it decides which agent serves the customer.", "area");
    const language = LANGUAGES.find((known) => known === input.language);
    if (language === undefined) throw new InvalidInput(`Languages are ${LANGUAGES.join(", ")}.`, "language");
    if (input.phones.length > 5) throw new InvalidInput("At most five phones are kept for a customer.", "phones");
    const phones = [...new Set(input.phones.map((phone) => parsePhone(phone, input.country ?? country)))];
    checkPlace(input);
    const now = clock.now();
    const customer: Customer = {
      id: makeId(),
      name,
      language,
      area: input.area.trim(),
      place: input.place?.trim() ?? null,
      latitude: input.latitude ?? null,
      longitude: input.longitude ?? null,
      phones,
      serviceConsentAt: input.serviceConsent ? now : null,
      marketingConsentAt: input.marketingConsent ? now : null,
      registeredAt: now,
    };
    await store.insert(tx, { customer, hashes: phones.map(hashPhone), actor: input.actor });
    return customer;
  }

  return {
    register,
    async find(db, id) {
      return (await store.findMany(db, [id])).get(id);
    },
    findMany: store.findMany,
    async list(db, filter, page) {
      return await store.list(db, { ...filter, phone: phoneOf(filter.search, country) }, page);
    },
    findByPhone: store.findByPhone,
    async setLanguage(tx, id, language) {
      const known = LANGUAGES.find((one) => one === language);
      if (known === undefined) throw new InvalidInput(`Languages are ${LANGUAGES.join(", ")}.`, "language");
      if (!(await store.setLanguage(tx, id, known))) throw new NotFound("customer", "customerId");
    },
    async setConsent(tx, id, { which, isGiven }) {
      if (!(await store.setConsent(tx, id, { which, at: isGiven ? clock.now() : null })))
        throw new NotFound("customer", "customerId");
    },
    contacts: store.contacts,
    findByPhoneHashes: store.findByPhoneHashes,
    async require(db, id) {
      const found = (await store.findMany(db, [id])).get(id);
      if (found === undefined) throw new NotFound("customer", "customerId");
      return found;
    },
    parsePhone: (text, from = country) => parsePhone(text, from),
  };
}

/** PostgreSQL keeps no NUL in text, and a line break in a name forges lines of a list; a place off the globe is a typo. */
function checkPlace({ name, area, place, latitude, longitude }: NewCustomer): void {
  for (const [field, text] of Object.entries({ name, area, place: place ?? "" })) {
    if (/\p{Cc}/u.test(text.trim()) || !text.isWellFormed())
      throw new InvalidInput("Line breaks and control characters cannot be kept.", field);
  }
  const within = (value: number | undefined, most: number): boolean => value === undefined || Math.abs(value) <= most;
  if (!within(latitude, 90)) throw new InvalidInput("A latitude is -90 to 90 degrees.", "latitude");
  if (!within(longitude, 180)) throw new InvalidInput("A longitude is -180 to 180 degrees.", "longitude");
}

function phoneOf(search: string | undefined, country: string): E164 | undefined {
  if (search === undefined || !/^[+\d][\d\s-]{6,}$/.test(search.trim())) return undefined;
  try {
    return parsePhone(search.trim(), country);
  } catch (error) {
    if (error instanceof InvalidInput) return undefined; // not a phone after all: the search goes by name
    throw error;
  }
}
