import { maySee } from "../access/access.ts";
import type { Device } from "../devices/devices.ts";
import type { Alert, AlertNews, DeviceNews, StoredReading } from "../telemetry/telemetry.ts";
import type { AlertTypes } from "./alerts.ts";
import type { Builder } from "./builder.ts";
import { requireActor } from "./context.ts";
import { requireDevice, sightOn } from "./device-access.ts";
import { eventStream } from "./event-stream.ts";
import type { ReadingTypes } from "./readings.ts";
import { NotFound } from "../kernel/refusal.ts";

/** What one piece of news shows; a device that sends its history has more, which its page shows. */
const READINGS_MAX = 100;

interface AlertsTold {
  readonly missed: boolean;
  readonly changes: Extract<AlertNews, { kind: "changed" }>["alerts"];
}

interface DeviceTold {
  readonly device: Device;
  readonly readings: readonly StoredReading[];
}

/** What is told as it happens, over server-sent events. Who may see it is asked anew for each event. */
export function defineSubscriptions(builder: Builder, { alert, reading }: AlertTypes & ReadingTypes): void {
  defineAlertStream(builder, alert);
  defineDeviceStream(builder, reading);
}

function defineAlertStream(builder: Builder, alert: AlertTypes["alert"]): void {
  const told = builder.objectRef<AlertsTold>("AlertNews").implement({
    fields: (t) => ({
      missed: t.exposeBoolean("missed", {
        description:
          "Something may have been missed: read the list now. So is the first event, which says that listening began.",
      }),
      alerts: t.field({
        type: [alert],
        description: "As they stand now; one that was forgotten meanwhile is left out.",
        resolve: async ({ changes }, _args, context) => {
          const found = await context.services.alerts.findMany(changes.map(({ id }) => id));
          const actor = requireActor(context);
          return changes.flatMap(({ id }): Alert[] => {
            const one = found.get(id);
            return one !== undefined && maySee(actor, one.area) ? [one] : [];
          });
        },
      }),
    }),
  });
  builder.subscriptionField("alertNews", (t) =>
    t.field({
      type: told,
      description: "Alerts that change from now on. Agents hear of those of their own area.",
      subscribe: async (_root, _args, context) => {
        const actor = requireActor(context);
        let pass: (event: AlertsTold) => void = () => undefined;
        const end = await context.feeds.alerts((news) => {
          const event = visibleTo((area) => maySee(actor, area), news);
          if (event !== undefined) pass(event);
        });
        return eventStream<AlertsTold>((hear) => {
          pass = hear;
          hear({ missed: true, changes: [] });
          return end;
        });
      },
      resolve: (event) => event,
    }),
  );
}

/** What of some news a person hears; undefined: nothing. */
function visibleTo(sees: (area: string) => boolean, news: AlertNews): AlertsTold | undefined {
  if (news.kind === "missed") return { missed: true, changes: [] };
  const changes = news.alerts.filter(({ area }) => sees(area));
  return changes.length === 0 ? undefined : { missed: false, changes };
}

function defineDeviceStream(builder: Builder, reading: ReadingTypes["reading"]): void {
  const told = builder.objectRef<DeviceTold>("DeviceNews").implement({
    fields: (t) => ({
      device: t.field({ type: "Device", description: "As it stands now.", resolve: ({ device }) => device }),
      readings: t.field({
        type: [reading],
        description: `Those newer than the newest one told before, oldest first, at most ${READINGS_MAX}. History that a device sends later is on its page.`,
        resolve: ({ readings }) => [...readings],
      }),
    }),
  });
  builder.subscriptionField("deviceNews", (t) =>
    t.field({
      type: told,
      description: "A device's state at once, then that and its readings as they come, some two seconds later.",
      args: { id: t.arg.id(), serial: t.arg.string() },
      subscribe: async (_root, name, context) => {
        const { number } = await requireDevice(context, name);
        let pass: (news: DeviceNews) => void = () => undefined;
        const { readingAt, end } = await context.feeds.device(number, (news) => pass(news));
        return eventStream<DeviceNews>((hear) => {
          pass = hear;
          hear({ device: number, readingBeforeAt: readingAt, readingAt });
          return end;
        });
      },
      resolve: async (news, _args, context): Promise<DeviceTold> => {
        const device = (await context.services.devices.findByNumbers(context.db, [news.device])).get(news.device);
        const since = device === undefined ? undefined : await sightOn(context, device);
        if (device === undefined || (since === undefined && device.state !== "stock")) throw new NotFound("device");
        const { readingAt, readingBeforeAt } = news;
        if (readingAt === undefined || since === undefined || readingAt.getTime() === readingBeforeAt?.getTime())
          return { device, readings: [] };
        const readings = await context.services.readings.readingsOf({
          deviceNumber: device.number,
          from: readingBeforeAt ?? readingAt,
          to: new Date(readingAt.getTime() + 1),
          first: READINGS_MAX,
          after: readingBeforeAt,
        });
        return { device, readings: readings.filter(({ at }) => at >= since) };
      },
    }),
  );
}
