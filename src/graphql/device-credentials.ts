import type { ClaimAnswer, CredentialEvent, CredentialStatus, Device, IssuedCode } from "../devices/devices.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { act } from "./commands.ts";
import { cursorNumber, parsePage, toConnection } from "./connections.ts";
import { OFFICE, sightOn } from "./device-access.ts";

/** What one mutation acts upon; thousands go by the bulk act. */
const SERIALS_MAX = 500;

interface IssuedCodes {
  readonly issued: readonly IssuedCode[];
  readonly refused: ReadonlyMap<string, string>;
}

/**
 * Who may speak for a device. Codes and passwords are shown once, to who asked for them, and stand in no row of the program: a
 * repeat makes new ones, so these mutations take no idempotency key.
 */
export function defineDeviceCredentials(builder: Builder): void {
  defineStatus(builder);
  const code = defineCodes(builder);
  defineEndings(builder, code);
  defineProvision(builder);
}

function defineStatus(builder: Builder): void {
  const state = builder.enumType("CredentialState", {
    description: "none: no code was issued yet. open: a code waits to be claimed. claimed: the device may speak.",
    values: ["none", "open", "claimed", "revoked"] as const,
  });
  const eventKind = builder.enumType("CredentialEventKind", {
    values: ["issued", "claimed", "claim_refused", "rotated", "revoked", "provisioned"] as const,
  });
  const event = builder.objectRef<CredentialEvent & { readonly id: bigint }>("CredentialEvent").implement({
    fields: (t) => ({
      id: t.id({ resolve: ({ id }) => id.toString() }),
      kind: t.field({ type: eventKind, resolve: ({ kind }) => kind }),
      generation: t.exposeInt("generation"),
      actor: t.exposeString("actor"),
      detail: t.exposeString("detail"),
      at: t.field({ type: "DateTime", resolve: ({ at }) => at }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "CredentialEventConnection", type: event },
    { name: "CredentialEventEdge" },
  );
  const status = builder.objectRef<CredentialStatus>("DeviceCredentials").implement({
    fields: (t) => ({
      state: t.field({ type: state, resolve: (one) => one.state }),
      generation: t.exposeInt("generation", {
        description: "Grows with each code and revocation, which end the one before.",
      }),
      codeExpiresAt: t.field({ type: "DateTime", nullable: true, resolve: ({ codeExpiresAt }) => codeExpiresAt }),
      attemptsLeft: t.exposeInt("attemptsLeft", { description: "Wrong codes that an open claim still survives." }),
      claimedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ claimedAt }) => claimedAt }),
      revokedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ revokedAt }) => revokedAt }),
      seenAt: t.field({
        type: "DateTime",
        nullable: true,
        description: "Last known at a gateway.",
        resolve: ({ seenAt }) => seenAt,
      }),
      events: t.field({
        type: connection,
        nullable: true,
        authScopes: OFFICE,
        unauthorizedResolver: () => null,
        description: "Newest first; null for agents.",
        args: pageArguments(builder),
        resolve: async ({ deviceId }, args, { services, db }) => {
          const page = parsePage(args, "credential-events");
          const query = { deviceId, first: page.limit, before: cursorNumber(page) };
          const rows = await services.credentials.eventsOf(db, query);
          return toConnection(rows, { page, kind: "credential-events", keysOf: ({ id }) => [id.toString()] });
        },
      }),
    }),
  });
  builder.objectField("Device", "credentials", (t) =>
    t.field({
      type: status,
      nullable: true,
      description: "Null for agents while it is in no home of their area.",
      resolve: async (device: Device, _args, context) =>
        (await sightOn(context, device)) === undefined
          ? null
          : context.services.credentials.statusOf(context.db, device.id),
    }),
  );
}

function defineCodes(builder: Builder) {
  const code = builder.objectRef<IssuedCode>("ClaimCode").implement({
    description: "A secret: who has it can speak as the device, once.",
    fields: (t) => ({
      serial: t.exposeString("serial"),
      code: t.exposeString("code"),
      expiresAt: t.field({ type: "DateTime", resolve: ({ expiresAt }) => expiresAt }),
    }),
  });
  const refused = builder.objectRef<{ serial: string; reason: string }>("RefusedSerial").implement({
    fields: (t) => ({ serial: t.exposeString("serial"), reason: t.exposeString("reason") }),
  });
  const codes = builder.objectRef<IssuedCodes>("IssuedClaimCodes").implement({
    fields: (t) => ({
      issued: t.field({ type: [code], resolve: ({ issued }) => [...issued] }),
      refused: t.field({
        type: [refused],
        resolve: (one) => [...one.refused].map(([serial, reason]) => ({ serial, reason })),
      }),
    }),
  });
  builder.mutationField("issueClaimCodes", (t) =>
    t.field({
      type: codes,
      errors: {},
      authScopes: OFFICE,
      description: "Codes for devices that nobody speaks for. A code that was open before becomes void.",
      args: { serials: t.arg.stringList({ required: true }), reason: t.arg.string({ required: true }) },
      resolve: (_root, { serials, reason }, context) =>
        act(context, ({ tx, actor }) =>
          context.services.credentials.issueCodes(tx, {
            serials: checkSerials(serials),
            actor,
            reason: checkReason(reason),
          }),
        ),
    }),
  );
  builder.mutationField("showClaimCodes", (t) =>
    t.field({
      type: codes,
      errors: {},
      authScopes: OFFICE,
      description: "Open codes once more, to be printed again. Who looks is written into the audit.",
      args: { serials: t.arg.stringList({ required: true }) },
      resolve: (_root, { serials }, context) =>
        act(context, async ({ tx, audit }) => {
          const issued = await context.services.credentials.openCodes(tx, checkSerials(serials));
          const detail = { serials: serials.join(" ").slice(0, 2_000), shown: issued.length };
          await audit({ action: "device.credentials.show", subjectKind: "devices", subjectId: "credentials", detail });
          return { issued, refused: new Map<string, string>() };
        }),
    }),
  );
  return code;
}

function defineEndings(builder: Builder, code: ReturnType<typeof defineCodes>): void {
  builder.mutationField("rotateDeviceCredentials", (t) =>
    t.field({
      type: code,
      errors: {},
      authScopes: OFFICE,
      description: "A new code for one device, whatever it had: its connection is cut at once.",
      args: { serial: t.arg.string({ required: true }), reason: t.arg.string({ required: true }) },
      resolve: (_root, { serial, reason }, context) =>
        act(context, ({ tx, actor }) =>
          context.services.credentials.rotate(tx, { serial: serial.trim(), actor, reason: checkReason(reason) }),
        ),
    }),
  );
  const revoked = builder.objectRef<{ readonly revoked: number }>("RevokedCredentials").implement({
    fields: (t) => ({ revoked: t.exposeInt("revoked", { description: "Those that had something to shut." }) }),
  });
  builder.mutationField("revokeDeviceCredentials", (t) =>
    t.field({
      type: revoked,
      errors: {},
      authScopes: OFFICE,
      description: "Shuts devices out at once, until they get a new code.",
      args: { serials: t.arg.stringList({ required: true }), reason: t.arg.string({ required: true }) },
      resolve: (_root, { serials, reason }, context) =>
        act(context, async ({ tx, actor }) => ({
          revoked: await context.services.credentials.revoke(tx, {
            serials: checkSerials(serials),
            actor,
            reason: checkReason(reason),
          }),
        })),
    }),
  );
}

type Provisioned = ClaimAnswer & { readonly serial: string };

function defineProvision(builder: Builder): void {
  const provisioned = builder.objectRef<Provisioned>("ProvisionedDevice").implement({
    description: "What a device needs to speak. The password is shown here and nowhere else.",
    fields: (t) => ({
      serial: t.exposeString("serial"),
      broker: t.exposeString("broker"),
      username: t.exposeString("username"),
      password: t.exposeString("password"),
      publishTopics: t.stringList({ resolve: ({ topics }) => [...topics.publish] }),
      subscribeTopics: t.stringList({ resolve: ({ topics }) => [...topics.subscribe] }),
    }),
  });
  const result = builder.objectRef<{ readonly devices: readonly Provisioned[] }>("ProvisionedDevices").implement({
    fields: (t) => ({ devices: t.field({ type: [provisioned], resolve: ({ devices }) => [...devices] }) }),
  });
  builder.mutationField("provisionDevices", (t) =>
    t.field({
      type: result,
      errors: {},
      authScopes: { roles: ["admin"] },
      description: "For a maker who writes passwords in the factory: claimed without a code.",
      args: { serials: t.arg.stringList({ required: true }), reason: t.arg.string({ required: true }) },
      resolve: (_root, { serials, reason }, context) =>
        act(context, async ({ tx, actor }) => ({
          devices: await context.services.credentials.provision(tx, {
            serials: checkSerials(serials),
            actor,
            reason: checkReason(reason),
          }),
        })),
    }),
  );
}

function checkSerials(serials: readonly string[]): readonly string[] {
  if (serials.length === 0 || serials.length > SERIALS_MAX)
    throw new InvalidInput(`Name 1 to ${SERIALS_MAX} devices; more of them go by the bulk act.`, "serials");
  return serials.map((serial) => serial.trim());
}

function checkReason(text: string): string {
  const reason = text.trim();
  if (reason === "" || reason.length > 500) throw new InvalidInput("Give a reason of 1 to 500 characters.", "reason");
  return reason;
}
