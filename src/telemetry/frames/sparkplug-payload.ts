/**
 * The protocol buffer of Sparkplug B (org.eclipse.tahu.protobuf.Payload), as far as devices use it: metrics with scalar
 * values. Data sets, templates and bytes are passed over.
 */
import { PbfReader, PbfWriter } from "pbf";

export interface SparkplugPayload {
  /** Unix milliseconds. */
  readonly timestamp: number | undefined;
  readonly metrics: readonly SparkplugMetric[];
}

export interface SparkplugMetric {
  readonly name: string | undefined;
  /** Stands for the name in everything after the birth certificate. */
  readonly alias: number | undefined;
  readonly timestamp: number | undefined;
  readonly datatype: number | undefined;
  readonly isHistorical: boolean;
  /** Undefined for null and for kinds that hold no scalar. */
  readonly value: number | string | boolean | undefined;
  /** The property `engUnit`, by which Sparkplug hosts name units. */
  readonly unit: string | undefined;
}

export type PayloadAnswer =
  { readonly ok: true; readonly payload: SparkplugPayload } | { readonly ok: false; readonly detail: string };

/** More metrics than a node has; each costs some hundred bytes of memory. */
export const METRICS_MAX = 20_000;

/** Reads a payload. Bytes that are no protocol buffer, or break off, are refused. */
export function readSparkplugPayload(bytes: Uint8Array): PayloadAnswer {
  const payload: { timestamp: number | undefined; metrics: SparkplugMetric[] } = { timestamp: undefined, metrics: [] };
  try {
    const reader = new PbfReader(bytes);
    forEachField(reader, bytes.length, (field) => {
      if (field === 1 && reader.type === VARINT) payload.timestamp = reader.readVarint();
      else if (field === 2) payload.metrics.push(readMetric(reader));
      if (payload.metrics.length > METRICS_MAX) throw new Unreadable(`it has more than ${METRICS_MAX} metrics`);
    });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { ok: false, detail: `The payload is no Sparkplug B protocol buffer: ${said}.` };
  }
  return { ok: true, payload };
}

class Unreadable extends Error {}

/** Calls `read` at every field; what it leaves unread is skipped. Reading past `end` is an error, which pbf leaves to us. */
function forEachField(reader: PbfReader, end: number, read: (field: number) => void): void {
  while (reader.pos < end) {
    const key = reader.readVarint();
    const field = Math.floor(key / 8);
    const start = reader.pos;
    reader.type = key & 7;
    if (field === 0) throw new Unreadable(`a field at byte ${start} has no number`);
    read(field);
    if (reader.pos === start) reader.skip(key);
    if (reader.pos > end) throw new Unreadable(`the field at byte ${start} breaks off`);
  }
}

/** Calls `read` at every field of the message that the reader stands before. */
function forEachFieldOf(reader: PbfReader, read: (field: number) => void): void {
  const end = reader.readVarint() + reader.pos;
  if (!(end <= reader.length)) throw new Unreadable(`a message at byte ${reader.pos} breaks off`);
  forEachField(reader, end, read);
}

/** The type of a field as it stands in the bytes. A field of another type than its number has is passed over. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

function readMetric(reader: PbfReader): SparkplugMetric {
  if (reader.type !== BYTES) throw new Unreadable(`the metric at byte ${reader.pos} is no message`);
  const metric: Mutable<SparkplugMetric> = {
    name: undefined,
    alias: undefined,
    timestamp: undefined,
    datatype: undefined,
    isHistorical: false,
    value: undefined,
    unit: undefined,
  };
  let isNull = false;
  forEachFieldOf(reader, (field) => {
    const { type } = reader;
    if (field === 1 && type === BYTES) metric.name = reader.readString();
    else if (field === 2 && type === VARINT) metric.alias = reader.readVarint();
    else if (field === 3 && type === VARINT) metric.timestamp = reader.readVarint();
    else if (field === 4 && type === VARINT) metric.datatype = reader.readVarint();
    else if (field === 5 && type === VARINT) metric.isHistorical = reader.readBoolean();
    else if (field === 7 && type === VARINT) isNull = reader.readBoolean();
    else if (field === 9 && type === BYTES) metric.unit = readUnit(reader);
    else if (field >= 10 && field <= 15) metric.value = readValue(reader, field) ?? metric.value;
  });
  if (isNull) metric.value = undefined;
  return metric;
}

function readValue(reader: PbfReader, field: number): SparkplugMetric["value"] {
  const { type } = reader;
  if (field === 10 && type === VARINT) return reader.readVarint();
  // Signed: the bits of an Int64 below zero are past 2^53 otherwise. A UInt64 past 2^63 is nothing a device counts.
  if (field === 11 && type === VARINT) return reader.readVarint(true);
  if (field === 12 && type === FIXED32) return reader.readFloat();
  if (field === 13 && type === FIXED64) return reader.readDouble();
  if (field === 14 && type === VARINT) return reader.readBoolean();
  if (field === 15 && type === BYTES) return reader.readString();
  return undefined;
}

/** The text of the property `engUnit` in a property set, whose keys and values are two lists side by side. */
function readUnit(reader: PbfReader): string | undefined {
  const keys: string[] = [];
  const values: (string | undefined)[] = [];
  forEachFieldOf(reader, (field) => {
    if (reader.type !== BYTES) return;
    if (field === 1) keys.push(reader.readString());
    else if (field === 2) values.push(readPropertyText(reader));
  });
  return values[keys.indexOf("engUnit")];
}

function readPropertyText(reader: PbfReader): string | undefined {
  let text: string | undefined;
  forEachFieldOf(reader, (field) => {
    if (field === 8 && reader.type === BYTES) text = reader.readString();
  });
  return text;
}

/** A command by which a host asks an edge node to tell its births anew. `timestamp` in Unix milliseconds. */
export function writeRebirth(timestamp: number): Uint8Array {
  const writer = new PbfWriter();
  writer.writeTag(1, VARINT);
  writer.writeVarint(timestamp);
  writer.writeMessage(
    2,
    (_nothing: undefined, metric: PbfWriter) => {
      metric.writeTag(1, BYTES);
      metric.writeString("Node Control/Rebirth");
      metric.writeTag(4, VARINT);
      metric.writeVarint(BOOLEAN);
      metric.writeTag(14, VARINT);
      metric.writeBoolean(true);
    },
    undefined,
  );
  return writer.finish();
}

/** Sparkplug's number for a flag. */
const BOOLEAN = 11;

/** Sparkplug's numbers for signed types. Their values come as unsigned bits. */
const INT8 = 1;
const INT16 = 2;
const INT32 = 3;

/** The number that a metric's bits mean under its datatype. */
export function signedValue(value: SparkplugMetric["value"], datatype: number | undefined): SparkplugMetric["value"] {
  if (typeof value !== "number") return value;
  if (datatype === INT8) return (value << 24) >> 24;
  if (datatype === INT16) return (value << 16) >> 16;
  if (datatype === INT32) return value | 0;
  return value;
}
