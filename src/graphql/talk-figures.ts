import { InvalidInput } from "../kernel/refusal.ts";
import { daysBetween, parseLocalDate } from "../kernel/time.ts";
import type { Bar, ScreenFigures, TalkFigures } from "../ussd/ussd.ts";
import type { Builder } from "./builder.ts";
import { OFFICE } from "./device-access.ts";

const CHANNELS: ReadonlySet<string> = new Set(["ussd", "sms", "whatsapp", "telegram"]);
/** Longer spans are a matter for the history, not for a screen. */
const DAYS_MAX = 366;

/** How conversations with customers go: where they are left, what they come to, how long their turns take. */
export function defineTalkFigures(builder: Builder): void {
  const outcome = builder.objectRef<TalkFigures["outcomes"][number]>("TalkOutcomeCount").implement({
    fields: (t) => ({ outcome: t.exposeString("outcome"), sessions: t.exposeInt("sessions") }),
  });
  const ending = builder.objectRef<TalkFigures["endings"][number]>("TalkEndingCount").implement({
    description: "By the last screen before the end, which tells the service.",
    fields: (t) => ({
      screen: t.exposeString("screen"),
      outcome: t.exposeString("outcome"),
      sessions: t.exposeInt("sessions"),
    }),
  });
  const screen = builder.objectRef<ScreenFigures>("TalkScreen").implement({
    description: "In conversations, each counted once however often it saw the screen.",
    fields: (t) => ({
      screen: t.exposeString("screen"),
      shown: t.exposeInt("shown"),
      left: t.exposeInt("left", { description: "Abandoned or cut off with this screen on the phone." }),
      completed: t.exposeInt("completed", { description: "Came to a good end after it." }),
    }),
  });
  const hops = builder.objectRef<TalkFigures["hops"][number]>("TalkHopsCount").implement({
    fields: (t) => ({ hops: t.exposeInt("hops"), sessions: t.exposeInt("sessions") }),
  });
  const bar = builder.objectRef<Bar>("TalkTimeBar").implement({
    fields: (t) => ({
      belowMs: t.int({
        nullable: true,
        description: "Null: whatever took longer.",
        resolve: ({ belowMs }) => belowMs ?? null,
      }),
      hops: t.exposeInt("hops"),
    }),
  });
  const figures = builder.objectRef<TalkFigures>("TalkFigures").implement({
    description: "Conversations that ended within the days, most frequent first.",
    fields: (t) => ({
      sessions: t.exposeInt("sessions"),
      outcomes: t.field({ type: [outcome], resolve: (one) => [...one.outcomes] }),
      endings: t.field({ type: [ending], resolve: (one) => [...one.endings] }),
      screens: t.field({ type: [screen], resolve: (one) => [...one.screens] }),
      hops: t.field({ type: [hops], resolve: (one) => [...one.hops] }),
      hopsMean: t.float({ nullable: true, resolve: ({ hopsMean }) => hopsMean ?? null }),
      personTurns: t.field({
        type: [bar],
        description: "How long people took to answer a screen.",
        resolve: ({ turns }) => [...turns],
      }),
      ourTurns: t.field({
        type: [bar],
        description: "How long we took until an answer was written down.",
        resolve: ({ ours }) => [...ours],
      }),
    }),
  });
  builder.queryField("talkFigures", (t) =>
    t.field({
      type: figures,
      authScopes: OFFICE,
      description: `Of the days from \`from\` to \`to\`, both included, ${DAYS_MAX} at most; of all channels without \`channel\`.`,
      args: {
        from: t.arg({ type: "LocalDate", required: true }),
        to: t.arg({ type: "LocalDate", required: true }),
        channel: t.arg.string({ description: "ussd, sms, whatsapp or telegram." }),
      },
      resolve: (_root, args, { services }) => {
        const [from, to] = [parseLocalDate(args.from), parseLocalDate(args.to)];
        const days = daysBetween(from, to);
        if (days < 0 || days >= DAYS_MAX) throw new InvalidInput(`Ask for 1 to ${DAYS_MAX} days.`, "to");
        const channel = args.channel ?? undefined;
        if (channel !== undefined && !CHANNELS.has(channel))
          throw new InvalidInput(
            `Ask for one of ${[...CHANNELS].join(", ")}, or for all by leaving it out.`,
            "channel",
          );
        return services.talkFigures.figures({ from, to, channel });
      },
    }),
  );
}
