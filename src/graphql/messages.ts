import type { EnumRef } from "@pothos/core";
import type { Language } from "../kernel/language.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { DAY_MS } from "../kernel/time.ts";
import type { Cost, FigureLine } from "../messaging/messaging.ts";
import type { Builder, BuilderTypes } from "./builder.ts";
import { defineCampaigns } from "./campaigns.ts";
import { OFFICE } from "./device-access.ts";

const DAYS_MAX = 92;

/** Messages out: what became of them and what they cost, and campaigns. For the office only. */
export function defineMessages(builder: Builder, { language }: { language: EnumRef<BuilderTypes, Language> }): void {
  const cost = builder.objectRef<Cost>("MessageCost").implement({
    description:
      "Exact. It is no Money: gateways charge parts of a cent, and may charge in a currency that no customer pays in.",
    fields: (t) => ({
      amount: t.exposeString("amount", { description: "A plain decimal in whole units, such as 0.8000." }),
      currency: t.exposeString("currency"),
    }),
  });
  const figure = builder.objectRef<FigureLine>("MessageFigure").implement({
    fields: (t) => ({
      onDay: t.expose("onDay", { type: "LocalDate", description: "When they were written." }),
      state: t.exposeString("state"),
      template: t.exposeString("template"),
      channel: t.exposeString("channel"),
      category: t.exposeString("category"),
      messages: t.exposeInt("messages"),
      cost: t.field({
        type: cost,
        nullable: true,
        description: "Null where the gateway named no price.",
        resolve: ({ cost: amount, currency }) => (amount === null || currency === null ? null : { amount, currency }),
      }),
    }),
  });
  builder.queryField("messageFigures", (t) =>
    t.field({
      type: [figure],
      errors: {},
      authScopes: OFFICE,
      description: `Messages that were written from one instant until before another, at most ${String(DAYS_MAX)} days, with what they cost.`,
      args: { from: t.arg({ type: "DateTime", required: true }), to: t.arg({ type: "DateTime", required: true }) },
      resolve: async (_root, { from, to }, { services, db }) => {
        if (to <= from || to.getTime() - from.getTime() > DAYS_MAX * DAY_MS)
          throw new InvalidInput(`Figures are of at most ${String(DAYS_MAX)} days.`, "to");
        return [...(await services.messaging.figures(db, { from, to }))];
      },
    }),
  );
  defineCampaigns(builder, { language, cost });
}
