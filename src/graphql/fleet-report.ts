import type { ObjectRef } from "@pothos/core";
import type { CommandCount } from "../devices/devices.ts";
import { COMMAND_DAYS, type BatteryShare, type FleetReport, type FleetSummary } from "../telemetry/telemetry.ts";
import type { Builder, BuilderTypes } from "./builder.ts";
import { OFFICE } from "./device-access.ts";

/** A share of none is unknown, not zero. */
const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

/** One query with what a report on a fleet must tell: who is heard, whose days agree, what batteries have left, what failed. */
export function defineFleetReport(builder: Builder, summary: ObjectRef<BuilderTypes, FleetSummary>): void {
  const agreement = builder.objectRef<FleetReport["daysLeft"]>("DaysLeftAgreement").implement({
    fields: (t) => ({
      compared: t.exposeInt("compared", { description: "In service, and both the device and its contract say." }),
      agreeing: t.exposeInt("agreeing", { description: "Within a day of each other." }),
      ahead: t.exposeInt("ahead", { description: "The device promises more light than was paid for." }),
      behind: t.exposeInt("behind"),
      share: t.float({ nullable: true, resolve: ({ agreeing, compared }) => share(agreeing, compared) }),
    }),
  });
  const batteries = builder.objectRef<BatteryShare>("BatteryShareCount").implement({
    description:
      "Batteries with a share of their capacity left from `least` up to `most`; both null: not enough evidence.",
    fields: (t) => ({
      least: t.float({ nullable: true, resolve: ({ least }) => least ?? null }),
      most: t.float({ nullable: true, resolve: ({ most }) => most ?? null }),
      batteries: t.exposeInt("batteries"),
    }),
  });
  const quarantined = builder.objectRef<FleetReport["quarantined"][number]>("QuarantineCount").implement({
    fields: (t) => ({ reason: t.exposeString("reason"), frames: t.exposeInt("frames") }),
  });
  const command = builder
    .objectRef<{ readonly kind: string; readonly counts: readonly CommandCount[] }>("CommandSuccess")
    .implement({
      fields: (t) => ({
        kind: t.exposeString("kind"),
        asked: t.int({ resolve: ({ counts }) => total(counts, () => true) }),
        done: t.int({ resolve: ({ counts }) => total(counts, ({ state }) => state === "done") }),
        ended: t.int({
          description: "Done, refused, failed or expired; what was cancelled says nothing of the device.",
          resolve: ({ counts }) => total(counts, isEnded),
        }),
        share: t.float({
          nullable: true,
          description: "Done, of what ended.",
          resolve: ({ counts }) =>
            share(
              total(counts, ({ state }) => state === "done"),
              total(counts, isEnded),
            ),
        }),
      }),
    });
  const report = builder.objectRef<FleetReport>("FleetReport").implement({
    description:
      "The figures by which the sector measures a fleet. Shares are of what they are about, null of nothing.",
    fields: (t) => ({
      at: t.field({ type: "DateTime", resolve: ({ at }) => at }),
      summary: t.field({ type: summary, resolve: (one) => one.summary }),
      connectedShare: t.float({
        nullable: true,
        description: "Heard in time (alive or late), of those in service.",
        resolve: ({ summary: { byLiveness, inService } }) => share(byLiveness.alive + byLiveness.late, inService),
      }),
      silentShare: t.float({
        nullable: true,
        description: "Silent or lost, of those in service.",
        resolve: ({ summary: { byLiveness, inService } }) => share(byLiveness.silent + byLiveness.lost, inService),
      }),
      neverHeardShare: t.float({
        nullable: true,
        resolve: ({ summary: { byLiveness, inService } }) => share(byLiveness.never, inService),
      }),
      daysLeft: t.field({ type: agreement, resolve: (one) => one.daysLeft }),
      batteries: t.field({ type: [batteries], resolve: ({ batteryShares }) => [...batteryShares] }),
      commands: t.field({
        type: [command],
        description: `Asked in the last ${COMMAND_DAYS} days.`,
        resolve: ({ commands }) =>
          [...Map.groupBy(commands, ({ kind }) => kind)].map(([kind, counts]) => ({ kind, counts })),
      }),
      quarantined: t.field({
        type: [quarantined],
        description: "Frames that were set aside since `quarantinedSince`, most first.",
        resolve: (one) => [...one.quarantined],
      }),
      quarantinedSince: t.field({ type: "DateTime", resolve: (one) => one.quarantinedSince }),
    }),
  });
  builder.queryField("fleetReport", (t) =>
    t.field({
      type: report,
      authScopes: OFFICE,
      description: "Reads the whole fleet once; the same for a minute.",
      resolve: (_root, _args, { services }) => services.fleetReports.report(),
    }),
  );
}

const isEnded = ({ state }: CommandCount): boolean =>
  state === "done" || state === "refused" || state === "failed" || state === "expired";

function total(counts: readonly CommandCount[], which: (count: CommandCount) => boolean): number {
  return counts.filter(which).reduce((sum, { commands }) => sum + commands, 0);
}
