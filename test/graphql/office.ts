import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeAll } from "vitest";
import { makeIds } from "../../src/kernel/ids.ts";
import { useGraphql, type Person } from "./graphql-app.ts";

export const REFUSAL = "__typename ... on Refusal { code message field }";
export const PLAN = `input: {
  code: "home-60", name: "Home 60", currency: KES, depositMinor: "0", depositBuysTime: true, totalMinor: "600000", priceMinor: "5000",
  pricePer: day, minimumPaymentMinor: "1000", freeSeconds: 0, instalmentDays: 7, graceDays: 2
}`;
/** The key of every device of these tests. */
export const KEY_HEX = "0123456789abcdef0123456789abcdef";

export const SELL = `mutation ($customerId: ID!, $serial: String!, $key: String!) {
  sellDevice(customerId: $customerId, serial: $serial, planCode: "home-60", idempotencyKey: $key) {
    ... on Contract { id accountNumber lockState outstanding { amountMinor } device { id serial state } customer { id } plan { code } } ${REFUSAL}
  }
}`;

export const MATCH = `mutation ($receiptId: ID!, $contractId: ID!, $key: String!) {
  matchSuspense(receiptId: $receiptId, contractId: $contractId, resolution: "She called from this number", idempotencyKey: $key) {
    ... on MatchedReceipt { receipt { tokens { digits units } } contract { lockState received { amountMinor } outstanding { amountMinor } } } ${REFUSAL}
  }
}`;

export const RESEND = `mutation ($contractId: ID!, $key: String!) {
  resendToken(contractId: $contractId, idempotencyKey: $key) { ... on ResentTokens { tokens { digits } contract { id } } ${REFUSAL} }
}`;

/** A small seller: an administrator, the office, agents of two areas, and one plan. */
export function useOffice() {
  const graphql = useGraphql();
  const people = {} as { admin: Person; office: Person; kisumu: Person; gulu: Person };
  let serials = 0;

  beforeAll(async () => {
    people.admin = await graphql.person("admin");
    people.office = await graphql.person("operations");
    people.kisumu = await graphql.person("agent", "Kisumu");
    people.gulu = await graphql.person("agent", "Gulu");
    await people.office.ask(`mutation { createPlan(${PLAN}) { __typename } }`);
  });

  async function importDevice(): Promise<string> {
    const serial = `WL-${String(++serials).padStart(5, "0")}`;
    const csv = `Serial Number,Starting Code,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model\n${serial},123456789,${KEY_HEX},1,1,0,Lamp\n`;
    const { data } = await people.office.ask(
      `mutation ($csv: String!) { importDevices(csv: $csv) { ... on ImportReport { added refused { line reason } } ${REFUSAL} } }`,
      { csv },
    );
    if (data["importDevices"]?.["added"] !== 1) throw new Error(`Not imported: ${JSON.stringify(data)}`);
    return serial;
  }

  async function register(
    person: Person,
    area: string,
    name = "Achieng Otieno",
    idempotencyKey: string = randomUUID(),
  ) {
    // Ids made in one millisecond have no order between them; people do not register that fast.
    graphql.clock.advance(1);
    const { data } = await person.ask(
      `mutation ($area: String!, $name: String!, $idempotencyKey: String!) {
        registerCustomer(idempotencyKey: $idempotencyKey, input: { name: $name, language: sw, area: $area, phones: ["0712 345 678"], serviceConsent: true, marketingConsent: false }) {
          ... on Customer { id name phones area } ${REFUSAL}
        }
      }`,
      { area, name, idempotencyKey },
    );
    return data["registerCustomer"] ?? {};
  }

  /** A contract in Kisumu, sold by its agent. */
  async function sell(): Promise<{
    id: string;
    accountNumber: string;
    serial: string;
    deviceId: string;
    customerId: string;
  }> {
    const customerId = String((await register(people.kisumu, "Kisumu"))["id"]);
    const serial = await importDevice();
    const { data } = await people.kisumu.ask(SELL, { customerId, serial, key: randomUUID() });
    const contract = data["sellDevice"] as unknown as { id: string; accountNumber: string; device: { id: string } };
    if (data["sellDevice"]?.__typename !== "Contract") throw new Error(`Not sold: ${JSON.stringify(data)}`);
    return { id: contract.id, accountNumber: contract.accountNumber, serial, deviceId: contract.device.id, customerId };
  }

  /** A payment that came with an account nobody has. */
  async function paySuspense(minor: bigint): Promise<string> {
    const { db } = graphql.database;
    const id = makeIds(graphql.clock)<"Receipt">();
    const providerId = `T${randomUUID().slice(0, 9).toUpperCase()}`;
    const paidAt = graphql.clock.now();
    await db.transaction(async (tx) => {
      const [row] = await tx.execute<{ id: string }>(sql`
        insert into payments.callbacks (rail, provider_id, facts_hash, raw, source_address, received_at, amount_minor, currency, shortcode, reference, paid_at)
        values ('mpesa', ${providerId}, '\\x00', '\\x00', '192.0.2.1', ${paidAt.toISOString()}, ${minor.toString()}, 'KES', '600100', 'nonsense', ${paidAt.toISOString()})
        returning id`);
      const receipt = {
        id,
        callbackId: BigInt(row?.id ?? "0"),
        rail: "mpesa",
        type: "billpay" as const,
        providerId,
        amount: { minor, currency: "KES" as const },
        shortcode: "600100",
        reference: "nonsense",
        payerPhone: undefined,
        payerHash: undefined,
        payerName: "ACHIENG",
        paidAt,
      };
      await graphql.services.receipts.book(tx, [receipt], [{ kind: "suspense", reason: "account_unknown" }]);
    });
    return id;
  }

  async function payContract(contractId: string, minor: bigint): Promise<void> {
    const { data } = await people.office.ask(MATCH, {
      receiptId: await paySuspense(minor),
      contractId,
      key: randomUUID(),
    });
    if (data["matchSuspense"]?.__typename !== "MatchedReceipt") throw new Error(`Not matched: ${JSON.stringify(data)}`);
  }

  return { graphql, people, importDevice, register, sell, paySuspense, payContract };
}
