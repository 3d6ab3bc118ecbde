import { sql, type SQL } from "drizzle-orm";
import type { BatteryRoom } from "./devices/devices.ts";
import type { ContractId } from "./kernel/ids.ts";
import { completeOf, type CompleteLanguage } from "./kernel/language.ts";
import type { NewMessage } from "./messaging/messaging.ts";
import type { Tx } from "./platform/database.ts";
import type {
  AlertMessage,
  AlertReader,
  BatteryCommands,
  PlaceFacts,
  PlaceSource,
  Rule,
} from "./telemetry/telemetry.ts";

interface Row extends Record<string, unknown> {
  device: number;
  serial: string;
  model: string;
  life: string;
  in_service: boolean;
  area: string | null;
  place: string | null;
  latitude: number | null;
  longitude: number | null;
  contract_id: ContractId | null;
  active_until: string | null;
  tokens_issued: number;
}

const known = <Value>(value: Value | null): Value | undefined => value ?? undefined;

function factsOf(row: Row): PlaceFacts {
  const { active_until: until } = row;
  return {
    device: row.device,
    serial: row.serial,
    model: row.model,
    life: row.life,
    inService: row.in_service,
    area: known(row.area),
    place: known(row.place),
    latitude: known(row.latitude),
    longitude: known(row.longitude),
    contractId: known(row.contract_id),
    activeUntil: until === null ? undefined : until === "infinity" ? "forever" : new Date(until),
    tokensIssued: row.tokens_issued,
  };
}

/**
 * The contract of the home that device `d` is in: the active one, else the one it was brought to that home for. A contract that
 * was written off, or is paid, keeps the device's name when the device has long gone elsewhere, so the newest sale says nothing.
 * Devices installed before movements were written go by their contracts alone. `graphql/device-access.ts` decides alike.
 */
const HOME_CONTRACT = sql`
  select h.id, h.area, h.state, h.lamp_until_at, h.customer_id from credit.contracts h
  where h.device_id = d.id and d.state in ('installed', 'repair')
    and (h.state = 'active' or h.id = coalesce((
      select m.contract_id from devices.movements m
      where m.device_id = d.id and m.to_state = 'installed' and m.contract_id is not null order by m.id desc limit 1), h.id))
  order by (h.state = 'active') desc, (h.state <> 'written_off') desc, h.sold_at desc limit 1`;

/**
 * What devices, contracts and customers say of a device, for the copy beside its state. Set by set, since a question to each
 * room for each device would take a million of them longer than they stay true.
 */
async function readFacts(
  tx: Tx,
  { after, limit, which }: { after: number; limit: number; which: SQL },
): Promise<readonly PlaceFacts[]> {
  const rows = await tx.execute<Row>(sql`
    select d.number as device, d.serial, d.model, d.state as life, d.state = 'installed' as in_service, coalesce(d.area, c.area) as area,
      coalesce(d.place, u.place) as place, coalesce(d.latitude, u.latitude) as latitude, coalesce(d.longitude, u.longitude) as longitude,
      c.id as contract_id, case c.state when 'paid_off' then 'infinity' when 'active' then c.lamp_until_at end as active_until, d.count as tokens_issued
    from devices.devices d
      left join lateral (${HOME_CONTRACT}) c on true
      left join customers.customers u on u.id = c.customer_id
    where d.number > ${after} and ${which} order by d.number limit ${limit}`);
  return rows.map(factsOf);
}

/** The smallest of our ids that was made at the instant: they begin with its milliseconds. */
function firstIdOf(at: Date): string {
  const hex = at.getTime().toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}

/** Movements have numbers and no index by time: more than this within ten minutes is a bulk act, which the round mends. */
const MOVEMENTS_MAX = 20_000;

/** The devices about which something was written since: imported, moved, sold, paid for, given a token. */
function changedSince(since: Date): SQL {
  const first = sql`${firstIdOf(since)}::uuid`;
  return sql`d.id in (
    select id from devices.devices where id >= ${first}
    union all select device_id from devices.tokens where id >= ${first}
    union all select device_id from (select device_id, at from devices.movements order by id desc limit ${MOVEMENTS_MAX}) m where m.at >= ${since.toISOString()}::timestamptz
    union all select c.device_id from credit.allocations a join credit.contracts c on c.id = a.contract_id where a.id >= ${first}
    union all select c.device_id from credit.contract_events e join credit.contracts c on c.id = e.contract_id where e.id >= ${first})`;
}

export const placeSource: PlaceSource = {
  page: (tx, { after, limit }) => readFacts(tx, { after, limit, which: sql`true` }),
  changed: (tx, { since, after, limit }) => readFacts(tx, { after, limit, which: changedSince(since) }),
};

/** What imports and sales tell of batteries, to where their health is reckoned. */
export function batteryRoom(
  commands: Pick<BatteryCommands, "refusalOf" | "noteImported" | "noteInstalled">,
): BatteryRoom {
  return {
    refusalOf: (label) => commands.refusalOf(label),
    imported: (tx, batteries) =>
      commands.noteImported(
        tx,
        batteries.map(({ label, ...device }) => ({ ...device, spec: label })),
      ),
    firstInstalled: (tx, installed) => commands.noteInstalled(tx, installed),
  };
}

/** What is wrong, in few words of the reader's language, in letters of an SMS. */
const PROBLEMS: Readonly<Record<CompleteLanguage, Readonly<Record<Rule, string>>>> = {
  en: {
    silent: "silent",
    tampered: "opened or tampered with",
    battery_low: "battery low",
    battery_deep: "battery almost empty",
    battery_hot: "battery too hot",
    panel_dead: "panel gives nothing by day",
    signal_weak: "weak signal",
    days_differ: "its days differ from the contract",
    token_lag: "last token not entered",
    firmware_old: "old firmware",
    clock_wrong: "wrong clock",
  },
  fr: {
    silent: "muet",
    tampered: "ouvert ou forcé",
    battery_low: "batterie faible",
    battery_deep: "batterie presque vide",
    battery_hot: "batterie trop chaude",
    panel_dead: "panneau sans courant en plein jour",
    signal_weak: "signal faible",
    days_differ: "ses jours ne sont pas ceux du contrat",
    token_lag: "dernier code non tapé",
    firmware_old: "logiciel ancien",
    clock_wrong: "horloge fausse",
  },
  sw: {
    silent: "kimya",
    tampered: "kimefunguliwa au kuchezewa",
    battery_low: "betri iko chini",
    battery_deep: "betri karibu imeisha",
    battery_hot: "betri ina joto kali",
    panel_dead: "paneli haitoi umeme mchana",
    signal_weak: "mtandao dhaifu",
    days_differ: "siku zake si sawa na mkataba",
    token_lag: "tokeni ya mwisho haijaingizwa",
    firmware_old: "programu ya zamani",
    clock_wrong: "saa si sahihi",
  },
};
const EVERYWHERE: Readonly<Record<CompleteLanguage, string>> = {
  en: "the whole company",
  fr: "toute la compagnie",
  sw: "kampuni nzima",
};

/** Alerts as messages to a reader's phone. */
export function alertMessages(
  { phone, language }: Pick<AlertReader, "phone" | "language">,
  messages: readonly AlertMessage[],
): readonly NewMessage[] {
  return messages.map(({ key, content }) => {
    const to = { key, toPhone: phone, language };
    switch (content.kind) {
      case "device": {
        const { device, place } = content;
        const problem = PROBLEMS[completeOf(language)][content.rule];
        return { ...to, template: "alert_device", values: { problem, device, place: place === "" ? "-" : place } };
      }
      case "group": {
        const place = content.place === "" ? EVERYWHERE[completeOf(language)] : content.place;
        return { ...to, template: "alert_group", values: { count: String(content.devices), place } };
      }
      case "digest": {
        const names = content.worst === "" ? EVERYWHERE[completeOf(language)] : content.worst;
        return { ...to, template: "alert_digest", values: { count: String(content.alerts), names } };
      }
    }
  });
}
