/** Writes Sparkplug B payloads, as an edge node would. */
import { PbfWriter } from "pbf";
import type { Chance } from "../../test/crash/chance.ts";
import { NOW_SECONDS } from "./corpus.ts";

export interface WrittenMetric {
  readonly name?: string;
  readonly alias?: number;
  readonly timestamp?: number;
  readonly datatype?: number;
  readonly isHistorical?: boolean;
  readonly isNull?: boolean;
  readonly unit?: string;
  /** Field of the value: 10 int, 11 long, 12 float, 13 double, 14 boolean, 15 text. */
  readonly int?: number;
  readonly double?: number;
  readonly float?: number;
  readonly boolean?: boolean;
  readonly text?: string;
}

export function writePayload(metrics: readonly WrittenMetric[], timestamp: number | undefined): Uint8Array {
  const writer = new PbfWriter();
  if (timestamp !== undefined) varint(writer, 1, timestamp);
  for (const metric of metrics) writer.writeMessage(2, writeMetric, metric);
  varint(writer, 3, 7);
  return writer.finish();
}

function varint(writer: PbfWriter, field: number, value: number): void {
  writer.writeTag(field, 0);
  writer.writeVarint(value);
}

function text(writer: PbfWriter, field: number, value: string): void {
  writer.writeTag(field, 2);
  writer.writeString(value);
}

function writeMetric(metric: WrittenMetric, writer: PbfWriter): void {
  if (metric.name !== undefined) text(writer, 1, metric.name);
  if (metric.alias !== undefined) varint(writer, 2, metric.alias);
  if (metric.timestamp !== undefined) varint(writer, 3, metric.timestamp);
  if (metric.datatype !== undefined) varint(writer, 4, metric.datatype);
  if (metric.isHistorical === true) varint(writer, 5, 1);
  if (metric.isNull === true) varint(writer, 7, 1);
  if (metric.unit !== undefined) writer.writeMessage(9, writeProperties, metric.unit);
  if (metric.int !== undefined) varint(writer, 10, metric.int < 0 ? metric.int + 4_294_967_296 : metric.int);
  if (metric.float !== undefined) {
    writer.writeTag(12, 5);
    writer.writeFloat(metric.float);
  }
  if (metric.double !== undefined) {
    writer.writeTag(13, 1);
    writer.writeDouble(metric.double);
  }
  if (metric.boolean !== undefined) varint(writer, 14, metric.boolean ? 1 : 0);
  if (metric.text !== undefined) text(writer, 15, metric.text);
}

function writeProperties(unit: string, writer: PbfWriter): void {
  text(writer, 1, "engUnit");
  writer.writeMessage(2, writeProperty, unit);
}

function writeProperty(unit: string, writer: PbfWriter): void {
  varint(writer, 1, 12);
  text(writer, 8, unit);
}

const BIRTH: readonly WrittenMetric[] = [
  { name: "bdSeq", int: 1, datatype: 8 },
  { name: "Battery/Voltage", alias: 1, datatype: 3, int: 12_640, unit: "mV" },
  { name: "Panel/Power", alias: 2, datatype: 9, float: 41.5 },
  { name: "Firmware Version", alias: 3, datatype: 12, text: "7.1" },
  { name: "Tampered", alias: 4, datatype: 11, boolean: false },
  { name: "Fan/Speed", alias: 5, datatype: 10, double: 0.5 },
];

export const GROUP = "village";

export interface SparkplugMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** The birth certificate that the data after it needs. */
export function birthOf(serial: string): SparkplugMessage {
  return { topic: `spBv1.0/${GROUP}/DBIRTH/edge1/${serial}`, payload: writePayload(BIRTH, NOW_SECONDS * 1_000) };
}

export function drawSparkplug(chance: Chance, serial: string): SparkplugMessage {
  const kind = chance.pick(["DBIRTH", "DDATA", "DDATA", "NBIRTH", "NDATA", "NDEATH", "DDEATH"]);
  const device = kind.startsWith("D") ? `/${serial}` : "";
  const topic = `spBv1.0/${GROUP}/${kind}/${kind === "NDATA" ? serial : "edge1"}${device}`;
  const at = NOW_SECONDS * 1_000 - chance.below(1_000_000);
  const data: readonly WrittenMetric[] = [
    { alias: 1, timestamp: at, int: 12_000 + chance.below(2_000) },
    { alias: 2, timestamp: at - 60_000, float: 3.5, isHistorical: true },
    { alias: 4, boolean: true },
    { name: "Load Current", double: 1.25 },
    { alias: 5, isNull: true },
  ];
  return { topic, payload: writePayload(kind.endsWith("BIRTH") ? BIRTH : kind.endsWith("DATA") ? data : [], at) };
}
