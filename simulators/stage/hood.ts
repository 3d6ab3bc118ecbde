/** What the program itself tells of a contract's payments, asked of its public GraphQL API. */
import { formatAmount } from "../rail/currency.ts";
import type { ApiClient } from "../village/client.ts";
import type { HoodStep, HoodView } from "./views.ts";

interface MoneyAnswer {
  readonly amountMinor: string;
  readonly currency: string;
}

interface OverviewAnswer {
  readonly contract: {
    readonly paidUntil: string | null;
    readonly allocations: readonly {
      readonly receipt: {
        readonly id: string;
        readonly providerId: string;
        readonly paidAt: string;
        readonly amount: MoneyAnswer;
      } | null;
    }[];
    readonly device: {
      readonly tokenCount: number;
      readonly standing: {
        readonly connection: string;
        readonly daysLeftByDevice: number | null;
        readonly lastSeenAt: string | null;
      } | null;
    };
  };
}

interface HistoryAnswer {
  readonly receiptHistory: {
    readonly callbackText: string | null;
    readonly receipt: { readonly tokens: NonNullable<HoodView["story"]>["tokens"] };
    readonly events: readonly { at: string; kind: string; text: string; detail: string }[];
  };
}

const REFUSAL = "... on Refusal { code message }";

const OVERVIEW = `query ($account: String!) {
  contract(accountNumber: $account) {
    ... on Contract {
      paidUntil
      allocations(limit: 20) { receipt { id providerId paidAt amount { amountMinor currency } } }
      device { tokenCount standing { connection daysLeftByDevice lastSeenAt } }
    }
    ${REFUSAL}
  }
}`;

const HISTORY = `query ($receiptId: ID!) {
  receiptHistory(receiptId: $receiptId) {
    ... on ReceiptHistory { callbackText receipt { tokens { digits count units } } events { at kind text detail } }
    ${REFUSAL}
  }
}`;

/** The contract's payments and the story of one of them: of `receiptId` where it is given, else of the newest. */
export async function lookUnderHood(
  api: ApiClient,
  { account, receiptId }: { account: string; receiptId: string | undefined },
): Promise<HoodView> {
  const { contract } = await api.ask<OverviewAnswer>(OVERVIEW, { account });
  const receipts = contract.allocations.flatMap(({ receipt }) => receipt ?? []);
  const asked = receipts.find(({ id }) => id === receiptId) ?? receipts[0];
  const { device, paidUntil } = contract;
  return {
    payments: receipts.map(({ id, providerId, paidAt, amount }) => ({
      receiptId: id,
      providerId,
      amount: formatAmount(BigInt(amount.amountMinor), amount.currency),
      paidAt,
    })),
    story: asked === undefined ? null : await tellStory(api, asked.id),
    device: {
      tokenCount: device.tokenCount,
      paidUntil,
      connection: device.standing?.connection ?? null,
      daysLeftByDevice: device.standing?.daysLeftByDevice ?? null,
      lastSeenAt: device.standing?.lastSeenAt ?? null,
    },
  };
}

async function tellStory(api: ApiClient, receiptId: string): Promise<HoodView["story"]> {
  const { receiptHistory } = await api.ask<HistoryAnswer>(HISTORY, { receiptId });
  const { callbackText, receipt, events } = receiptHistory;
  const steps = events.map(({ at, kind, text, detail }): HoodStep => ({
    at,
    kind,
    text,
    detail: JSON.parse(detail) as unknown,
  }));
  return { receiptId, callback: callbackText, steps, tokens: receipt.tokens };
}
