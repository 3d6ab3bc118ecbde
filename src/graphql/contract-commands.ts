import type { Contract } from "../credit/credit.ts";
import type { Token } from "../devices/devices.ts";
import type { ContractId } from "../kernel/ids.ts";
import { money } from "../kernel/money.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { HOUR_MS } from "../kernel/time.ts";
import { parseId, type Builder } from "./builder.ts";
import { actOnce, requireVisible, type Command } from "./commands.ts";
import type { GraphqlContext } from "./context.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
/** A customer loses a message now and then; more often than this somebody is collecting tokens. */
const RESENDS = { timesMax: 3, windowMs: HOUR_MS };
const REASON_CHARACTERS_MAX = 500;

/** What people do to contracts. Each act, its idempotency row and its audit row are one transaction. */
export function defineContractCommands(builder: Builder): void {
  defineSale(builder);
  defineResend(builder);
  defineEndings(builder);
  defineSwap(builder);
}

function defineSale(builder: Builder): void {
  builder.mutationField("sellDevice", (t) =>
    t.field({
      type: "Contract",
      errors: {},
      description: "Sells a device from stock to a customer. An agent sells to customers of the agent's own area.",
      args: {
        customerId: t.arg.id({ required: true }),
        serial: t.arg.string({ required: true }),
        planCode: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { cash, credit, customers } = context.services;
        const customerId = parseId<"Customer">(input.customerId, "customer");
        const { id } = await actOnce(
          context,
          { mutation: "sellDevice", key, input },
          async ({ tx, staff, actor, audit }) => {
            requireVisible(staff, await customers.find(tx, customerId), "customer");
            const order = { customerId, serial: input.serial.trim(), planCode: input.planCode.trim(), actor };
            const contract = await credit.sell(tx, order);
            if (staff.role === "agent") {
              const price = money(contract.outstandingMinor ?? contract.depositDueMinor, contract.currency);
              const sale = { agentId: staff.id, contractId: contract.id, price, at: contract.soldAt, actor };
              await cash.accrueSale(tx, sale);
            }
            const { serial, planCode } = order;
            await audit({
              action: "contract.sell",
              subjectKind: "contract",
              subjectId: contract.id,
              detail: { serial, planCode },
            });
            return { id: contract.id };
          },
        );
        return readContract(context, id);
      },
    }),
  );
}

function defineResend(builder: Builder): void {
  const resent = builder.objectRef<{ contract: Contract; tokens: readonly Token[] }>("ResentTokens").implement({
    fields: (t) => ({
      contract: t.field({ type: "Contract", resolve: ({ contract }) => contract }),
      tokens: t.field({
        type: ["Token"],
        description: "In the order of typing.",
        resolve: ({ tokens }) => [...tokens],
      }),
    }),
  });
  builder.mutationField("resendToken", (t) =>
    t.field({
      type: resent,
      errors: {},
      description: `Sends the last tokens of a contract again, the same ones. At most ${RESENDS.timesMax} times an hour per contract.`,
      args: { contractId: t.arg.id({ required: true }), idempotencyKey: t.arg.string({ required: true }) },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { access, credit, devices } = context.services;
        const contractId = parseId<"Contract">(input.contractId, "contract");
        const { cause } = await actOnce(
          context,
          { mutation: "resendToken", key, input },
          async ({ tx, staff, actor }) => {
            requireVisible(staff, await credit.find(tx, contractId), "contract");
            const entry = { actor, action: "token.resend", subjectKind: "contract", subjectId: contractId, detail: {} };
            await access.auditLimited(tx, entry, RESENDS);
            const [token] = await credit.resendTokens(tx, { contractId, key: `${actor}:${key}` });
            return { cause: token?.cause ?? "" };
          },
        );
        const contract = await readContract(context, contractId);
        const tokens = await devices.tokensByCause(context.db, [cause]);
        return { contract, tokens: tokens.filter(({ deviceId }) => deviceId === contract.deviceId) };
      },
    }),
  );
}

function defineEndings(builder: Builder): void {
  const endings = [
    {
      name: "writeOffContract",
      action: "contract.write_off",
      description: "Gives up the rest of the price as lost. No more tokens are made.",
    },
    {
      name: "payOffContract",
      action: "contract.pay_off",
      description: "Waives the rest of the price and unlocks the device for good.",
    },
  ] as const;
  for (const { name, action, description } of endings) {
    builder.mutationField(name, (t) =>
      t.field({
        type: "Contract",
        errors: {},
        authScopes: OFFICE,
        description,
        args: {
          contractId: t.arg.id({ required: true }),
          reason: t.arg.string({ required: true }),
          idempotencyKey: t.arg.string({ required: true }),
        },
        resolve: (_root, { idempotencyKey: key, ...input }, context) =>
          changeContract(context, { mutation: name, action, key, input }, ({ tx, actor }, order) => {
            const { credit } = context.services;
            return name === "writeOffContract"
              ? credit.writeOff(tx, { ...order, actor })
              : credit.payOff(tx, { ...order, actor });
          }),
      }),
    );
  }
}

function defineSwap(builder: Builder): void {
  builder.mutationField("swapDevice", (t) =>
    t.field({
      type: "Contract",
      errors: {},
      authScopes: OFFICE,
      description: "Moves a contract to another device from stock, with the light that is left on the old one.",
      args: {
        contractId: t.arg.id({ required: true }),
        serial: t.arg.string({ required: true, description: "Of the new device." }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        changeContract(
          context,
          { mutation: "swapDevice", action: "contract.swap_device", key, input },
          ({ tx, actor }, order) =>
            context.services.credit.swapDevice(tx, { ...order, serial: input.serial.trim(), actor }),
        ),
    }),
  );
}

/** What the acts of the office on one contract have in common: a reason, an audit row with all that was asked, the result. */
async function changeContract(
  context: GraphqlContext,
  {
    mutation,
    action,
    key,
    input,
  }: {
    mutation: string;
    action: string;
    key: string;
    input: { readonly contractId: string; readonly reason: string } & Readonly<Record<string, string>>;
  },
  change: (command: Command, order: { contractId: ContractId; reason: string }) => Promise<Contract>,
): Promise<Contract> {
  const contractId = parseId<"Contract">(input.contractId, "contract");
  await actOnce(context, { mutation, key, input }, async (command) => {
    const reason = parseReason(input.reason, "reason");
    await change(command, { contractId, reason });
    await command.audit({ action, subjectKind: "contract", subjectId: contractId, detail: { ...input, reason } });
    return { contractId };
  });
  return readContract(context, contractId);
}

function parseReason(text: string, field: string): string {
  const reason = text.trim();
  if (reason === "" || reason.length > REASON_CHARACTERS_MAX)
    throw new InvalidInput(`A ${field} has 1 to ${REASON_CHARACTERS_MAX} characters.`, field);
  return reason;
}

async function readContract(context: GraphqlContext, id: string): Promise<Contract> {
  const contract = await context.services.credit.find(context.db, parseId<"Contract">(id, "contract"));
  if (contract === undefined) throw new Error(`Contract ${id} was changed and is missing.`);
  return contract;
}
