import { looksLikeId, type DeviceId, type MakeId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Database, Db, Tx } from "../platform/database.ts";
import { isDue, KIND_SETTINGS, refuseCancel, stepOf, type CommandEvent, type CommandStep } from "./command-life.ts";
import { commandBody, type CommandBody, type CommandKind } from "./command-payload.ts";
import * as store from "./commands.store.ts";
import type { Command, CommandId } from "./commands.store.ts";
import type { Audit, Device, Devices } from "./devices.ts";
import { maySpeak } from "./life-cycle.ts";
import type { AirDelivery } from "./token-issuer.ts";
import { unitsFromDays } from "./tokens/openpaygo.ts";
import { checkReason } from "./whereabouts.ts";

/** What a person asks of devices. What gives or takes light becomes a token of the device's own. */
export type CommandRequest =
  /** Whole days from when the device takes it, at most what one token sets: 995 units of the device. */
  | { readonly kind: "set_days"; readonly days: number }
  | { readonly kind: "lock" }
  /** For ever. To undo a lock, set the days that are left. */
  | { readonly kind: "unlock" }
  | Exclude<CommandBody, { readonly tokens: readonly string[] }>;

export interface CommandOrder {
  readonly request: CommandRequest;
  readonly reason: string;
  readonly actor: string;
  /** Left out: as `KIND_SETTINGS` says. */
  readonly expiresAt?: Date | undefined;
  readonly bulkId?: string | undefined;
  /** The digest of the dry run that somebody looked at first, for the audit. */
  readonly dryRunDigest?: string | undefined;
}

/** What telemetry heard from devices in one batch. */
export interface Heard {
  readonly answers: readonly {
    readonly deviceNumber: number;
    readonly answer: {
      readonly commandId: string;
      readonly outcome: "done" | "refused" | "failed";
      readonly detail: string | undefined;
    };
  }[];
  /** The counts that devices reported; those that did not change may be left out. */
  readonly counts: readonly { readonly deviceNumber: number; readonly tokenCount: number }[];
}

/** What a gateway did with a command that it had claimed. */
export interface SendResult {
  readonly id: CommandId;
  readonly attempt: number;
  /** Why it was not sent; undefined when the device has it. */
  readonly failure: string | undefined;
}

export interface DeviceCommands {
  /** Asks one device; audits it. Refuses a device that may not speak, and a second open command of the same slot. */
  ask(tx: Tx, order: CommandOrder & { deviceId: DeviceId }): Promise<Command>;
  /**
   * The same for many at once; those that are refused are named. Devices are locked in the order of ids. Audits itself in one row:
   * who, what, why, how many took it, and the dry run that it was decided on.
   */
  askMany(
    tx: Tx,
    order: CommandOrder & { devices: readonly Device[] },
  ): Promise<{ queued: readonly Command[]; refused: ReadonlyMap<DeviceId, string> }>;
  /** Takes a command back; audits it. Refused once a token in it may have reached the device. */
  cancel(tx: Tx, order: { commandId: string; reason: string; actor: string }): Promise<Command>;
  /**
   * What devices answered and count, in ingest's transaction: one query when nothing comes of it. Answers to other devices'
   * commands, to unknown ones and repeated ones change nothing. Nothing here makes tokens or moves money.
   */
  hear(tx: Tx, heard: Heard): Promise<void>;
  /**
   * How often a device that asks us over HTTP should report by its open command, in seconds; undefined where none is open, or `reportedSeconds`
   * is what it asks: that ends it as done. Devices behind HTTP have no other way to answer.
   */
  intervalFor(
    database: Pick<Database, "db">,
    device: { deviceId: DeviceId; reportedSeconds: number | undefined },
  ): Promise<number | undefined>;
  /** Takes what is due for devices that are connected here, and leases it; and tells when the next of each serial will be. */
  claim(
    tx: Tx,
    order: { serials: readonly string[]; limit: number },
  ): Promise<{ readonly claimed: readonly Command[]; readonly nextAt: ReadonlyMap<string, Date> }>;
  /** Notes what became of sendings; answers the next instant at which each has something due. */
  noteSent(tx: Tx, results: readonly SendResult[]): Promise<ReadonlyMap<CommandId, Date>>;
  /** Ends what is past its time or used up its sendings. Answers how many. */
  endDue(tx: Tx, limit: number): Promise<number>;
  find(db: Db | Tx, id: string): Promise<Command | undefined>;
  list: typeof store.list;
  changesOf: typeof store.changesOf;
}

/** The part of the program that acts when no person does. */
const SYSTEM = "system:commands";

/** Commands to devices: asked for in one transaction with their tokens and audit, sent by gateways, ended by answers or time. */
export function makeDeviceCommands({
  clock,
  makeId,
  devices,
  audit,
}: {
  clock: Clock;
  makeId: MakeId;
  devices: Pick<Devices, "find" | "lockForTokens">;
  audit: Audit;
}): DeviceCommands {
  const queueAll: DeviceCommands["askMany"] = async (tx, order) => {
    const now = clock.now();
    const { kind } = order.request;
    const expiresAt = parseExpiry(kind, order.expiresAt, now);
    checkReason(order.reason);
    const ids = [...new Set(order.devices.map(({ id }) => id))];
    const issuer = await devices.lockForTokens(tx, ids);
    // Read under the lock: two people who ask at once come one after the other.
    const taken = await store.slotsTaken(tx, { deviceIds: ids, slot: KIND_SETTINGS[kind].slot });
    const refused = new Map<DeviceId, string>();
    const commands: store.NewCommand[] = [];
    for (const deviceId of ids) {
      const device = issuer.device(deviceId);
      const id = makeId<"Command">();
      const made = refusalOf(device, taken) ?? makeBody(issuer, device, { id, request: order.request });
      if (typeof made === "string") refused.set(deviceId, made);
      else commands.push({ ...rowOf(device, { id, kind, createdAt: now, expiresAt }), ...whyOf(order), ...made });
    }
    await issuer.save();
    const written = await store.insert(tx, commands);
    if (written.size !== commands.length) throw new Error("Bug: a slot was taken under the device's lock.");
    return { queued: await store.lockByIds(tx, [...written]), refused };
  };

  const askMany: DeviceCommands["askMany"] = async (tx, order) => {
    const done = await queueAll(tx, order);
    await audit(tx, {
      actor: order.actor,
      action: `device.commands.${order.request.kind}`,
      ...(order.bulkId === undefined
        ? { subjectKind: "devices", subjectId: "commands" }
        : { subjectKind: "bulk", subjectId: order.bulkId }),
      detail: {
        reason: order.reason,
        ...settingsOf(order.request),
        queued: done.queued.length,
        refused: done.refused.size,
        dryRunDigest: order.dryRunDigest ?? null,
      },
    });
    return done;
  };

  async function step(
    tx: Tx,
    commands: readonly Command[],
    eventOf: (command: Command) => { event: CommandEvent; actor: string } | undefined,
  ): Promise<ReadonlyMap<CommandId, CommandStep>> {
    const steps = commands.flatMap((command) => {
      const found = eventOf(command);
      const next = found === undefined ? undefined : stepOf(command, found.event);
      return found === undefined || next === undefined ? [] : [{ id: command.id, step: next, actor: found.actor }];
    });
    await store.writeSteps(tx, steps, clock.now());
    return new Map(steps.map(({ id, step: next }) => [id, next]));
  }

  const hear: DeviceCommands["hear"] = async (tx, { answers, counts }) => {
    const named = answers.filter(({ answer }) => looksLikeId(answer.commandId));
    if (named.length === 0 && counts.length === 0) return;
    const ids = named.map(({ answer }) => answer.commandId.toLowerCase());
    const locked = await store.lockHeard(tx, { ids, counts });
    const at = clock.now();
    const answered = new Map(
      named.map((one) => [`${one.deviceNumber}:${one.answer.commandId.toLowerCase()}`, one.answer]),
    );
    const counted = new Map<number, number>();
    for (const { deviceNumber, tokenCount } of counts)
      counted.set(deviceNumber, Math.max(tokenCount, counted.get(deviceNumber) ?? 0));
    await step(tx, locked, ({ id, deviceNumber, serial }) => {
      const answer = answered.get(`${deviceNumber}:${id}`);
      const actor = `device:${serial}`;
      if (answer !== undefined)
        return {
          actor,
          event: { kind: "answered", outcome: answer.outcome, detail: answer.detail?.slice(0, ANSWER_LENGTH_MAX), at },
        };
      const tokenCount = counted.get(deviceNumber);
      return tokenCount === undefined ? undefined : { actor, event: { kind: "confirmed", tokenCount, at } };
    });
  };

  return {
    askMany,
    hear,
    async ask(tx, { deviceId, ...order }) {
      const device = await devices.find(tx, deviceId);
      if (device === undefined) throw new NotFound("device", "deviceId");
      const { queued, refused } = await queueAll(tx, { ...order, devices: [device] });
      const [command] = queued;
      if (command === undefined) throw new NotAllowedNow(refused.get(deviceId) ?? "This command cannot be given now.");
      await audit(tx, {
        actor: order.actor,
        action: `device.command.${command.kind}`,
        subjectKind: "device",
        subjectId: deviceId,
        detail: { commandId: command.id, reason: order.reason },
      });
      return command;
    },
    async cancel(tx, { commandId, reason, actor }) {
      const [command] = looksLikeId(commandId) ? await store.lockByIds(tx, [commandId]) : [];
      if (command === undefined) throw new NotFound("command", "commandId");
      const refusal = refuseCancel(command);
      if (refusal !== undefined) throw new NotAllowedNow(refusal);
      await step(tx, [command], () => ({ event: { kind: "cancelled", detail: reason, at: clock.now() }, actor }));
      await audit(tx, {
        actor,
        action: "device.command.cancel",
        subjectKind: "device",
        subjectId: command.deviceId,
        detail: { commandId: command.id, reason },
      });
      return (await store.find(tx, command.id)) ?? command;
    },
    async intervalFor({ db }, { deviceId, reportedSeconds }) {
      const open = await store.list(db, { deviceId, open: true }, { first: OPEN_LOOKED_AT });
      const asked = open.find(({ body, expiresAt }) => body.kind === "set_interval" && expiresAt > clock.now());
      if (asked?.body.kind !== "set_interval") return undefined;
      const { seconds } = asked.body;
      if (seconds !== reportedSeconds) return seconds;
      const detail = `The device reports every ${seconds} s.`;
      await db.transaction(async (tx) => {
        const locked = await store.lockByIds(tx, [asked.id]);
        await step(tx, locked, ({ serial }) => ({
          actor: `device:${serial}`,
          event: { kind: "in_force", detail, at: clock.now() },
        }));
      });
      return undefined;
    },
    async claim(tx, { serials, limit }) {
      const now = clock.now();
      const due = (await store.lockDue(tx, { serials, now, limit })).filter((command) => isDue(command, now));
      const steps = await step(tx, due, () => ({ event: { kind: "claimed", at: now }, actor: SYSTEM }));
      return {
        claimed: due.map((command) => ({ ...command, ...steps.get(command.id) })),
        nextAt: await store.nextDue(tx, { serials, now }),
      };
    },
    async noteSent(tx, results) {
      const byId = new Map(results.map((result) => [result.id, result]));
      const at = clock.now();
      const steps = await step(tx, await store.lockByIds(tx, [...byId.keys()]), ({ id }) => {
        const result = byId.get(id);
        if (result === undefined) return undefined;
        const { attempt, failure } = result;
        return {
          actor: SYSTEM,
          event:
            failure === undefined
              ? { kind: "delivered", attempt, at }
              : { kind: "not_sent", attempt, detail: failure.slice(0, ANSWER_LENGTH_MAX), at },
        };
      });
      return new Map([...steps].map(([id, { nextAttemptAt }]) => [id, nextAttemptAt]));
    },
    async endDue(tx, limit) {
      const now = clock.now();
      const due = await store.lockEnding(tx, { now, limit });
      return (await step(tx, due, () => ({ event: { kind: "time_passed", at: now }, actor: SYSTEM }))).size;
    },
    find: (db, id) => (looksLikeId(id) ? store.find(db, id as CommandId) : Promise.resolve(undefined)),
    list: store.list,
    changesOf: store.changesOf,
  };
}

/** Devices are machines: what they say is kept short. */
const ANSWER_LENGTH_MAX = 200;
/** A device has one open command of each slot, and few that have none. */
const OPEN_LOOKED_AT = 50;

function parseExpiry(kind: CommandKind, asked: Date | undefined, now: Date): Date {
  const { expiresMs, expiresMaxMs } = KIND_SETTINGS[kind];
  if (asked === undefined) return new Date(now.getTime() + expiresMs);
  const leftMs = asked.getTime() - now.getTime();
  if (!(leftMs > 0 && leftMs <= expiresMaxMs))
    throw new InvalidInput(
      `A command of this kind expires in the future, at most ${expiresMaxMs / 86_400_000} days from now.`,
      "expiresAt",
    );
  return asked;
}

/** The body with its token, or why there is none. */
function makeBody(
  issuer: Awaited<ReturnType<Devices["lockForTokens"]>>,
  device: Device,
  { id, request }: { id: CommandId; request: CommandRequest },
): { body: CommandBody; tokenCount: number | null } | string {
  const token = (kind: "set" | "disable", units: number): { digits: string; count: number } => {
    const [issued] = issuer.issue({ deviceId: device.id, kind, units, cause: `command:${id}`, carriedBy: "command" });
    if (issued === undefined) throw new Error("Bug: a command got no token.");
    return issued;
  };
  switch (request.kind) {
    case "set_days": {
      const outcome = unitsFromDays(request.days, device.timeDivider);
      if (!outcome.ok) return outcome.refusal.message;
      if (outcome.units < 1 || outcome.units > 995)
        return `One token sets 1 to ${Math.floor(995 / device.timeDivider)} days on this device.`;
      const { digits, count } = token("set", outcome.units);
      return { body: { kind: "set_days", days: request.days, tokens: [digits] }, tokenCount: count };
    }
    case "lock": {
      const { digits, count } = token("set", 0);
      return { body: { kind: "lock", tokens: [digits] }, tokenCount: count };
    }
    case "unlock": {
      const { digits, count } = token("disable", 0);
      return { body: { kind: "unlock", tokens: [digits] }, tokenCount: count };
    }
    case "fetch_data":
    case "set_interval":
    case "offer_firmware": {
      const parsed = commandBody.safeParse(request);
      if (!parsed.success)
        return parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join(" ");
      return { body: parsed.data, tokenCount: null };
    }
  }
}

function refusalOf({ id, state }: Device, taken: ReadonlyMap<DeviceId, CommandKind>): string | undefined {
  if (!maySpeak(state)) return `It is ${state}: only installed devices and those in stock take commands.`;
  const open = taken.get(id);
  return open === undefined ? undefined : `A command ${open} is still open. Cancel it, or wait for its end.`;
}

function rowOf(
  device: Pick<Device, "id" | "number" | "serial">,
  { id, kind, createdAt, expiresAt }: { id: CommandId; kind: CommandKind; createdAt: Date; expiresAt: Date },
) {
  const { slot, attemptsMax } = KIND_SETTINGS[kind];
  const { id: deviceId, number: deviceNumber, serial } = device;
  return { id, deviceId, deviceNumber, serial, slot, attemptsMax, createdAt, expiresAt, cause: null, fallbackAt: null };
}

/** What an audit tells of a request besides its kind; a command that carries a token has none in its request. */
function settingsOf(request: CommandRequest): Readonly<Record<string, string | number>> {
  switch (request.kind) {
    case "set_days":
      return { days: request.days };
    case "set_interval":
      return { seconds: request.seconds };
    case "offer_firmware":
      return { version: request.version };
    case "lock":
    case "unlock":
    case "fetch_data":
      return {};
  }
}

function whyOf({ reason, actor, bulkId }: CommandOrder) {
  return { reason, actor, bulkId: bulkId ?? null };
}

/** Sends fresh tokens by air, for the whole batch in one statement; a cause that was answered before is left as it is. */
export async function queueDeliveries(
  tx: Tx,
  deliveries: readonly AirDelivery[],
  { now, makeId, fallbackMs }: { now: Date; makeId: MakeId; fallbackMs: number },
): Promise<void> {
  const expiresAt = new Date(now.getTime() + KIND_SETTINGS.deliver_tokens.expiresMs);
  const fallbackAt = new Date(now.getTime() + fallbackMs);
  await store.insert(
    tx,
    deliveries.map(({ device, cause, tokens, smsWaits }) => ({
      ...rowOf(device, { id: makeId<"Command">(), kind: "deliver_tokens", createdAt: now, expiresAt }),
      body: { kind: "deliver_tokens", tokens: tokens.map(({ digits }) => digits) },
      tokenCount: tokens.at(-1)?.count ?? null,
      cause,
      reason: "Tokens that were issued",
      actor: SYSTEM,
      bulkId: null,
      fallbackAt: smsWaits ? fallbackAt : null,
    })),
  );
}
