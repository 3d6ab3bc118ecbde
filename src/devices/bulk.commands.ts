import type { DeviceId, MakeId } from "../kernel/ids.ts";
import { InvalidInput, NotAllowedNow } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { once } from "../platform/idempotency.ts";
import {
  BULK_LIGHT_MAX,
  BULK_LINES_MAX,
  decideLine,
  parseTargets,
  reportOf,
  type BulkAct,
  type BulkLine,
  type BulkReport,
  type BulkTarget,
  type Selection,
} from "./bulk.ts";
import { KIND_SETTINGS } from "./command-life.ts";
import type { DeviceCommands } from "./commands.commands.ts";
import { slotsTaken } from "./commands.store.ts";
import type { Credentials } from "./credentials.commands.ts";
import * as credentialStore from "./credentials.store.ts";
import type { Audit, Device } from "./devices.ts";
import type { ContractsOn } from "./life.commands.ts";
import { makeMover } from "./movements.commands.ts";
import * as store from "./movements.store.ts";
import { checkReason } from "./whereabouts.ts";

export interface BulkOrder {
  readonly selection: Selection;
  readonly act: BulkAct;
}

export interface BulkOutcome {
  readonly bulkId: string;
  readonly done: number;
  readonly refused: number;
}

export interface BulkActs {
  /** Tells line by line what would happen, and changes nothing. */
  preview(db: Db | Tx, order: BulkOrder): Promise<BulkReport>;
  /**
   * Does it for the good lines and leaves the others; audited. The same key again gives the first outcome. With the digest of
   * a dry run it happens only as that said, or is refused.
   */
  apply(
    tx: Tx,
    order: BulkOrder & { reason: string; actor: string; key: string; digest?: string | undefined },
  ): Promise<BulkOutcome>;
}

interface Weighed {
  readonly lines: readonly BulkLine[];
  readonly chosen: readonly { readonly device: Device; readonly target: BulkTarget }[];
}

/** Acts on many devices at once, decided line by line. */
export function makeBulkActs({
  clock,
  makeId,
  commands,
  credentials,
  contractsOn,
  audit,
}: {
  clock: Clock;
  makeId: MakeId;
  commands: Pick<DeviceCommands, "askMany">;
  credentials: Pick<Credentials, "issueCodes" | "revoke">;
  contractsOn: ContractsOn;
  audit: Audit;
}): BulkActs {
  const mover = makeMover({ clock });

  async function targetsOf(db: Db | Tx, selection: Selection): Promise<ReturnType<typeof parseTargets>> {
    if ("csv" in selection) return parseTargets(selection.csv);
    const serials = await store.serialsOf(db, selection.filter, BULK_LINES_MAX + 1);
    if (serials.length === 0) throw new InvalidInput("No device is like that.", "filter");
    if (serials.length > BULK_LINES_MAX)
      throw new InvalidInput(`More than ${BULK_LINES_MAX} devices are like that: narrow it.`, "filter");
    return { targets: serials.map((serial, at) => ({ line: at + 1, serial, whereabouts: undefined })), bad: [] };
  }

  async function weigh(
    db: Db | Tx,
    { selection, act }: BulkOrder,
    find: (serials: readonly string[]) => Promise<readonly Device[]>,
  ): Promise<Weighed> {
    const { targets, bad } = await targetsOf(db, selection);
    const isLight = act.kind === "command" && KIND_SETTINGS[act.request.kind].slot === "light";
    if (isLight && targets.length > BULK_LIGHT_MAX)
      throw new InvalidInput(`At most ${BULK_LIGHT_MAX} devices at once for a command that changes light.`, "act");
    const serials = targets.map(({ serial }) => serial);
    const devices = new Map((await find(serials)).map((device) => [device.serial, device]));
    const ids = [...devices.values()].map(({ id }) => id);
    const contracts = act.kind === "move" ? await contractsOn(db, ids) : new Map<DeviceId, string>();
    const credentialRows =
      act.kind === "issue_codes" || act.kind === "revoke" ? await credentialStore.findBySerials(db, serials) : [];
    const bySerial = new Map(credentialRows.map((row) => [row.serial, row]));
    const taken =
      act.kind === "command"
        ? await slotsTaken(db, { deviceIds: ids, slot: KIND_SETTINGS[act.request.kind].slot })
        : new Map<DeviceId, string>();
    const chosen: { device: Device; target: BulkTarget }[] = [];
    const lines = targets.map((target) => {
      const device = devices.get(target.serial);
      const line = decideLine(act, target, {
        device,
        credential: bySerial.get(target.serial),
        hasContract: device !== undefined && contracts.has(device.id),
        openCommand: device === undefined ? undefined : taken.get(device.id),
      });
      if (line.outcome === "do" && device !== undefined) chosen.push({ device, target });
      return line;
    });
    return { lines: [...bad, ...lines], chosen };
  }

  /** How many of the chosen were done: a command may still be refused for its own reasons, such as days that no token holds. */
  async function act(
    tx: Tx,
    order: BulkOrder & { reason: string; actor: string; digest: string | undefined },
    { chosen, bulkId }: { chosen: Weighed["chosen"]; bulkId: string },
  ): Promise<number> {
    const { reason, actor } = order;
    const serials = chosen.map(({ device }) => device.serial);
    switch (order.act.kind) {
      case "move":
      case "place": {
        const to = order.act.kind === "move" ? order.act.to : undefined;
        const moves = chosen.map(({ device, target: { whereabouts } }) => ({
          device,
          to: to ?? device.state,
          reason,
          actor,
          bulkId,
          whereabouts,
        }));
        return (await mover.apply(tx, moves)).length;
      }
      case "command": {
        const { request } = order.act;
        const devices = chosen.map(({ device }) => device);
        const asked = { request, reason, actor, bulkId, dryRunDigest: order.digest, devices };
        return (await commands.askMany(tx, asked)).queued.length;
      }
      case "issue_codes":
        return (await credentials.issueCodes(tx, { serials, actor, reason })).issued.length;
      case "revoke":
        return await credentials.revoke(tx, { serials, actor, reason });
    }
  }

  return {
    async preview(db, order) {
      return reportOf(order.act, (await weigh(db, order, (serials) => store.findBySerials(db, serials))).lines);
    },
    apply: (tx, { actor, key, digest, reason, ...order }) =>
      once(tx, { actor, key, input: { bulk: order, reason, digest }, now: clock.now() }, async () => {
        checkReason(reason);
        const weighed = await weigh(tx, order, (serials) => store.lockBySerials(tx, serials));
        const report = reportOf(order.act, weighed.lines);
        if (digest !== undefined && digest !== report.digest)
          throw new NotAllowedNow(
            "This is not what the dry run showed, or something changed since. Look at a new one first.",
          );
        const bulkId = makeId<"Bulk">();
        const done =
          weighed.chosen.length === 0
            ? 0
            : await act(tx, { ...order, reason, actor, digest }, { chosen: weighed.chosen, bulkId });
        const refused = report.lines.length - done;
        await audit(tx, {
          actor,
          action: `device.bulk.${order.act.kind}`,
          subjectKind: "bulk",
          subjectId: bulkId,
          detail: { reason, done, refused, dryRunDigest: digest ?? null },
        });
        return { bulkId, done, refused };
      }),
  };
}
