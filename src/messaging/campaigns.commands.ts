import type { SQL } from "drizzle-orm";
import { looksLikeId, type MakeId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import { localDateOf, mondayOf, type Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { parseCampaignTexts, writeCampaignText, type CampaignTexts } from "./campaign-text.ts";
import * as store from "./campaigns.store.ts";
import type { Address } from "./channel-choice.ts";
import { countParts, times, type Cost } from "./costs.ts";
import { freeTurns, takeTurns, type Turn } from "./limits.store.ts";
import type { MessageSettings } from "./message-settings.ts";
import type { Manners } from "./messaging.ts";
import type { NewRow } from "./messaging.store.ts";
import { quietUntil } from "./quiet-hours.ts";
import { parseSegment, type Segment } from "./segment.ts";
import { completeOf, type Language } from "../kernel/language.ts";
import { plainRow, writeMessages } from "./writing.store.ts";

export type { Campaign, CampaignId, CampaignProgress, CampaignState, Recipient } from "./campaigns.store.ts";

/** What is known of somebody at the moment of writing. */
export interface Person {
  readonly name: string;
  readonly language: Language;
  readonly wantsMarketing: boolean;
  readonly account: string | undefined;
  /** Of light that are left, rounded up; zero where it has ended. */
  readonly days: string | undefined;
}

/** The people that campaigns may be for, whom messaging does not know by itself. */
export interface Audience {
  /** Selects customer_id, phone and contract_id, a phone once. */
  select(segment: Segment, now: Date): SQL;
  /** By the id of the customer. */
  peopleOf(db: Db | Tx, recipients: readonly store.Recipient[]): Promise<ReadonlyMap<string, Person>>;
}

export interface NewCampaign {
  readonly name: string;
  readonly segment: unknown;
  readonly texts: { readonly [Name in Language]?: string | null | undefined };
}

/** Why somebody of the segment hears nothing. */
export type SkipReason = "no_consent" | "no_text" | "no_account" | "heard_enough";

/** What a campaign would do now, looked at person by person; nothing of it is written down. */
export interface CampaignPreview {
  readonly people: number;
  readonly languages: readonly {
    readonly language: Language;
    readonly people: number;
    /** Of SMS, if all went by it. */
    readonly parts: number;
    readonly partsMax: number;
    /** As the first of them would read it. */
    readonly sample: string;
  }[];
  readonly skipped: readonly { readonly reason: string; readonly people: number }[];
  /** Undefined where no price of a part is configured. */
  readonly cost: Cost | undefined;
}

export interface Campaigns {
  /** Looks at everybody in the segment without writing anything: the dry run. Refuses what `create` refuses. */
  preview(db: Db | Tx, draft: Pick<NewCampaign, "segment" | "texts">): Promise<CampaignPreview>;
  /** Keeps a draft. Refuses texts that cannot be sent, and a segment that cannot be read. */
  create(tx: Tx, draft: NewCampaign & { actor: string }): Promise<store.Campaign>;
  /** Writes down who is meant, and lets the workers begin. Starting a running one changes nothing. */
  start(tx: Tx, id: string): Promise<store.Campaign>;
  /** Ends it at once: only what a gateway has at this moment still goes out. */
  stop(tx: Tx, id: string): Promise<store.Campaign>;
  /** One batch of each running campaign; answers how many people were decided. Any number of workers may do so. */
  step(): Promise<number>;
  find(db: Db | Tx, id: string): Promise<store.Campaign | undefined>;
  /** Newest first. */
  list(db: Db | Tx, page: { first: number; after?: store.CampaignId | undefined }): Promise<readonly store.Campaign[]>;
  progress(db: Db | Tx, id: store.CampaignId): Promise<store.CampaignProgress>;
}

const NAME_LETTERS_MAX = 120;
const BATCH_MAX = 200;
/** No more of a campaign wait for a gateway at once, so that it can be stopped and payments are not held up behind it. */
const UNDER_WAY_MAX = 1_000;
const PEOPLE_MAX = 500_000;
const LOOKED_AT_ONCE = 1_000;

/** Something for many people who did not ask for it: with their consent, rarely, at decent hours, and each once. */
export function makeCampaigns({
  db,
  clock,
  makeId,
  settings,
  manners,
  audience,
  addressesOf,
}: {
  db: Db;
  clock: Clock;
  makeId: MakeId;
  settings: MessageSettings;
  manners: Manners;
  audience: Audience;
  addressesOf(
    tx: Tx,
    messages: readonly { readonly toPhone: string; readonly template: string }[],
  ): Promise<readonly Address[]>;
}): Campaigns {
  const quietFor = (phone: string): Date | undefined =>
    quietUntil(clock.now(), manners.zoneOf(phone), settings.quietHours);

  function turnOf({ customerId, phone }: store.Recipient): Turn {
    const leavesOn = localDateOf(quietFor(phone) ?? clock.now(), manners.zoneOf(phone));
    return { who: customerId, what: "marketing", since: mondayOf(leavesOn) };
  }

  /** Decides for each of some people; `turns` answers whose limit allows one more. */
  async function decide(
    reader: Db | Tx,
    { recipients, texts }: { recipients: readonly store.Recipient[]; texts: CampaignTexts },
    turns: (wanted: readonly Turn[]) => Promise<ReadonlySet<string>>,
  ): Promise<readonly Decision[]> {
    const people = await audience.peopleOf(reader, recipients);
    const decided = recipients.map((recipient) => ({
      recipient,
      ...decideFor(people.get(recipient.customerId), texts),
    }));
    const heard = await turns(
      decided.flatMap(({ recipient, text }) => (text === undefined ? [] : [turnOf(recipient)])),
    );
    return decided.map((one) =>
      one.text === undefined || heard.has(one.recipient.customerId)
        ? one
        : { ...one, text: undefined, reason: "heard_enough" },
    );
  }

  async function writeBatch(tx: Tx, campaign: store.Campaign): Promise<number> {
    if ((await store.countUnderWay(tx, campaign.id)) >= UNDER_WAY_MAX) return 0;
    const recipients = await store.nextRecipients(tx, campaign.id, BATCH_MAX);
    const now = clock.now();
    if (recipients.length === 0) {
      await store.setCampaignState(tx, { id: campaign.id, state: "done", at: now });
      return 0;
    }
    const decisions = await decide(tx, { recipients, texts: campaign.texts }, (wanted) =>
      takeTurns(tx, wanted, settings.marketingAWeek),
    );
    const drafts = decisions.flatMap((decision) => (decision.text === undefined ? [] : [rowOf(campaign, decision)]));
    const addresses = await addressesOf(tx, drafts);
    const rows = drafts.map((draft, at): NewRow => ({ ...draft, ...addresses[at] }));
    await writeMessages(tx, rows, now);
    const settled = decisions.map(({ recipient, reason }) => ({ phone: recipient.phone, reason }));
    await store.settleRecipients(tx, campaign.id, settled);
    return recipients.length;
  }

  function rowOf({ id }: store.Campaign, { recipient, language, text }: Decision): NewRow {
    const { customerId, phone, contractId } = recipient;
    return {
      ...plainRow(makeId()),
      // No phone is part of a key: keys are written into logs.
      key: `campaign:${id}:${customerId}`,
      toPhone: phone,
      language,
      template: "campaign",
      text,
      category: "marketing",
      customerId,
      contractId: contractId ?? undefined,
      campaignId: id,
      notBefore: quietFor(phone),
    };
  }

  async function requireLocked(tx: Tx, id: string): Promise<store.Campaign> {
    const found = looksLikeId(id) ? await store.lockCampaign(tx, id as store.CampaignId) : undefined;
    if (found === undefined) throw new NotFound("campaign", "id");
    return found;
  }

  return {
    async preview(reader, draft) {
      const texts = parseCampaignTexts(draft.texts);
      const people = audience.select(parseSegment(draft.segment), clock.now());
      const recipients = await store.listPeople(reader, people, PEOPLE_MAX + 1);
      if (recipients.length > PEOPLE_MAX)
        throw new InvalidInput(`A campaign is for at most ${String(PEOPLE_MAX)} people.`, "segment");
      const tally = makeTally();
      for (let at = 0; at < recipients.length; at += LOOKED_AT_ONCE) {
        const some = recipients.slice(at, at + LOOKED_AT_ONCE);
        const decisions = await decide(reader, { recipients: some, texts }, (wanted) =>
          freeTurns(reader, wanted, settings.marketingAWeek),
        );
        decisions.forEach(tally.add);
      }
      return tally.preview(settings.partPrice);
    },
    async create(tx, { actor, ...draft }) {
      const name = draft.name.trim();
      if (name === "" || name.length > NAME_LETTERS_MAX || /\p{Cc}/u.test(name))
        throw new InvalidInput(`A name has 1 to ${String(NAME_LETTERS_MAX)} letters.`, "name");
      const campaign: store.Campaign = {
        id: makeId<"Campaign">(),
        name,
        segment: parseSegment(draft.segment),
        texts: parseCampaignTexts(draft.texts),
        state: "draft",
        createdBy: actor,
        createdAt: clock.now(),
        startedAt: null,
        endedAt: null,
      };
      await store.insertCampaign(tx, campaign);
      return campaign;
    },
    async start(tx, id) {
      const campaign = await requireLocked(tx, id);
      if (campaign.state === "running") return campaign;
      if (campaign.state !== "draft") throw new NotAllowedNow("This campaign has ended. Make a new one.", "id");
      const startedAt = clock.now();
      await store.fillRecipients(tx, campaign.id, audience.select(campaign.segment, startedAt));
      await store.setCampaignState(tx, { id: campaign.id, state: "running", at: startedAt });
      return { ...campaign, state: "running", startedAt };
    },
    async stop(tx, id) {
      const campaign = await requireLocked(tx, id);
      if (campaign.state === "stopped") return campaign;
      const endedAt = clock.now();
      await store.setCampaignState(tx, { id: campaign.id, state: "stopped", at: endedAt });
      await store.refuseWaiting(tx, campaign.id, endedAt);
      return { ...campaign, state: "stopped", endedAt };
    },
    async step() {
      let decided = 0;
      for (let last: store.CampaignId | undefined; ;) {
        const done = await db.transaction(async (tx) => {
          const campaign = await store.lockRunning(tx, last);
          return campaign === undefined ? undefined : { id: campaign.id, count: await writeBatch(tx, campaign) };
        });
        if (done === undefined) return decided;
        last = done.id;
        decided += done.count;
      }
    },
    async find(reader, id) {
      return looksLikeId(id) ? store.findCampaign(reader, id as store.CampaignId) : undefined;
    },
    list: (reader, { first, after }) => store.listCampaigns(reader, { first, after }),
    progress: store.findProgress,
  };
}

interface Decision {
  readonly recipient: store.Recipient;
  readonly language: Language;
  readonly text: string | undefined;
  readonly reason: SkipReason | undefined;
}

function decideFor(person: Person | undefined, texts: CampaignTexts): Omit<Decision, "recipient"> {
  const language = person?.language ?? "en";
  const skip = (reason: SkipReason) => ({ language, text: undefined, reason });
  if (person?.wantsMarketing !== true) return skip("no_consent");
  const text = texts[language] ?? texts[completeOf(language)];
  if (text === undefined) return skip("no_text");
  const written = writeCampaignText(text, language, person);
  return written === undefined ? skip("no_account") : { language, text: written, reason: undefined };
}

/** Adds up what a campaign would do. */
function makeTally() {
  const languages = new Map<Language, { people: number; parts: number; partsMax: number; sample: string }>();
  const skipped = new Map<string, number>();
  let people = 0;
  return {
    add({ language, text, reason }: Decision): void {
      people += 1;
      if (text === undefined) {
        skipped.set(reason ?? "", (skipped.get(reason ?? "") ?? 0) + 1);
        return;
      }
      const line = languages.get(language) ?? { people: 0, parts: 0, partsMax: 0, sample: text };
      const parts = countParts(text);
      line.people += 1;
      line.parts += parts;
      line.partsMax = Math.max(line.partsMax, parts);
      languages.set(language, line);
    },
    preview(price: Cost | undefined): CampaignPreview {
      const lines = [...languages].map(([language, line]) => ({ language, ...line }));
      const parts = lines.reduce((sum, line) => sum + line.parts, 0);
      return {
        people,
        languages: lines,
        skipped: [...skipped].map(([reason, count]) => ({ reason, people: count })),
        cost: price === undefined ? undefined : times(price, parts),
      };
    },
  };
}
