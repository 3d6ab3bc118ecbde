/**
 * The text that a signature covers when a request comes in CBOR.
 *
 * The specification signs "a string encoded in UTF-8 ... in condensed JSON" whatever the encoding, and its reference
 * program, which reads only JSON, signs what Python writes of the decoded values. So does this: floats with the shortest
 * digits that give the same 64-bit value and always a point or an exponent (`12.0`, `1e-05`), keys in the order sent.
 * Letters past ASCII stand as they are; the signature is tried with them escaped too.
 */
import { decode } from "cborg";
import { cursorAt, forEachElement, forEachPair, MAJOR, readHead, readText } from "./cbor-scan.ts";
import type { Cursor } from "./cbor-scan.ts";
import type { Range } from "./json-scan.ts";

/** The JSON text of the item that lies in `range`. The item must have passed `cborFault`. */
export function cborSignedText(bytes: Uint8Array, range: Range): Uint8Array {
  const pieces: string[] = [];
  writeItem(cursorAt(bytes, range.start), pieces);
  return Buffer.from(pieces.join(""), "utf8");
}

function writeItem(cursor: Cursor, pieces: string[]): void {
  const { at, bytes } = cursor;
  switch ((bytes[at] ?? 0) >> 5) {
    case MAJOR.text:
      pieces.push(JSON.stringify(readText(cursor)));
      return;
    case MAJOR.list:
      pieces.push("[");
      forEachElement(cursor, (index) => {
        if (index > 0) pieces.push(",");
        writeItem(cursor, pieces);
      });
      pieces.push("]");
      return;
    case MAJOR.map:
      pieces.push("{");
      forEachPair(cursor, (key, index) => {
        pieces.push(index > 0 ? "," : "", JSON.stringify(key), ":");
        writeItem(cursor, pieces);
      });
      pieces.push("}");
      return;
    default:
      pieces.push(writeScalar(cursor));
  }
}

const FALSE = 20;
const TRUE = 21;
const NULL = 22;

function writeScalar(cursor: Cursor): string {
  const { at, bytes } = cursor;
  const { major, info } = readHead(cursor);
  if (major === MAJOR.simple && info === FALSE) return "false";
  if (major === MAJOR.simple && info === TRUE) return "true";
  if (major === MAJOR.simple && info === NULL) return "null";
  const value = decode(bytes.subarray(at, cursor.at)) as number | bigint;
  return major === MAJOR.simple ? pythonFloat(Number(value)) : String(value);
}

/** A float as Python's repr writes it: positional from 1e-4 up to 1e16, with at least two digits in an exponent. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-Infinity" : "Infinity";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [digits = "0", exponentText = "0"] = Math.abs(value).toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    return `${sign}${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  // In this range JavaScript writes whole numbers and fractions without an exponent down to 1e-6.
  const plain = String(Math.abs(value));
  return `${sign}${plain.includes(".") ? plain : `${plain}.0`}`;
}
