/**
 * ClickHouse's HTTP interface, read into what an embedded engine can run. Pure: text in, decisions out.
 * Source: https://clickhouse.com/docs/interfaces/http
 */

/** What one HTTP request asks of the engine. */
export interface EngineRequest {
  /** The statement, without rows that came in the body. */
  readonly statement: string;
  /** Statements that prepare a session of its own for it, in order. */
  readonly preparation: readonly string[];
  readonly work:
    | { readonly kind: "stream"; readonly format: string }
    /** The answer is one document, which the engine can only write as a whole: into a file. */
    | { readonly kind: "file"; readonly format: string }
    | { readonly kind: "whole"; readonly format: string }
    /** The body holds rows; the engine reads them from a file that the front has spooled. */
    | { readonly kind: "insert"; readonly fromFile: (path: string) => string };
}

/** Known to ClickHouse's HTTP server alone; an engine without one refuses them as unknown settings. */
const NOT_SETTINGS = new Set([
  "query",
  "query_id",
  "database",
  "default_format",
  "user",
  "password",
  "quota_key",
  "role",
  "session_id",
  "session_check",
  "session_timeout",
  "compress",
  "decompress",
  "wait_end_of_query",
  "buffer_size",
  "send_progress_in_http_headers",
  "http_response_buffer_size",
  "http_headers_progress_interval_ms",
  "enable_http_compression",
  "http_zlib_compression_level",
  "http_response_compression_method",
  "cancel_http_readonly_queries_on_client_close",
  "http_native_compression_disable_checksumming_on_decompress",
]);

/** Formats of which two answers behind each other are one answer. */
const STREAMED = new Set([
  "jsoneachrow",
  "jsoncompacteachrow",
  "jsonstringseachrow",
  "jsoncompactstringseachrow",
  "tabseparated",
  "tsv",
  "csv",
  "rowbinary",
  "native",
]);
const WRITTEN_TO_FILE = new Set(["parquet", "arrow", "arrowstream", "orc"]);

/** One insert is one block, so that all of it is there or nothing: as it is on a server for an insert of this size. */
const INSERT_SETTINGS =
  "set input_format_parallel_parsing = 0, max_insert_block_size = 1000000000, min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0";

const LEADING_COMMENTS = /^(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*/;
const TRAILING_FORMAT = /\bformat\s+([A-Za-z]\w*)\s*;?\s*$/i;
const INSERT_WITH_FORMAT = /^(insert\s+into\s+[\s\S]+?)(\s+settings\s+[\s\S]+?)?\s+format\s+([A-Za-z]\w*)\s*;?\s*$/i;

/** A request that ClickHouse would refuse too, with its error code. */
export class RequestRefused extends Error {
  readonly clickhouseCode: number;
  constructor(clickhouseCode: number, name: string, message: string) {
    super(`Code: ${String(clickhouseCode)}. DB::Exception: ${message} (${name})`);
    this.clickhouseCode = clickhouseCode;
  }
}

/**
 * Reads a request. `body` is the statement where the URL holds none, and rows otherwise; undefined when it is empty.
 * Throws RequestRefused.
 */
export function readRequest(
  parameters: ReadonlyMap<string, string>,
  body: { readonly statement: string | undefined; readonly hasRows: boolean },
): EngineRequest {
  const statement = (parameters.get("query") ?? body.statement ?? "").replace(LEADING_COMMENTS, "").trim();
  if (statement === "") throw new RequestRefused(62, "SYNTAX_ERROR", "Empty query.");
  const preparation = preparationOf(parameters);
  if (body.hasRows) return { statement, preparation: [...preparation, INSERT_SETTINGS], work: insertOf(statement) };
  const format = TRAILING_FORMAT.exec(statement)?.[1] ?? parameters.get("default_format") ?? "TabSeparated";
  const isSelect = /^(select|with)\b/i.test(statement) && !/^with\b[\s\S]*\binsert\s+into\b/i.test(statement);
  const name = format.toLowerCase();
  if (isSelect && STREAMED.has(name)) return { statement, preparation, work: { kind: "stream", format } };
  if (isSelect && WRITTEN_TO_FILE.has(name)) return { statement, preparation, work: { kind: "file", format } };
  return { statement, preparation, work: { kind: "whole", format } };
}

/** The same SELECT, written into a file. */
export function intoFile(statement: string, file: { readonly path: string; readonly format: string }): string {
  const bare = statement.replace(TRAILING_FORMAT, "");
  return `${bare} into outfile ${quote(file.path)} truncate format ${file.format}`;
}

function insertOf(statement: string): EngineRequest["work"] {
  const [, head, settings = "", format] = INSERT_WITH_FORMAT.exec(statement) ?? [];
  if (head === undefined || format === undefined)
    throw new RequestRefused(48, "NOT_IMPLEMENTED", "Rows in the body need a query INSERT INTO table FORMAT name.");
  return {
    kind: "insert",
    fromFile: (path) => `${head} from infile ${quote(path)} compression 'none'${settings} format ${format}`,
  };
}

/** Settings hold for a session; this front opens one for each request, so nothing stays behind. */
function preparationOf(parameters: ReadonlyMap<string, string>): readonly string[] {
  const database = parameters.get("database");
  const values = [...parameters].filter(([name]) => !NOT_SETTINGS.has(name));
  for (const [name] of values) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new RequestRefused(115, "UNKNOWN_SETTING", `Setting ${name.slice(0, 80)} is neither a setting nor a name.`);
  }
  return [
    ...(database === undefined || database === "" ? [] : [`use \`${database.replaceAll("`", "``")}\``]),
    ...(values.length === 0 ? [] : [`set ${values.map(([name, value]) => `${name} = ${quote(value)}`).join(", ")}`]),
  ];
}

/** A string literal of ClickHouse's SQL, in which a backslash escapes. */
export function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** The number in "Code: 60. DB::Exception: ..."; undefined for another text. */
export function exceptionCodeOf(message: string): number | undefined {
  const [, digits] = /\bCode: (\d+)\./.exec(message) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The HTTP status that ClickHouse gives for an exception's code. */
export function statusOf(code: number | undefined): number {
  if (code === 516) return 401;
  if (code === 202) return 503;
  if (code !== undefined && [46, 47, 60, 81, 115, 273].includes(code)) return 404;
  if (code !== undefined && [6, 26, 27, 36, 38, 41, 53, 62, 69, 70, 457].includes(code)) return 400;
  return code === 48 ? 501 : 500;
}

/** What the client looks for at the end of an answer that broke off after it had begun; `tag` stands in a header. */
export function brokenOff(message: string, tag: string): string {
  const text = `${message}\n`;
  return `\r\n__exception__\r\n${tag}\r\n${text}${String(Buffer.byteLength(text))} ${tag}\r\n__exception__\r\n`;
}
