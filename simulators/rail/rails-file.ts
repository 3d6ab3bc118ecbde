import { between, makeStream } from "./chance.ts";
import type { RailSimulator } from "./rail-simulator.ts";

const SECRET_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const SECRET_LENGTH = 24;

/** The secret part of a channel's doors: the same for the same seed, so that both sides may be started again. */
export function secretOf(channel: string, seed: number): string {
  const chance = makeStream(seed, channel, "door secret");
  const last = SECRET_LETTERS.length - 1;
  return Array.from({ length: SECRET_LENGTH }, () => SECRET_LETTERS[between(chance, [0, last])] ?? "").join("");
}

/** First part of a channel's doors. Safaricom registers no address with its product's name in it. */
export const pathOf = (channel: string): string => channel.replaceAll("mpesa", "pesa").replaceAll("safaricom", "saf");

/** Where the program that listens at `programUrl` has the doors that the rails file below gives it. */
export function doorUrlsBelow(programUrl: string, seed: number) {
  const base = programUrl.replace(/\/+$/, "");
  return (channel: string, door: string, parameter: string | undefined): string => {
    const parts = [base, "rails", pathOf(channel), secretOf(channel, seed), door];
    return [...parts, ...(parameter === undefined ? [] : [parameter])].join("/");
  };
}

export interface RailsFile {
  readonly channels: readonly {
    readonly name: string;
    readonly adapter: string;
    readonly country: string;
    readonly currency: string;
    readonly zone: string;
    readonly path: string;
    readonly secret: string;
    readonly sources?: readonly string[];
    readonly confirmByEnquiry?: boolean;
    readonly settings: Record<string, unknown>;
  }[];
}

/** What the program's WASHA_RAILS must hold to talk to this simulator. */
export function railsFileOf(simulator: RailSimulator, seed: number): RailsFile {
  const channels = simulator.channels.map(({ name, country, currency, zone }) => {
    const face = simulator.face(name);
    const door = { path: pathOf(name), secret: secretOf(name, seed) };
    return { name, adapter: face.adapter, country, currency, zone, ...door, settings: face.settings() };
  });
  return { channels };
}
