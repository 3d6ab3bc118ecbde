/**
 * Rows in PostgreSQL's binary form, column by column: as parameters for `unnest(...)`, or for COPY. As text, PostgreSQL and we
 * spend most of a batch's time on writing and reading digits.
 */

/** Numbers with NaN for NULL: rows of a batch need no object each. Instants are Unix milliseconds; Infinity is "infinity". */
export interface NumberColumn {
  readonly name: string;
  readonly type: "integer" | "bigint" | "real" | "double precision" | "timestamptz" | "boolean";
  readonly values: Float64Array;
}

export interface TextColumn {
  readonly name: string;
  readonly type: "text" | "jsonb";
  readonly values: readonly (string | undefined)[];
}

export interface BytesColumn {
  readonly name: string;
  readonly type: "bytea";
  readonly values: readonly (Uint8Array | undefined)[];
}

export type BinaryColumn = NumberColumn | TextColumn | BytesColumn;

/** Type numbers from pg_type; they are part of the protocol and never change. */
const OIDS: Readonly<Record<BinaryColumn["type"], number>> = {
  boolean: 16,
  bytea: 17,
  bigint: 20,
  integer: 23,
  text: 25,
  real: 700,
  "double precision": 701,
  timestamptz: 1184,
  jsonb: 3802,
};

const WIDTHS: Readonly<Record<NumberColumn["type"], number>> = {
  boolean: 1,
  integer: 4,
  real: 4,
  bigint: 8,
  "double precision": 8,
  timestamptz: 8,
};

/** PostgreSQL counts microseconds since the start of 2000. */
const EPOCH_2000_MS = 946_684_800_000;
const TWO_32 = 4_294_967_296;

/** One column as a parameter, cast it with `$n::type[]`. `order` says which rows and in which order. */
export function encodeArray(column: BinaryColumn, order: Uint32Array): Buffer {
  const cells = cellsOf(column, order);
  const bytes = Buffer.allocUnsafe(20 + cells.size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setInt32(0, 1); // dimensions
  view.setInt32(4, 1); // may hold NULLs
  view.setInt32(8, OIDS[column.type]);
  view.setInt32(12, order.length);
  view.setInt32(16, 1); // lower bound
  let at = 20;
  for (const row of order) at = cells.write(row, { bytes, view, at });
  return bytes.subarray(0, at);
}

const COPY_HEAD = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");

/** All rows for `copy … from stdin (format binary)`, with the columns in the order given. */
export function encodeCopy(columns: readonly BinaryColumn[], order: Uint32Array): Buffer {
  const cells = columns.map((column) => cellsOf(column, order));
  const size = cells.reduce((sum, one) => sum + one.size, COPY_HEAD.length + order.length * 2 + 2);
  const bytes = Buffer.allocUnsafe(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  COPY_HEAD.copy(bytes);
  const target = { bytes, view, at: COPY_HEAD.length };
  for (const row of order) {
    view.setInt16(target.at, columns.length);
    target.at += 2;
    for (const cell of cells) target.at = cell.write(row, target);
  }
  view.setInt16(target.at, -1);
  return bytes.subarray(0, target.at + 2);
}

interface Target {
  readonly bytes: Buffer;
  readonly view: DataView;
  at: number;
}

interface Cells {
  /** Bytes that all cells need at most, with their lengths. */
  readonly size: number;
  /** Writes one cell and answers where the next begins. */
  write(row: number, target: Readonly<Target>): number;
}

function cellsOf(column: BinaryColumn, order: Uint32Array): Cells {
  switch (column.type) {
    case "text":
    case "jsonb":
      return textCells(column, order);
    case "bytea":
      return bytesCells(column, order);
    case "boolean":
    case "integer":
    case "bigint":
    case "real":
    case "double precision":
    case "timestamptz":
      return numberCells(column, order);
  }
}

function numberCells({ type, values }: NumberColumn, order: Uint32Array): Cells {
  const width = WIDTHS[type];
  const put = PUT[type];
  return {
    size: order.length * (4 + width),
    write(row, { view, at }) {
      const value = values[row] ?? Number.NaN;
      // Only NaN differs from itself.
      if (value !== value) {
        view.setInt32(at, -1);
        return at + 4;
      }
      view.setInt32(at, width);
      put(view, at + 4, value);
      return at + 4 + width;
    },
  };
}

const PUT: Readonly<Record<NumberColumn["type"], (view: DataView, at: number, value: number) => void>> = {
  boolean: (view, at, value) => view.setUint8(at, value === 0 ? 0 : 1),
  integer: (view, at, value) => view.setInt32(at, value),
  real: (view, at, value) => view.setFloat32(at, value),
  "double precision": (view, at, value) => view.setFloat64(at, value),
  bigint: putBigint,
  timestamptz(view, at, value) {
    if (value === Infinity) {
      view.setInt32(at, 0x7fffffff);
      view.setUint32(at + 4, 0xffffffff);
    } else putBigint(view, at, Math.round((value - EPOCH_2000_MS) * 1000));
  },
};

/** Whole numbers up to 2^53, without the BigInt that every DataView.setBigInt64 would make. */
function putBigint(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  view.setInt32(at, high);
  view.setUint32(at + 4, value - high * TWO_32);
}

function textCells({ type, values }: TextColumn, order: Uint32Array): Cells {
  const version = type === "jsonb" ? 1 : 0;
  let size = order.length * (4 + version);
  for (const row of order) size += 3 * (values[row]?.length ?? 0);
  return {
    size,
    write(row, { bytes, view, at }) {
      const value = values[row];
      if (value === undefined) {
        view.setInt32(at, -1);
        return at + 4;
      }
      if (version === 1) view.setUint8(at + 4, 1);
      const length = bytes.write(value, at + 4 + version, "utf8") + version;
      view.setInt32(at, length);
      return at + 4 + length;
    },
  };
}

function bytesCells({ values }: BytesColumn, order: Uint32Array): Cells {
  let size = order.length * 4;
  for (const row of order) size += values[row]?.length ?? 0;
  return {
    size,
    write(row, { bytes, view, at }) {
      const value = values[row];
      view.setInt32(at, value?.length ?? -1);
      if (value === undefined) return at + 4;
      bytes.set(value, at + 4);
      return at + 4 + value.length;
    },
  };
}

/** Every row in the order in which it stands. */
export function everyRow(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row);
}
