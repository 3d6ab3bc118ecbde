import { createServer } from "node:net";
import { openClient } from "../../../src/platform/database.ts";
import type { Chance } from "../chance.ts";
import { startProgram, type Program } from "../program.ts";
import { childrenOf, signal, type Server } from "../server.ts";

/** Where a program of the run stands: it comes back there, on the same ports, as a supervisor would bring it back. */
export interface Place {
  readonly roles: string;
  readonly environment: Record<string, string>;
  readonly mqttPort: number;
  running: Program | undefined;
}

export interface Stage {
  readonly server: Server;
  readonly databaseUrl: string;
  /** The first holds the follower and the embedded engine besides its gateway. */
  readonly places: readonly [Place, ...Place[]];
  /** Ends of a program that nobody asked for. */
  readonly falls: string[];
  /** Starts that met no database. */
  startsInVain: number;
}

export const VICTIMS = ["gateway", "follower", "engine", "postgres"] as const;
export type Victim = (typeof VICTIMS)[number];

/** Of ten kills: the gateway that only takes frames, the program with gateway and follower, its engine, and PostgreSQL. */
const TEN: readonly Victim[] = [
  ...Array<Victim>(4).fill("gateway"),
  ...Array<Victim>(2).fill("follower"),
  ...Array<Victim>(2).fill("engine"),
  ...Array<Victim>(2).fill("postgres"),
];

const READY_TIMEOUT_MS = 60_000;
/** The doors answer a moment before the last role is up; a busy machine takes this long for a whole start. */
const STARTING_MS = 4_000;
/** The follower looks every five seconds, and an engine that fell starts within thirty. */
const RANGE_TIMEOUT_MS = 8_000;
const ENGINE_TIMEOUT_MS = 40_000;

/** Draws who dies, ten at a time, so that a short run meets all of them. */
export function drawVictims(chance: Chance, kills: number): readonly Victim[] {
  const drawn: Victim[] = [];
  while (drawn.length < kills) {
    const left = [...TEN];
    while (left.length > 0) drawn.push(...left.splice(chance.below(left.length), 1));
  }
  return drawn.slice(0, kills);
}

/** Starts who is missing; notes who ended without having been killed. */
export function fillPlaces(stage: Stage): void {
  for (const place of stage.places) {
    const there = place.running;
    if (there?.ended !== undefined && !there.ended.asked) noteFall(stage, there);
    if (there === undefined || there.ended !== undefined)
      place.running = startProgram({
        environment: place.environment,
        roles: place.roles,
        // The real clock: readings are taken by their times, and devices live at the machine's pace.
        clock: { startedAt: 0, speed: 1 },
      });
  }
}

/** A start whose database is away ends at once with a reason, for whoever supervises it to try again. One that was up must live on. */
function noteFall(stage: Stage, program: Program): void {
  const { goneAt, backAt } = stage.server;
  if (program.startedAt > goneAt - STARTING_MS && program.startedAt < backAt) stage.startsInVain += 1;
  else stage.falls.push(`a program ended by itself with code ${String(program.ended?.code)}: ${program.lastWords}`);
}

export async function untilAllReady(stage: Stage): Promise<void> {
  for (;;) {
    fillPlaces(stage);
    const ready = await Promise.all(
      stage.places.map(async ({ running }) => await running?.untilReady(READY_TIMEOUT_MS)),
    );
    if (ready.every((isReady) => isReady === true)) return;
    for (const { running } of stage.places)
      if (running !== undefined && running.ended === undefined && !(await running.untilReady(READY_TIMEOUT_MS)))
        throw new Error(`The program was not ready after a minute: ${running.lastWords}`);
  }
}

/** SIGKILL to whom the draw says. Answers whether a range of readings was on its way to history at that moment. */
export async function kill(stage: Stage, victim: Victim, chance: Chance): Promise<boolean> {
  const [withFollower, ...others] = stage.places;
  const childrenToo = chance.happens(0.5);
  const isTimed = chance.happens(0.6);
  const other = others[chance.below(others.length)];
  switch (victim) {
    case "gateway":
      await other?.running?.kill();
      return false;
    case "postgres":
      await stage.server.killAndRestart({ childrenToo });
      return false;
    case "follower": {
      const wasOnItsWay = isTimed && (await untilRangeOnItsWay(stage));
      const engines = childrenOf(withFollower.running?.processId ?? -1);
      await withFollower.running?.kill();
      // An engine whose program was killed ends by itself; a power cut does not wait for that.
      if (childrenToo) for (const engine of engines) signal(engine, "SIGKILL");
      return wasOnItsWay;
    }
    case "engine": {
      const wasOnItsWay = isTimed && (await untilRangeOnItsWay(stage));
      for (const engine of await untilEngine(withFollower)) signal(engine, "SIGKILL");
      return wasOnItsWay;
    }
  }
}

/** The embedded engine is the one process that the program with the role `history` starts. */
async function untilEngine({ running }: Place): Promise<readonly number[]> {
  for (const until = performance.now() + ENGINE_TIMEOUT_MS; performance.now() < until;) {
    const engines = childrenOf(running?.processId ?? -1);
    if (engines.length > 0) return engines;
    await pause(50);
  }
  throw new Error(`The program with the role history started no engine: ${running?.lastWords ?? ""}`);
}

/** More than half of all deaths of follower and engine are meant for the moment in which readings are between the two stores. */
async function untilRangeOnItsWay({ databaseUrl }: Stage): Promise<boolean> {
  const client = openClient(databaseUrl, 1);
  try {
    for (const until = performance.now() + RANGE_TIMEOUT_MS; performance.now() < until;) {
      const [row] = await client<{ flies: boolean }[]>`
        select range_to is not null as flies from telemetry.history_bookmark`;
      if (row?.flies === true) return true;
      await pause(3);
    }
    return false;
  } finally {
    await client.end({ timeout: 5 });
  }
}

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The system gave no port.");
  return address.port;
}
