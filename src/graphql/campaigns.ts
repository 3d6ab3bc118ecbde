import type { EnumRef, ObjectRef } from "@pothos/core";
import { NotFound } from "../kernel/refusal.ts";
import { LANGUAGES, type Language } from "../kernel/language.ts";
import type { Campaign, CampaignPreview, CampaignProgress, Cost } from "../messaging/messaging.ts";
import { pageArguments, type Builder, type BuilderTypes } from "./builder.ts";
import { actOnce, type Command } from "./commands.ts";
import { cursorId, parsePage, toConnection } from "./connections.ts";
import type { GraphqlContext } from "./context.ts";
import { OFFICE } from "./device-access.ts";

interface Shared {
  readonly language: EnumRef<BuilderTypes, Language>;
  readonly cost: ObjectRef<BuilderTypes, Cost>;
}

/** Campaigns: who, what, what it would cost, and how far it is. */
export function defineCampaigns(builder: Builder, shared: Shared): void {
  const skipped = builder.objectRef<CampaignProgress["skipped"][number]>("CampaignSkipped").implement({
    fields: (t) => ({
      reason: t.exposeString("reason", { description: "no_consent, no_text, no_account or heard_enough." }),
      people: t.exposeInt("people"),
    }),
  });
  const campaign = defineCampaign(builder, { ...shared, skipped });
  definePreview(builder, { ...shared, skipped, campaign });
  defineReading(builder, campaign);
  defineActs(builder, campaign);
}

type Skipped = ObjectRef<BuilderTypes, CampaignProgress["skipped"][number]>;

function defineCampaign(builder: Builder, { language, cost, skipped }: Shared & { skipped: Skipped }) {
  const progress = builder.objectRef<CampaignProgress>("CampaignProgress").implement({
    description: "In people.",
    fields: (t) => ({
      people: t.exposeInt("people"),
      left: t.exposeInt("left", { description: "Undecided, or written and with no gateway yet." }),
      sent: t.exposeInt("sent"),
      delivered: t.exposeInt("delivered"),
      failed: t.exposeInt("failed"),
      skipped: t.field({ type: [skipped], resolve: (one) => [...one.skipped] }),
      cost: t.field({ type: [cost], description: "A line for each currency.", resolve: (one) => [...one.cost] }),
    }),
  });
  const text = builder.objectRef<{ language: Language; text: string }>("CampaignText").implement({
    fields: (t) => ({
      language: t.field({ type: language, resolve: (one) => one.language }),
      text: t.exposeString("text"),
    }),
  });
  const state = builder.enumType("CampaignState", { values: ["draft", "running", "stopped", "done"] as const });
  return builder.objectRef<Campaign>("Campaign").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      name: t.exposeString("name"),
      state: t.field({ type: state, resolve: (one) => one.state }),
      segment: t.string({ description: "As JSON.", resolve: (one) => JSON.stringify(one.segment) }),
      texts: t.field({
        type: [text],
        resolve: ({ texts }) =>
          LANGUAGES.flatMap((one) => {
            const written = texts[one];
            return written === undefined ? [] : [{ language: one, text: written }];
          }),
      }),
      createdBy: t.exposeString("createdBy"),
      createdAt: t.expose("createdAt", { type: "DateTime" }),
      startedAt: t.expose("startedAt", { type: "DateTime", nullable: true }),
      endedAt: t.expose("endedAt", { type: "DateTime", nullable: true }),
      progress: t.field({
        type: progress,
        resolve: ({ id }, _args, { services, db }) => services.messaging.campaigns.progress(db, id),
      }),
    }),
  });
}

type CampaignType = ReturnType<typeof defineCampaign>;

function definePreview(
  builder: Builder,
  { language, cost, skipped, campaign }: Shared & { skipped: Skipped; campaign: CampaignType },
): void {
  const segment = builder.inputType("CampaignSegmentInput", {
    description: "Whom it is for. What is left out does not matter; all that is given must hold.",
    fields: (t) => ({
      areas: t.stringList(),
      languages: t.field({ type: [language] }),
      planCodes: t.stringList(),
      states: t.stringList({ description: "Of the contract: active, paid_off, written_off." }),
      daysLeftFrom: t.int({ description: "Days of light that are left at least; below zero for days without." }),
      daysLeftTo: t.int({ description: "And at most." }),
    }),
  });
  const texts = builder.inputType("CampaignTextsInput", {
    description:
      "With {name}, {days} and {account} where wanted. Who speaks a language without a text hears nothing, or English where that is usual.",
    fields: (t) => ({
      en: t.string(),
      sw: t.string(),
      fr: t.string(),
      ha: t.string(),
      pt: t.string(),
      lg: t.string(),
    }),
  });
  const line = builder.objectRef<CampaignPreview["languages"][number]>("CampaignPreviewLanguage").implement({
    fields: (t) => ({
      language: t.field({ type: language, resolve: (one) => one.language }),
      people: t.exposeInt("people"),
      parts: t.exposeInt("parts", { description: "Of SMS, for all of them." }),
      partsMax: t.exposeInt("partsMax", { description: "Of the longest." }),
      sample: t.exposeString("sample", { description: "As the first of them would read it." }),
    }),
  });
  const preview = builder.objectRef<CampaignPreview>("CampaignPreview").implement({
    fields: (t) => ({
      people: t.exposeInt("people"),
      languages: t.field({ type: [line], resolve: (one) => [...one.languages] }),
      skipped: t.field({ type: [skipped], resolve: (one) => [...one.skipped] }),
      cost: t.field({
        type: cost,
        nullable: true,
        description: "Expected; null where no price of a part is configured.",
        resolve: (one) => one.cost ?? null,
      }),
    }),
  });
  builder.queryField("campaignPreview", (t) =>
    t.field({
      type: preview,
      errors: {},
      authScopes: OFFICE,
      description: "The dry run: everybody in the segment is looked at, and nothing is written down.",
      args: { segment: t.arg({ type: segment, required: true }), texts: t.arg({ type: texts, required: true }) },
      resolve: (_root, input, { services, db }) =>
        services.messaging.campaigns.preview(db, { segment: segmentOf(input.segment), texts: input.texts }),
    }),
  );
  builder.mutationField("createCampaign", (t) =>
    t.field({
      type: campaign,
      errors: {},
      authScopes: OFFICE,
      description: "Keeps a draft; nobody is written to before startCampaign.",
      args: {
        name: t.arg.string({ required: true }),
        segment: t.arg({ type: segment, required: true }),
        texts: t.arg({ type: texts, required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        decide(context, { mutation: "createCampaign", key, input }, ({ tx, actor }) =>
          context.services.messaging.campaigns.create(tx, { ...input, segment: segmentOf(input.segment), actor }),
        ),
    }),
  );
}

interface SegmentInput {
  readonly daysLeftFrom?: number | null | undefined;
  readonly daysLeftTo?: number | null | undefined;
  readonly [list: string]: unknown;
}

/** What was left out is not there; `parseSegment` checks the rest. */
function segmentOf({ daysLeftFrom: from, daysLeftTo: to, ...lists }: SegmentInput): object {
  const given = (fields: object): object =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
  const daysLeft = given({ from, to });
  return { ...given(lists), ...(Object.keys(daysLeft).length === 0 ? {} : { daysLeft }) };
}

function defineReading(builder: Builder, campaign: CampaignType): void {
  const connection = builder.connectionObject({ name: "CampaignConnection", type: campaign }, { name: "CampaignEdge" });
  builder.queryField("campaigns", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Newest first.",
      args: pageArguments(builder),
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "campaigns");
        const rows = await services.messaging.campaigns.list(db, {
          first: page.limit,
          after: cursorId<"Campaign">(page),
        });
        return toConnection(rows, { page, kind: "campaigns", keysOf: ({ id }) => [id] });
      },
    }),
  );
  builder.queryField("campaign", (t) =>
    t.field({
      type: campaign,
      errors: {},
      authScopes: OFFICE,
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, { id }, context) => requireCampaign(context, id),
    }),
  );
}

function defineActs(builder: Builder, campaign: CampaignType): void {
  const acts = [
    {
      mutation: "startCampaign",
      act: "start",
      description: "Writes to everybody in the segment, as consent, limits and hours allow.",
    },
    {
      mutation: "stopCampaign",
      act: "stop",
      description: "At once: only what a gateway has already still goes out. It does not start again.",
    },
  ] as const;
  for (const { mutation, act, description } of acts) {
    builder.mutationField(mutation, (t) =>
      t.field({
        type: campaign,
        errors: {},
        authScopes: OFFICE,
        description,
        args: { id: t.arg.id({ required: true }), idempotencyKey: t.arg.string({ required: true }) },
        resolve: (_root, { idempotencyKey: key, id }, context) =>
          decide(context, { mutation, key, input: { id } }, ({ tx }) =>
            context.services.messaging.campaigns[act](tx, id),
          ),
      }),
    );
  }
}

/** Acts once on a campaign, with its audit row; answers how it stands then. */
async function decide(
  context: GraphqlContext,
  { mutation, key, input }: { mutation: string; key: string; input: object },
  work: (command: Command) => Promise<Campaign>,
): Promise<Campaign> {
  const { id } = await actOnce(context, { mutation, key, input }, async (command) => {
    const { id: campaignId, name } = await work(command);
    await command.audit({
      action: `campaign.${mutation.replace("Campaign", "")}`,
      subjectKind: "campaign",
      subjectId: campaignId,
      detail: { name },
    });
    return { id: campaignId };
  });
  return requireCampaign(context, id);
}

async function requireCampaign({ services, db }: GraphqlContext, id: string): Promise<Campaign> {
  const found = await services.messaging.campaigns.find(db, id);
  if (found === undefined) throw new NotFound("campaign", "id");
  return found;
}
