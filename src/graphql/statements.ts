import type { EnumRef } from "@pothos/core";
import type { Currency } from "../kernel/money.ts";
import { InvalidInput, NotFound } from "../kernel/refusal.ts";
import type {
  ImportedLine,
  KindSum,
  Preview,
  PreviewLine,
  SavedMapping,
  StatementImport,
  StatementReport,
} from "../payments/payments.ts";
import { pageArguments, parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { actOnce } from "./commands.ts";
import { cursorId, cursorInstant, cursorNumber, parsePage, toConnection } from "./connections.ts";
import type { GraphqlContext } from "./context.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
const KINDS = ["payment", "reversal", "fee", "disbursement", "settlement", "other"] as const;
const OUTCOMES = ["taken", "known", "refused", "skipped"] as const;
/** Twenty lines of any statement; the request's own limit stands far above. */
const HEAD_BYTES_MAX = 65_536;
const MAPPING_CHARACTERS_MAX = 20_000;

type Kind = (typeof KINDS)[number];
type CurrencyRef = EnumRef<BuilderTypes, Currency>;
type KindRef = EnumRef<BuilderTypes, Kind>;

/** Imported statement files, and the mappings that read them. The files themselves come in by `POST /statements/{rail}`. */
export function defineStatements(builder: Builder, { currency }: { currency: CurrencyRef }): void {
  const kind = builder.enumType("StatementLineKind", { values: KINDS });
  const statement = defineStatement(builder, { currency, kind });
  defineImport(builder, statement);
  defineMappings(builder);
  definePreview(builder, kind);
}

function defineStatement(builder: Builder, { currency, kind }: { currency: CurrencyRef; kind: KindRef }) {
  const outcome = builder.enumType("StatementLineOutcome", {
    values: {
      taken: { description: "New, and booked or kept." },
      known: { description: "The books had it already." },
      refused: { description: "Could not be read, or disagrees with the books; it is on the desk." },
      skipped: { description: "A total, a footer or a repeated header." },
    } satisfies Record<(typeof OUTCOMES)[number], object>,
  });
  const line = builder.objectRef<ImportedLine>("ProviderStatementLine").implement({
    fields: (t) => ({
      line: t.exposeInt("line", { description: "Where it begins in the file, from 1." }),
      outcome: t.field({ type: outcome, resolve: (one) => one.outcome }),
      kind: t.field({ type: kind, nullable: true, resolve: (one) => one.kind ?? null }),
      providerId: t.string({ nullable: true, resolve: ({ providerId }) => providerId ?? null }),
      amountMinor: t.string({
        nullable: true,
        description: "In above zero, out below.",
        resolve: ({ amountMinor }) => amountMinor?.toString() ?? null,
      }),
      at: t.field({ type: "DateTime", nullable: true, resolve: ({ at }) => at ?? null }),
      detail: t.string({
        nullable: true,
        description: "Why it was refused, or what a person should know of it.",
        resolve: ({ detail }) => detail ?? null,
      }),
      raw: t.exposeString("raw"),
    }),
  });
  const lines = builder.connectionObject(
    { name: "ProviderStatementLineConnection", type: line },
    { name: "ProviderStatementLineEdge" },
  );
  const sum = builder.objectRef<KindSum & { kind: Kind }>("StatementKindSum").implement({
    description: "Taken and known lines of one kind together.",
    fields: (t) => ({
      kind: t.field({ type: kind, resolve: (one) => one.kind }),
      lines: t.exposeInt("lines"),
      amountMinor: t.string({
        description: "In above zero, out below.",
        resolve: ({ amountMinor }) => amountMinor.toString(),
      }),
    }),
  });
  const statement = builder.objectRef<StatementReport>("ProviderStatement").implement({
    description: "A provider's list that was imported. linesTotal = taken + known + refused + skipped.",
    fields: (t) => ({
      id: t.id({ resolve: ({ statementId }) => statementId }),
      rail: t.exposeString("rail"),
      account: t.string({ description: "Our account that it is of.", resolve: ({ shortcode }) => shortcode }),
      currency: t.field({
        type: currency,
        nullable: true,
        description: "Of all its amounts; null when the rail is not configured any more.",
        resolve: ({ rail }, _args, { services }) => services.rails.get(rail)?.config.currency ?? null,
      }),
      fileName: t.exposeString("fileName"),
      format: t.exposeString("format"),
      encoding: t.exposeString("encoding"),
      importedBy: t.exposeString("importedBy"),
      importedAt: t.expose("importedAt", { type: "DateTime" }),
      fromAt: t.field({ type: "DateTime", nullable: true, resolve: ({ fromAt }) => fromAt ?? null }),
      toAt: t.field({ type: "DateTime", nullable: true, resolve: ({ toAt }) => toAt ?? null }),
      linesTotal: t.exposeInt("linesTotal"),
      taken: t.exposeInt("taken"),
      known: t.exposeInt("known"),
      refused: t.exposeInt("refused"),
      skipped: t.exposeInt("skipped"),
      exceptions: t.exposeInt("exceptions", { description: "Lines of it that came to the desk." }),
      byKind: t.field({
        type: [sum],
        resolve: ({ byKind }) =>
          KINDS.flatMap((one) => {
            const found = byKind[one];
            return found === undefined ? [] : [{ kind: one, ...found }];
          }),
      }),
      lines: t.field({
        type: lines,
        description: "In the file's order.",
        args: { ...pageArguments(builder), outcome: t.arg({ type: outcome, defaultValue: "refused" }) },
        resolve: async ({ statementId }, args, { services, db }) => {
          const page = parsePage(args, "statementLines");
          const afterLine = Number(cursorNumber(page) ?? 0n);
          const query = { statementId, outcome: args.outcome ?? undefined, first: page.limit, afterLine };
          const rows = await services.statements.linesOf(db, query);
          return toConnection(rows, { page, kind: "statementLines", keysOf: (row) => [String(row.line)] });
        },
      }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "ProviderStatementConnection", type: statement },
    { name: "ProviderStatementEdge" },
  );
  builder.queryField("statements", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Newest first.",
      args: { ...pageArguments(builder), rail: t.arg.string() },
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "statements", 2);
        const [importedAt, id] = [cursorInstant(page, 0), cursorId<"Statement">(page, 1)];
        const after = importedAt === undefined || id === undefined ? undefined : { importedAt, id };
        const query = { rail: args.rail ?? undefined, first: page.limit, after };
        const rows = await services.statements.listStatements(db, query);
        return toConnection(rows, {
          page,
          kind: "statements",
          keysOf: (row) => [String(row.importedAt.getTime()), row.statementId],
        });
      },
    }),
  );
  builder.queryField("statement", (t) =>
    t.field({
      type: statement,
      errors: {},
      authScopes: OFFICE,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, args, { services, db }) => {
        const found = await services.statements.findStatement(db, parseId<"Statement">(args.id, "statement"));
        if (found === undefined) throw new NotFound("statement");
        return found;
      },
    }),
  );
  return statement;
}

function defineImport(builder: Builder, statement: ReturnType<typeof defineStatement>): void {
  const state = builder.enumType("StatementImportState", {
    values: {
      receiving: { description: "The file comes in." },
      importing: {},
      imported: {},
      refused: { description: "Nothing was imported; the reason says what to mend." },
      failed: { description: "Nothing was imported: the upload broke off, or something broke on our side." },
    } as const,
  });
  const running = builder.objectRef<StatementImport>("StatementImport").implement({
    description:
      "A file that was given to this process. It forgets all when it ends; an import that ran is undone then.",
    fields: (t) => ({
      id: t.exposeID("id"),
      rail: t.exposeString("rail"),
      fileName: t.exposeString("fileName"),
      startedBy: t.exposeString("startedBy"),
      startedAt: t.expose("startedAt", { type: "DateTime" }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      lines: t.exposeInt("lines", { description: "How many were read so far." }),
      refusal: t.string({
        nullable: true,
        description: "Why the file was refused.",
        resolve: ({ refusal }) => refusal?.message ?? null,
      }),
      statement: t.field({
        type: statement,
        nullable: true,
        resolve: async ({ statementId }, _args, { services, db }) =>
          statementId === undefined ? null : ((await services.statements.findStatement(db, statementId)) ?? null),
      }),
    }),
  });
  builder.queryField("statementImport", (t) =>
    t.field({
      type: running,
      errors: {},
      authScopes: OFFICE,
      description:
        "How far the import is that `POST /statements/{rail}` answered 202 for. Only the process that runs it knows; where several serve, look for the file in `statements`.",
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, args, { services }) => {
        const found = services.statementImports.find(parseId<"StatementImport">(args.id, "import"));
        if (found === undefined) throw new NotFound("import");
        return found;
      },
    }),
  );
}

function defineMappings(builder: Builder): void {
  const mapping = builder.objectRef<SavedMapping>("StatementMapping").implement({
    description: "How a file's columns are read; see docs/statements.md.",
    fields: (t) => ({
      name: t.exposeString("name"),
      mapping: t.string({ description: "JSON.", resolve: (saved) => JSON.stringify(saved.mapping) }),
      savedBy: t.exposeString("savedBy"),
      savedAt: t.expose("savedAt", { type: "DateTime" }),
    }),
  });
  builder.queryField("statementMappings", (t) =>
    t.field({
      type: [mapping],
      authScopes: OFFICE,
      description: "By name.",
      resolve: async (_root, _args, { services, db }) => [...(await services.statements.listMappings(db))],
    }),
  );
  builder.mutationField("saveStatementMapping", (t) =>
    t.field({
      type: mapping,
      errors: {},
      authScopes: OFFICE,
      description: "Keeps a mapping under a name, in place of an earlier one.",
      args: {
        name: t.arg.string({ required: true }),
        mapping: t.arg.string({ required: true, description: "JSON, as docs/statements.md describes it." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { statements } = context.services;
        const parsed = parseMappingText(input.mapping);
        await actOnce(context, { mutation: "saveStatementMapping", key, input }, async ({ tx, actor, audit }) => {
          const saved = await statements.saveMapping(tx, { name: input.name, mapping: parsed, actor });
          const detail = { mapping: JSON.stringify(saved.mapping) };
          const subject = { subjectKind: "statement_mapping", subjectId: saved.name };
          await audit({ action: "statement.save_mapping", ...subject, detail });
          return saved.name;
        });
        return await requireMapping(context, input.name);
      },
    }),
  );
}

function definePreview(builder: Builder, kind: KindRef): void {
  const line = builder.objectRef<PreviewLine>("StatementPreviewLine").implement({
    fields: (t) => ({
      line: t.exposeInt("line"),
      raw: t.exposeString("raw"),
      reason: t.string({
        nullable: true,
        description: "Why it would be refused.",
        resolve: (one) => (one.outcome === "refused" ? one.reason : null),
      }),
      isSkipped: t.boolean({ resolve: ({ outcome }) => outcome === "skipped" }),
      kind: t.field({ type: kind, nullable: true, resolve: (one) => readOf(one)?.kind ?? null }),
      providerId: t.string({ nullable: true, resolve: (one) => readOf(one)?.lineReference ?? null }),
      amountMinor: t.string({ nullable: true, resolve: (one) => readOf(one)?.amountMinor.toString() ?? null }),
      at: t.field({ type: "DateTime", nullable: true, resolve: (one) => readOf(one)?.at ?? null }),
      reference: t.string({
        nullable: true,
        description: "The account that the payer named.",
        resolve: (one) => readOf(one)?.reference ?? null,
      }),
    }),
  });
  const preview = builder.objectRef<Preview>("StatementPreview").implement({
    fields: (t) => ({
      encoding: t.exposeString("encoding"),
      separator: t.exposeString("separator"),
      headerLine: t.exposeInt("headerLine"),
      ownAccount: t.string({ nullable: true, resolve: ({ ownAccount }) => ownAccount ?? null }),
      lines: t.field({ type: [line], description: "The first twenty.", resolve: ({ lines }) => [...lines] }),
    }),
  });
  builder.queryField("previewStatement", (t) =>
    t.field({
      type: preview,
      errors: {},
      authScopes: OFFICE,
      description:
        "How a mapping would read the first lines of a file; nothing is stored. Give a mapping or the name of a saved one.",
      args: {
        rail: t.arg.string({ required: true }),
        mapping: t.arg.string({ description: "JSON." }),
        mappingName: t.arg.string(),
        headBase64: t.arg.string({
          required: true,
          description: `The file's first bytes, at most ${HEAD_BYTES_MAX}; they may end anywhere.`,
        }),
      },
      resolve: async (_root, args, context) => {
        const { rails, statements } = context.services;
        const open = rails.get(args.rail);
        if (open === undefined) throw new NotFound("rail", "rail");
        if (!args.mapping === !args.mappingName)
          throw new InvalidInput("Give a mapping or the name of a saved one.", "mapping");
        const mapping = args.mappingName
          ? (await requireMapping(context, args.mappingName)).mapping
          : parseMappingText(args.mapping ?? "");
        const head = parseHead(args.headBase64);
        return await statements.previewMapping({ head, mapping, channel: open.rail.channel });
      },
    }),
  );
}

const readOf = (line: PreviewLine) => (line.outcome === "read" ? line.transaction : undefined);

async function requireMapping({ services, db }: GraphqlContext, name: string): Promise<SavedMapping> {
  const found = (await services.statements.listMappings(db)).find((saved) => saved.name === name);
  if (found === undefined) throw new NotFound("mapping", "mappingName");
  return found;
}

function parseMappingText(text: string): unknown {
  if (text.length > MAPPING_CHARACTERS_MAX)
    throw new InvalidInput(`A mapping has at most ${MAPPING_CHARACTERS_MAX} characters.`, "mapping");
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidInput("This mapping is not JSON.", "mapping");
  }
}

function parseHead(base64: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new InvalidInput("The head is not base64.", "headBase64");
  const head = Buffer.from(base64, "base64");
  if (head.length > HEAD_BYTES_MAX) throw new InvalidInput(`A head has at most ${HEAD_BYTES_MAX} bytes.`, "headBase64");
  return head;
}
